"""Codes of a text, an item or an upload in every stream that can read it."""

import asyncio

from server.schemas import EncodeRequest, Encoding, QueryTerm
from server.services.latents import Latents
from server.services.query_terms import QueryTerms
from server.services.towers import Towers
from sparc_core.errors import InputError


class Encoder:
    """Encodes for one bundle."""

    def __init__(self, towers: Towers, latents: Latents, terms: QueryTerms) -> None:
        """Args: what the answers are made of."""
        self._towers, self._latents, self._terms = towers, latents, terms

    async def encode(self, request: EncodeRequest) -> Encoding:
        """Codes under per-stream selection.

        Raises:
            NotFoundError: No such item, upload or stream.
            InputError: A stream cannot read such a thing, or none can.
            BusyError: The models have too much to do.
        """
        streams = self._streams(request)
        term = QueryTerm(text=request.text, item_id=request.item_id, upload_id=request.upload_id)
        encoded = await asyncio.gather(*(self._terms.encode(term, stream) for stream in streams))
        codes = {stream: self._latents.named(one.code) for stream, one in zip(streams, encoded, strict=True)}
        return Encoding(codes=codes, words=encoded[-1].words)

    def _streams(self, request: EncodeRequest) -> list[str]:
        if request.streams is not None:
            return [self._towers.known(stream) for stream in dict.fromkeys(request.streams)]
        if request.item_id is not None:
            return list(self._towers.modalities)
        modality = "text" if request.text is not None else "image"
        streams = self._towers.live_streams(modality)
        if not streams:
            raise InputError(f"this bundle has no {modality} stream with a backbone to encode it with")
        return streams
