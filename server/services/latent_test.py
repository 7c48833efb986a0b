"""A text or picture, tried on one latent: its activation, and what it takes to have one."""

import asyncio
import time
from functools import partial
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32

from server.request_context import step
from server.schemas import LatentTest, LatentTestRequest, TriedStream, Word
from server.services.items import Items
from server.services.latents import Latents
from server.services.readings import Readings
from server.services.text import ReadText
from server.services.towers import Towers
from server.worker import Worker
from sparc_core.bundle import Bundle
from sparc_core.errors import InputError


class _Read(NamedTuple):
    """What is tried, as a stream reads it; with the features of a text without each of its words."""

    features: Float32[np.ndarray, " d"]
    features_left_out: Float32[np.ndarray, "words d"]
    words: list[Word] | None


class LatentTester:
    """Tries things on the latents of one bundle. Models run on the device worker."""

    def __init__(
        self, bundle: Bundle, towers: Towers, latents: Latents, items: Items, readings: Readings, device: Worker
    ) -> None:
        """Args: what the answers are made of, and the worker on which models run."""
        self._bundle, self._towers, self._latents, self._items = bundle, towers, latents, items
        self._readings, self._device = readings, device

    async def test(self, latent: int, request: LatentTestRequest) -> LatentTest:
        """Try something on a latent.

        A stored item is read anew, as what is new: logits are not stored, and features not in every bundle.

        Raises:
            NotFoundError: No such latent, item, upload or stream.
            InputError: A stream cannot read such a thing, none can, or it sees nothing of the region.
            BusyError: The models have too much to do.
        """
        begun = time.perf_counter()
        self._latents.check(latent)
        with step("encode"):
            tried = await asyncio.gather(*(self._tried(latent, request, stream) for stream in self._streams(request)))
        return LatentTest(latent=latent, streams=list(tried), milliseconds=1000 * (time.perf_counter() - begun))

    def _streams(self, request: LatentTestRequest) -> list[str]:
        if request.streams is not None:
            return [self._towers.known(stream) for stream in dict.fromkeys(request.streams)]
        if request.text is not None:
            kind, streams = "text ", self._towers.live_streams("text")
        elif request.item_id is not None and request.region is None:
            kind, streams = "", [stream for stream in self._towers.modalities if stream in self._towers.backbones]
        else:
            kind, streams = "image ", self._towers.live_streams("image")
        if not streams:
            raise InputError(f"this bundle has no {kind}stream with a backbone to read it with")
        return streams

    async def _tried(self, latent: int, request: LatentTestRequest, stream: str) -> TriedStream:
        read = await self._read(request, stream)
        stacked = np.concatenate([read.features[None], read.features_left_out])
        logits = await self._device.run(partial(self._towers.logits, stream, stacked))
        own, without = logits[0], logits[1:, latent]
        rank, k = rank_of(latent, own), self._bundle.manifest.sparc.k
        activation = max(float(own[latent]), 0.0) if rank <= k else 0.0
        corpus = self._bundle.local_postings(stream).of(latent).activations
        return TriedStream(
            stream=stream,
            activation=activation,
            logit=float(own[latent]),
            threshold=float(np.partition(own, -k)[-k]),
            rank=rank,
            share_below=_share_below(activation, corpus, len(self._bundle.items)),
            max_activation=float(corpus[0]) if len(corpus) else 0.0,
            words=None if read.words is None else _shaded(read.words, float(own[latent]) - without),
        )

    async def _read(self, request: LatentTestRequest, stream: str) -> _Read:
        if request.text is not None:
            return _of_text(await self._readings.text(stream, request.text))
        if request.upload_id is not None:
            look = await self._readings.upload(stream, request.upload_id, request.region)
            return _of_picture(look.features)
        assert request.item_id is not None, "the schema demands one of the three"
        if request.region is None and self._towers.modalities[stream] == "text":
            caption = self._items.item(request.item_id).caption
            return _of_text(await self._readings.text(stream, caption))
        self._towers.image(stream)
        picture = await asyncio.to_thread(self._items.picture, request.item_id)
        look = await self._readings.picture(stream, f"item {request.item_id}", picture, request.region)
        return _of_picture(look.features)


def rank_of(latent: int, logits: Float32[np.ndarray, " l"]) -> int:
    """The place of a latent's logit among all, from 1; of equal ones the lower latent comes first, as in selection."""
    return 1 + int((logits > logits[latent]).sum() + (logits[:latent] == logits[latent]).sum())


def _of_text(read: ReadText) -> _Read:
    return _Read(read.features, read.features_left_out, read.words)


def _of_picture(features: Float32[np.ndarray, " d"]) -> _Read:
    return _Read(features, np.empty((0, len(features)), np.float32), None)


def _shaded(words: list[Word], falls: Float32[np.ndarray, " words"]) -> list[Word]:
    """Words with their relevance for the latent: how far its logit falls without each."""
    falls = np.maximum(falls, 0)
    shares = falls / max(float(falls.max(initial=0)), float(np.finfo(np.float32).tiny))
    return [
        Word(text=word.text, known=word.known, relevance=share)
        for word, share in zip(words, shares.tolist(), strict=True)
    ]


def _share_below(activation: float, corpus: Float32[np.ndarray, " m"], n_items: int) -> float:
    """The share of items on which the latent is less active; the corpus's activations descend, and 0 is left out.

    Those are stored in half precision, so that is what is compared: an item is not stronger than itself.
    """
    if activation <= 0 or not n_items:
        return 0.0
    as_strong = int(np.searchsorted(-corpus, -np.float32(np.float16(activation)), side="right"))
    return 1 - as_strong / n_items
