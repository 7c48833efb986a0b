"""The guided tour: four pages that show what SPARC is, on latents and texts that are chosen from the bundle.

A page is part of the tour where its address says `tour=1` to `tour=4`; `tour.html` is what it then shows.
"""

from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlencode

import numpy as np
from jaxtyping import Bool, Int64
from starlette.datastructures import URL, QueryParams

from server.schemas import BundleBrief, StreamInfo
from sparc_core.bundle.tables import LatentTable

if TYPE_CHECKING:
    from server.explorer import Explorer  # whose pages import this module

N_STEPS = 4
_MIN_DENSITY, _MAX_DENSITY = 0.005, 0.15  # of a latent to show: seen often enough, and about something


class Step(NamedTuple):
    """A page of the tour."""

    path: str
    query: dict[str, str]
    look_at: str  # CSS selector of what the page's script puts a ring around

    def address(self, number: int) -> str:
        """Its address as the step of that number, from 1."""
        return f"{self.path}?{urlencode({**self.query, 'tour': number}, safe=':')}"


class Comparison(NamedTuple):
    """Another bundle, and the latents of which all streams have the same best label, here and there."""

    other: BundleBrief
    n_latents: int
    n_agreeing: int
    n_agreeing_there: int


class Stop(NamedTuple):
    """Where a visitor is on the tour, for the template."""

    number: int  # 1 to N_STEPS
    n_steps: int
    back: str | None  # address of the step before
    onward: str | None  # and of the one after
    leave: str  # the same page, without the tour
    look_at: str
    latent: int  # that the first step shows, and its name
    name: str
    reader: StreamInfo | None  # the stream that reads texts, where one does
    reads_nothing: StreamInfo | None  # a stream of pictures, one that cannot be compared with texts if there is any
    comparison: Comparison | None  # of the last step, where there is another bundle


def start_of(explorer: "Explorer") -> str:
    """Address of the first step."""
    return _steps(explorer)[0].address(1)


def stop_at(explorer: "Explorer", url: URL) -> Stop | None:
    """The stop at an address; None where it is not on the tour."""
    number = QueryParams(url.query).get("tour", "")
    if number not in map(str, range(1, N_STEPS + 1)):
        return None
    n, steps = int(number), _steps(explorer)
    if url.path != steps[n - 1].path:
        return None
    latent, rest = best_latent(explorer.bundle.latents), url.remove_query_params("tour")
    return Stop(
        number=n,
        n_steps=N_STEPS,
        back=steps[n - 2].address(n - 1) if n > 1 else None,
        onward=steps[n].address(n + 1) if n < N_STEPS else None,
        leave=rest.path + (f"?{rest.query}" if rest.query else ""),
        look_at=steps[n - 1].look_at,
        latent=latent,
        name=explorer.latents.names[latent],
        reader=_reader(explorer),
        reads_nothing=_reads_nothing(explorer),
        comparison=_comparison(explorer) if n == N_STEPS else None,
    )


def best_latent(table: LatentTable, among: Bool[np.ndarray, " l"] | None = None) -> int:
    """The latent that shows best what the streams share: the largest alignment x purity.

    Of those that have a label and are active on 0.5% to 15% of the items, in all streams; where there is none, of
    those that are active in all streams; else the first.

    Args:
        table: Of the bundle.
        among: The latents to choose from, as far as that leaves any.
    """
    worth = np.nan_to_num(table.alignment.astype(np.float64) * table.purity)
    density = np.mean([of.astype(np.float64) for of in table.density.values()], axis=0)
    labelled = np.array([label is not None for label in table.label], bool)
    alive = _alive(table)
    good = labelled & alive & (density >= _MIN_DENSITY) & (density <= _MAX_DENSITY)
    wanted = np.ones(len(table), bool) if among is None else among
    for chosen in (good & wanted, good, alive):
        if chosen.any():
            return int(np.argmax(np.where(chosen, worth, -1)))
    return 0


def telling_latent(table: LatentTable, twin: LatentTable) -> int:
    """As `best_latent`, of the numbers that stand for the most different things in the streams of another bundle."""
    n = min(len(table), len(twin))
    meanings = np.zeros(len(table), np.int64)
    meanings[:n] = np.where(_alive(twin), _n_meanings(twin), 0)[:n]
    return best_latent(table, among=meanings == meanings.max())


def n_agreeing(table: LatentTable) -> int:
    """Latents that are active in all streams, with the same best label in each."""
    return int((_alive(table) & (_n_meanings(table) == 1)).sum())


def _n_meanings(table: LatentTable) -> Int64[np.ndarray, " l"]:
    """How many best labels each latent has in its streams; 0 where a stream has none."""
    labels = zip(*table.stream_label.values(), strict=True)
    return np.array([0 if None in own else len(set(own)) for own in labels], np.int64)


def _alive(table: LatentTable) -> Bool[np.ndarray, " l"]:
    return np.array([alive == "all" for alive in table.alive], bool)


def _steps(explorer: "Explorer") -> list[Step]:
    table, texts, other = explorer.bundle.latents, _texts(explorer), _beside(explorer)
    latent, stream = best_latent(table), _reads_nothing(explorer)
    pane = f'.pane[data-name="{stream.name}"]' if stream else ".pane"
    term = f"text:{texts[0]}" if _reader(explorer) else f"latent:{latent}"
    last = Step("/mismatches", {}, "#latents")
    if other:
        compared = telling_latent(table, explorer.beside[other.bundle_id].bundle.latents)
        last = Step(f"/latents/{compared}", {"beside": other.bundle_id}, "#beside")
    return [
        Step(f"/latents/{latent}", {}, "#columns"),
        Step("/caption", {"q": max(texts, key=len)}, f"#pictures {pane}"),
        Step("/retrieve", {"term": term}, "#hits [data-why]"),
        last,
    ]


def _beside(explorer: "Explorer") -> BundleBrief | None:
    """A bundle to compare with: one of local selection if there is any."""
    beside = explorer.info().beside
    return next((one for one in beside if one.selection == "local"), beside[0] if beside else None)


def _comparison(explorer: "Explorer") -> Comparison | None:
    other = _beside(explorer)
    if other is None:
        return None
    twin, table = explorer.beside[other.bundle_id].bundle.latents, explorer.bundle.latents
    return Comparison(other, len(table), n_agreeing(table), n_agreeing(twin))


def _texts(explorer: "Explorer") -> list[str]:
    """Texts that the corpus knows; a latent's name where there are no captions to take them from."""
    return explorer.items.example_texts() or [explorer.latents.names[best_latent(explorer.bundle.latents)]]


def _reader(explorer: "Explorer") -> StreamInfo | None:
    return next((s for s in explorer.info().streams if s.modality == "text" and s.can_read), None)


def _reads_nothing(explorer: "Explorer") -> StreamInfo | None:
    info = explorer.info()
    images = [stream for stream in info.streams if stream.modality == "image"]
    return next((s for s in images if s.name not in info.similarity_streams), images[0] if images else None)
