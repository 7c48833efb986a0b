"""The terms of a retrieval's query: which stream reads each, and what it makes of it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32

from server.schemas import QueryTerm, RetrieveRequest, Way, Word
from server.services.indexes import Indexes
from server.services.latents import Latents
from server.services.readings import Readings
from server.services.towers import Towers
from sparc_core.bundle import Bundle
from sparc_core.errors import InputError
from sparc_core.retrieval import QueryCode, query_code


class EncodedTerm(NamedTuple):
    """A term as its stream reads it; a latent has no stream and no features, only an item has a row."""

    stream: str | None
    code: QueryCode
    features: Float32[np.ndarray, " d"]  # of unit norm; empty for a latent
    words: list[Word] | None
    row: int | None


class QueryTerms:
    """Chooses streams for terms, and encodes terms."""

    def __init__(self, bundle: Bundle, towers: Towers, latents: Latents, indexes: Indexes, readings: Readings) -> None:
        """Args: what terms are made of."""
        self._bundle, self._towers, self._latents = bundle, towers, latents
        self._indexes, self._readings = indexes, readings

    def streams(self, request: RetrieveRequest) -> list[str | None]:
        """The stream that reads each term: the one asked for, or the last that can."""
        return [self._stream(term, request) for term in request.query]

    def target(self, request: RetrieveRequest, streams: Sequence[str | None]) -> str:
        """The stream that is searched: the one asked for; else another image stream, if it can be compared.

        Raises:
            InputError: No stream can be compared with the terms without SPARC.
        """
        if request.target is not None:
            return self._towers.known(request.target)
        sources = [stream for stream in streams if stream is not None]
        images, others = self._towers.streams("image"), list(self._towers.modalities)
        if request.way is Way.backbone:
            images = [s for s in images if all(self._towers.in_one_space(s, source) for source in sources)]
            others = [s for s in others if all(self._towers.in_one_space(s, source) for source in sources)]
        for candidates in ([s for s in images if s not in sources], images, others):
            if candidates:
                return candidates[-1]
        raise InputError("no stream can be compared with all terms of the query without SPARC: choose another way")

    def check(self, request: RetrieveRequest, streams: Sequence[str | None], target: str) -> None:
        """InputError where a term cannot be used the way that was asked for; NotFoundError for an unknown latent."""
        for term, stream in zip(request.query, streams, strict=True):
            if term.latent is not None:
                self._latents.check(term.latent)
            if request.way is not Way.backbone:
                continue
            if stream is None:
                raise InputError("a latent is none of a backbone's features: leave it out or choose another way")
            if not self._towers.in_one_space(stream, target):
                raise InputError(
                    f'features of "{stream}" and "{target}" cannot be compared without SPARC: '
                    "choose another target or another way"
                )

    async def encode(self, term: QueryTerm, stream: str | None) -> EncodedTerm:
        """A term in its stream.

        Raises:
            NotFoundError: No such item, upload or stream.
            InputError: The stream cannot read it.
        """
        if term.latent is not None:
            code = QueryCode(np.array([term.latent], np.int64), np.ones(1, np.float32))
            return EncodedTerm(None, code, np.empty(0, np.float32), None, None)
        assert stream is not None, "only latents have no stream"
        if term.text is not None:
            return await self.encode_text(stream, term.text)
        if term.upload_id is not None:
            look = await self._readings.upload(stream, term.upload_id)
            return EncodedTerm(stream, look.code, look.features, None, None)
        assert term.item_id is not None, "the schema demands one of the four"
        return self.encode_item(stream, term.item_id)

    async def encode_text(self, stream: str, text: str) -> EncodedTerm:
        """A text in a text stream; errors as `Readings.text`."""
        read = await self._readings.text(stream, text)
        return EncodedTerm(stream, read.query, read.features, read.words, None)

    def encode_item(self, stream: str, item_id: str) -> EncodedTerm:
        """An item as the bundle holds it; NotFoundError where there is none."""
        row = self._bundle.items.row_of(item_id)
        stored = self._bundle.codes(stream, "local")
        code = query_code(stored.latents[row], stored.activations[row])
        return EncodedTerm(stream, code, self._indexes.features(stream).vectors(np.array([row]))[0], None, row)

    def _stream(self, term: QueryTerm, request: RetrieveRequest) -> str | None:
        if term.latent is not None:
            return None
        if term.stream is not None:
            return self._towers.known(term.stream)
        modality = "text" if term.text is not None else "image"
        known = self._towers.streams(modality) if term.item_id else self._towers.live_streams(modality)
        if not known:
            raise InputError(f"this bundle has no {modality} stream with a backbone to read the query with")
        if request.way is Way.backbone and request.target is not None:
            target = self._towers.known(request.target)
            known = [stream for stream in known if self._towers.in_one_space(stream, target)] or known
            return target if target in known else known[-1]
        return known[-1]
