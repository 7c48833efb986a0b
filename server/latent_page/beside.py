"""The latent of the same number in another bundle: the picture of before and after, stream by stream."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from server.latent_page.meanings import meaning_sentence, mismatch_sentence
from server.schemas import BundleBrief, Info, Latent, LatentItems, LatentItemsQuery, LatentStream, StreamInfo
from sparc_core.errors import NotFoundError

if TYPE_CHECKING:
    from server.explorer import Explorer

N_ITEMS = {"image": 4, "text": 2}
"""How many items a cell shows, by modality."""


class Cell(NamedTuple):
    """One stream of one bundle; `own` and `found` are None where the bundle has no such stream."""

    stream: StreamInfo
    own: LatentStream | None
    found: LatentItems | None


class Row(NamedTuple):
    """One bundle: its latent, a sentence about it, and the streams in the page's order."""

    info: Info
    latent: Latent
    sentence: str
    cells: list[Cell]


class BesideView(NamedTuple):
    """What stands under "The same number in another bundle".

    Attributes:
        bundles: That can be chosen.
        chosen: The one that was, or None.
        problem: Why it is not shown, or "".
        warning: Why the numbers do not correspond, or "".
        same_corpus: Whether both bundles are of the same items.
        rows: This bundle's and the other one's, or none.
    """

    bundles: list[BundleBrief]
    chosen: BundleBrief | None = None
    problem: str = ""
    warning: str = ""
    same_corpus: bool = True
    rows: tuple[Row, ...] = ()


def beside_view(explorer: "Explorer", latent: Latent, bundle_id: str) -> BesideView | None:
    """The section.

    Args:
        explorer: Of the main bundle.
        latent: The page's.
        bundle_id: Of the other one; "" where none was chosen.

    Returns:
        None where there is nothing to choose and nothing was chosen.
    """
    info = explorer.info()
    if not bundle_id or bundle_id == info.bundle_id:
        return BesideView(info.beside) if info.beside else None
    chosen = next((one for one in info.beside if one.bundle_id == bundle_id), None)
    try:
        other = explorer.at(bundle_id)
        found = other.latents.latent(latent.id)
    except NotFoundError as error:
        return BesideView(info.beside, chosen, problem=_problem(str(error)))
    there = other.info()
    return BesideView(
        info.beside,
        chosen,
        warning=mismatch_sentence(info, there),
        same_corpus=(info.corpus, info.n_items) == (there.corpus, there.n_items),
        rows=(_row(explorer, info, latent, info.streams), _row(other, there, found, info.streams)),
    )


def _row(explorer: "Explorer", info: Info, latent: Latent, streams: Sequence[StreamInfo]) -> Row:
    titles = [stream.title for stream in info.streams]
    cells = [_cell(explorer, latent, stream) for stream in streams]
    return Row(info, latent, meaning_sentence(info.title, latent, titles), cells)


def _cell(explorer: "Explorer", latent: Latent, stream: StreamInfo) -> Cell:
    own = next((one for one in latent.streams if one.stream == stream.name), None)
    if own is None:
        return Cell(stream, None, None)
    query = LatentItemsQuery(stream=stream.name, limit=N_ITEMS[stream.modality])
    return Cell(stream, own, explorer.latent_items.items(latent.id, query))


def _problem(message: str) -> str:
    return f"{message[:1].upper()}{message[1:]}."
