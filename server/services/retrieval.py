"""Explained retrieval: items whose code is closest to a query's, and the latents that say why."""

import time
from functools import cache

import numpy as np

from server.schemas import Contribution, Hit, Retrieval, RetrieveRequest, Word
from server.services.latents import Latents
from server.services.text import leave_words_out, shade_words
from server.services.towers import Towers, as_query
from server.uploads import UploadStore
from sparc_core.bundle import Bundle
from sparc_core.errors import InputError
from sparc_core.retrieval import QueryCode, code_norms, cosine_scores, query_code, shared_latents, strongest


class Retriever:
    """Finds items of one bundle by text, item or upload. Runs models: call on the device worker."""

    def __init__(self, bundle: Bundle, towers: Towers, latents: Latents, uploads: UploadStore) -> None:
        """Args: what the answers are made of."""
        self._bundle, self._towers, self._latents, self._uploads = bundle, towers, latents, uploads
        self._norms = cache(self._read_norms)

    def retrieve(self, request: RetrieveRequest) -> Retrieval:
        """Answer a retrieval.

        Raises:
            NotFoundError: No such item, upload or stream.
            InputError: The source stream cannot read such a query, or its code is empty.
        """
        begun = time.perf_counter()
        source = request.source or self._default_source(request)
        target = request.target or self._default_target(source)
        query, words, own_row = self._query(request, source)
        encoded = time.perf_counter()
        if not len(query.latents):
            raise InputError(f"the query activates no latent of stream {source}: try another text or picture")
        ranking = strongest(self.scores(query, target), request.limit, without=own_row)
        hits = [self._hit(query, target, int(row), float(score)) for row, score in zip(*ranking, strict=True)]
        done = time.perf_counter()
        return Retrieval(
            source=source,
            target=target,
            query_code=self._latents.named(query),
            words=words,
            hits=hits,
            milliseconds={"encode": 1000 * (encoded - begun), "search": 1000 * (done - encoded)},
        )

    def scores(self, query: QueryCode, target: str) -> np.ndarray:
        """The cosine of a query with every item in a stream, by row."""
        return cosine_scores(query, self._bundle.local_postings(target), self._norms(target))

    def _query(self, request: RetrieveRequest, source: str) -> tuple[QueryCode, list[Word] | None, int | None]:
        """The query's code, its shaded words if it is a text, and its own row if it is an item."""
        if request.text is not None:
            reading = self._towers.read(source, request.text)
            return (
                as_query(reading.code),
                shade_words(self._towers, reading, leave_words_out(self._towers, source, reading)),
                None,
            )
        if request.upload_id is not None:
            return self._towers.look(source, self._uploads.get(request.upload_id)), None, None
        assert request.item_id is not None, "the schema demands one of the three"
        row = self._bundle.items.row_of(request.item_id)
        stored = self._bundle.codes(source, "local")
        return query_code(stored.latents[row], stored.activations[row]), None, row

    def _hit(self, query: QueryCode, target: str, row: int, score: float) -> Hit:
        item, stored = self._bundle.items[row], self._bundle.codes(target, "local")
        shared = shared_latents(query, query_code(stored.latents[row], stored.activations[row]))
        return Hit(
            item_id=item.item_id,
            score=score,
            caption=item.caption,
            labels=list(item.labels),
            shared=[
                Contribution(
                    latent=s.latent,
                    name=self._latents.name(s.latent),
                    share=s.share,
                    query_activation=s.query_activation,
                    target_activation=s.item_activation,
                )
                for s in shared
            ],
        )

    def _default_source(self, request: RetrieveRequest) -> str:
        """The last stream of the query's modality: for pictures CLIP rather than DINO, where both are there."""
        modality = "text" if request.text is not None else "image"
        streams = self._towers.streams(modality) if request.item_id else self._towers.live_streams(modality)
        if not streams:
            raise InputError(f"this bundle has no {modality} stream with a backbone to read the query with")
        return streams[-1]

    def _default_target(self, source: str) -> str:
        """The last image stream other than the source, or any other stream."""
        others = [s for s in self._towers.streams("image") if s != source]
        return (others or [s for s in self._towers.modalities if s != source] or [source])[-1]

    def _read_norms(self, stream: str) -> np.ndarray:
        return code_norms(self._bundle.codes(stream, "local"))
