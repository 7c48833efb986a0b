"""8,192 latents that no bundle has: the API's answers about them, put in place of a server's in a browser.

Their pictures and captions are those of a real bundle's items, so that cards and maps are as heavy as real ones.
"""

import math
import random
from typing import Any
from urllib.parse import parse_qs, urlsplit

from server.schemas import Alive, LatentMap, LatentPage, LatentStream, LatentSummary, StreamInfo

N_LATENTS = 8192
_N_CLUSTERS = 60
_WORDS = ("sun", "cat", "rainbow", "pine", "crab", "whale", "night", "banana", "octopus", "windmill", "penguin")


class ManyLatents:
    """Answers of `GET /latents` and `GET /latents/map`; latents come by number, whatever the filter and the sort."""

    def __init__(self, streams: list[StreamInfo], item_ids: list[str], n: int = N_LATENTS) -> None:
        """Args: a bundle's streams, some of its items, and how many latents there are."""
        self._streams, self._item_ids, self.n = streams, item_ids, n
        rng = random.Random(0)
        clusters = [(rng.uniform(-0.8, 0.8), rng.uniform(-0.8, 0.8)) for _ in range(_N_CLUSTERS)]
        near = [rng.choice(clusters) for _ in range(n)]
        self._x = [max(-1, min(1, rng.gauss(x, 0.08))) for x, _ in near]
        self._y = [max(-1, min(1, rng.gauss(y, 0.08))) for _, y in near]
        self._density = [10 ** rng.uniform(-4, -0.5) for _ in range(n)]
        self._alignment = [0.7 * rng.random() for _ in range(n)]

    def name(self, latent: int) -> str:
        """A name that says the number."""
        return f"{_WORDS[latent % len(_WORDS)]} ({latent})"

    def summary(self, latent: int) -> LatentSummary:
        """A latent as the gallery shows it."""
        density = self._density[latent]
        items = {stream.name: self._items(latent, place) for place, stream in enumerate(self._streams)}
        return LatentSummary(
            id=latent,
            name=self.name(latent),
            name_source="labels",
            alive=Alive.alive,
            density=density,
            alignment=self._alignment[latent],
            profile_alignment=None,
            purity=0.9,
            name_quality=None,
            label=_WORDS[latent % len(_WORDS)],
            streams=[
                LatentStream(
                    stream=stream.name, density=density, mean_activation=0.1, max_activation=1, purity=0.9, label=None
                )
                for stream in self._streams
            ],
            strips=items,
            captions={
                stream.name: [f"the first caption of latent {latent}", f"another one of {latent}, with more words"]
                for stream in self._streams
                if stream.modality == "text"
            },
        )

    def page(self, start: int, limit: int) -> LatentPage:
        """A window of the gallery."""
        latents = [self.summary(latent) for latent in range(start, min(start + limit, self.n))]
        counts = {Alive.alive: self.n, Alive.mixed: 0, Alive.dead: 0}
        return LatentPage(latents=latents, total=self.n, counts=counts, next_cursor=None)

    def map(self) -> LatentMap:
        """All of them on the map."""
        return LatentMap(
            stream=self._streams[0].name,
            ids=list(range(self.n)),
            names=[self.name(latent) for latent in range(self.n)],
            x=[round(x, 4) for x in self._x],
            y=[round(y, 4) for y in self._y],
            density=[float(f"{density:.4g}") for density in self._density],
            alignment=[round(alignment, 4) for alignment in self._alignment],
            purity=[round(math.sqrt(alignment), 4) for alignment in self._alignment],
            items=[self._items(latent, 0)[0] for latent in range(self.n)],
            unplaced=0,
        )

    def answer_in(self, page: Any) -> list[int]:
        """Answer a browser's page instead of its server.

        Args:
            page: Of Playwright.

        Returns:
            Where the windows begin that it asks for, filled as it does.
        """
        asked: list[int] = []
        whole = self.map().model_dump_json()

        def gallery(route: Any) -> None:
            given = parse_qs(urlsplit(route.request.url).query)
            asked.append(int(given.get("start", ["0"])[0]))
            window = self.page(asked[-1], int(given["limit"][0]))
            route.fulfill(body=window.model_dump_json(), content_type="application/json")

        page.route("**/api/v1/latents?*", gallery)
        page.route("**/api/v1/latents/map?*", lambda route: route.fulfill(body=whole, content_type="application/json"))
        return asked

    def _items(self, latent: int, place: int) -> list[str]:
        first = 7 * latent + 31 * place
        return [self._item_ids[(first + i) % len(self._item_ids)] for i in range(6)]
