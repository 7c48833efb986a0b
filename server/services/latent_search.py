"""Finding latents without names: by what a text or picture activates, what lies close to it, and by examples."""

import asyncio
import time

import numpy as np
from jaxtyping import Float32

from server.request_context import step
from server.schemas import Found, FoundLatent, LatentSearch, LatentSearchRequest, Word
from server.services.items import Items
from server.services.latents import Latents
from server.services.query_terms import QueryTerms
from server.services.readings import Readings
from server.services.towers import Towers
from server.worker import Worker
from sparc_core.bundle import Bundle
from sparc_core.errors import InputError
from sparc_core.retrieval import QueryCode, activations_of


class LatentSearcher:
    """Ranks the latents of one bundle for a query. Models run on the device worker, the rest on the search worker."""

    def __init__(
        self,
        bundle: Bundle,
        towers: Towers,
        latents: Latents,
        items: Items,
        terms: QueryTerms,
        readings: Readings,
        search: Worker,
    ) -> None:
        """Args: what the answers are made of."""
        self._bundle, self._towers, self._latents, self._items = bundle, towers, latents, items
        self._terms, self._readings, self._search = terms, readings, search

    async def search(self, request: LatentSearchRequest) -> LatentSearch:
        """Answer a search.

        Raises:
            NotFoundError: No such item, upload or stream.
            InputError: The stream cannot read the query, or sees nothing of the region.
            BusyError: There is too much to do.
        """
        begun = time.perf_counter()
        stream = self._stream(request)
        if request.item_ids is not None:
            ids = request.item_ids
            ranked, words = await self._search.run(lambda: self._by_examples(stream, ids, request.limit)), None
            encoded = begun
        else:
            with step("encode"):
                code, features, words = await self._encode(request, stream)
            encoded = time.perf_counter()
            ranked = await self._search.run(lambda: self._by_code(stream, code, features, request.limit))
        done = time.perf_counter()
        return LatentSearch(
            stream=stream,
            words=words,
            latents=ranked,
            milliseconds={"encode": 1000 * (encoded - begun), "search": 1000 * (done - encoded)},
        )

    def _stream(self, request: LatentSearchRequest) -> str:
        if request.stream is not None:
            return self._towers.known(request.stream)
        modality = "text" if request.text is not None else "image"
        stored = request.item_ids is not None or (request.item_id is not None and request.region is None)
        streams = self._towers.streams(modality) if stored else self._towers.live_streams(modality)
        if not streams:
            raise InputError(f"this bundle has no {modality} stream with a backbone to read the query with")
        return streams[-1]

    async def _encode(
        self, request: LatentSearchRequest, stream: str
    ) -> tuple[QueryCode, Float32[np.ndarray, " d"], list[Word] | None]:
        if request.text is not None:
            read = await self._terms.encode_text(stream, request.text)
            return read.code, read.features, read.words
        if request.upload_id is not None:
            look = await self._readings.upload(stream, request.upload_id, request.region)
            return look.code, look.features, None
        assert request.item_id is not None, "the schema demands one of the four"
        if request.region is None:
            stored = self._terms.encode_item(stream, request.item_id)
            return stored.code, stored.features, None
        self._towers.image(stream)
        picture = await asyncio.to_thread(self._items.picture, request.item_id)
        look = await self._readings.picture(stream, f"item {request.item_id}", picture, request.region)
        return look.code, look.features, None

    def _by_code(
        self, stream: str, code: QueryCode, features: Float32[np.ndarray, " d"], limit: int
    ) -> list[FoundLatent]:
        """The latents of the code, strongest first; then those that it misses, by the cosine of their directions."""
        found = [(int(latent), Found.code, float(a)) for latent, a in zip(*code, strict=True)][:limit]
        if len(found) < limit:
            centred = features - self._towers.decoder(stream).pre_bias
            cosines = self._latents.dictionary(stream) @ (centred / max(float(np.linalg.norm(centred)), 1e-12))
            cosines[code.latents] = 0
            near = np.argsort(-cosines, kind="stable")[: limit - len(found)]
            found += [(int(latent), Found.direction, float(cosines[latent])) for latent in near if cosines[latent] > 0]
        return [self._found(*one) for one in found]

    def _by_examples(self, stream: str, item_ids: list[str], limit: int) -> list[FoundLatent]:
        """Latents that examples activate more often than items do; equal ones by their mean activation."""
        rows = np.array([self._bundle.items.row_of(item_id) for item_id in dict.fromkeys(item_ids)])
        n_latents = self._bundle.manifest.sparc.n_latents
        codes = self._bundle.codes(stream, "local")
        active = activations_of(np.arange(n_latents), codes, rows, n_latents)
        of_examples, of_items = (active > 0).mean(0), self._bundle.latents.density_local[stream]
        scores = of_examples - of_items
        order = np.lexsort((-active.mean(0), -scores))
        order = order[active[:, order].any(0) & (scores[order] > 0)][:limit]
        return [
            FoundLatent(
                latent=self._latents.summary(latent),
                found=Found.examples,
                score=float(scores[latent]),
                of_examples=float(of_examples[latent]),
                of_items=float(of_items[latent]),
            )
            for latent in order.tolist()
        ]

    def _found(self, latent: int, found: Found, score: float) -> FoundLatent:
        return FoundLatent(latent=self._latents.summary(latent), found=found, score=score)
