"""Heatmaps: where each image stream finds what a caption or some latents say, picture by picture.

`heatmap_targets` says what is explained, `look_cache` keeps what captions share, `trust` measures what came out.
"""

import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from PIL import Image

from server.schemas import (
    CaptionReading,
    Contribution,
    Heatmap,
    HeatmapRequest,
    HeatmapTarget,
    PictureHeatmaps,
    PictureTrust,
    Window,
)
from server.services.heatmap_targets import Targets, Wanted
from server.services.items import Items
from server.services.latents import Latents
from server.services.look_cache import LookCache, Subject
from server.services.retrieval import Retriever
from server.services.text import ReadText, match_by_word
from server.services.towers import Towers, as_query
from server.services.trust import Trust
from server.uploads import UploadStore
from sparc_core.attribution import Heatmaps as Maps
from sparc_core.attribution import head_blocks, heatmaps
from sparc_core.backbones import ImageBackbone
from sparc_core.bundle import Bundle
from sparc_core.device_memory import in_parts
from sparc_core.errors import InputError
from sparc_core.retrieval import strongest

UPLOAD = "upload"  # the item id under which an upload's heatmaps are sent
# The first picture alone, so that something shows at once; then batches, which the towers like better.
_CHUNKS = (1, 3, 4)
_DIGITS = 7


class Plan(NamedTuple):
    """A request made ready: what was read, and the pictures to look at."""

    request: HeatmapRequest
    reading: CaptionReading
    wanted: Wanted
    item_ids: list[str]
    streams: list[str]


class Chunk(NamedTuple):
    """Some of a plan's pictures with their heatmaps, and the milliseconds that each step took."""

    pictures: list[PictureHeatmaps]
    maps: dict[str, Maps]
    milliseconds: dict[str, float]


class Heatmaps:
    """Makes heatmaps. Runs models: call its methods on the device worker."""

    def __init__(
        self,
        bundle: Bundle,
        towers: Towers,
        latents: Latents,
        items: Items,
        retriever: Retriever,
        uploads: UploadStore,
        cache: LookCache,
    ) -> None:
        """Args: what the answers are made of."""
        self._bundle, self._towers, self._latents = bundle, towers, latents
        self._items, self._retriever, self._uploads, self._cache = items, retriever, uploads, cache
        self._targets = Targets(towers)
        self._trust = Trust(towers, self._targets)

    def text_stream(self, request: HeatmapRequest) -> str | None:
        """The stream that reads a request's caption, None where it has none, once its image streams were checked.

        Raises:
            NotFoundError: No such stream.
            InputError: A stream has no patches to look at, or nobody can read the caption.
        """
        self._streams(request)
        return None if request.caption is None else self._targets.text_stream()

    def plan(self, request: HeatmapRequest, read: ReadText | None) -> Plan:
        """Choose the pictures for what was read.

        Args:
            request: What is asked.
            read: Its caption, as `text_stream` reads it; None where it has none.

        Raises:
            NotFoundError: No such item, upload, latent or stream.
            InputError: A stream has no patches to look at, or there is nothing to look for.
        """
        streams = self._streams(request)
        wanted = self._targets.wanted(request, read)
        for stream in streams:
            self._targets.target(wanted, stream)
        item_ids = self._item_ids(request, wanted, streams)
        self._check_windows(request, item_ids, streams)
        return Plan(request, self._reading(request, read, wanted, item_ids, streams), wanted, item_ids, streams)

    def chunks(self, plan: Plan) -> Iterator[list[str]]:
        """The plan's item ids in the pieces that `chunk` takes."""
        start = 0
        for i in range(len(plan.item_ids)):
            size = _CHUNKS[min(i, len(_CHUNKS) - 1)]
            if start >= len(plan.item_ids):
                return
            yield plan.item_ids[start : start + size]
            start += size

    def chunk(self, plan: Plan, item_ids: Sequence[str]) -> list[Chunk]:
        """Heatmaps of some pictures in all streams of the plan; in several pieces where memory does not hold one."""
        return in_parts(partial(self._chunk, plan), item_ids)

    def _chunk(self, plan: Plan, item_ids: Sequence[str]) -> Chunk:
        subjects = [self._subject(plan.request, item_id) for item_id in item_ids]
        sizes = [self._size(plan.request, item_id) for item_id in item_ids]
        maps, by_stream = {}, []
        milliseconds: dict[str, float] = {}
        for stream in plan.streams:
            begun = time.perf_counter()
            looks = self._cache.looks(stream, subjects, plan.request.method, plan.request.layers)
            looked = time.perf_counter()
            target = self._targets.target(plan.wanted, stream)
            sparc, backbone = self._towers.sparc, self._towers.image(stream)
            maps[stream] = heatmaps(plan.request.method, sparc, stream, backbone, looks, target)
            by_stream.append(self._answers(plan, stream, maps[stream], sizes, looks.n_head_blocks))
            milliseconds["look"] = milliseconds.get("look", 0.0) + 1000 * (looked - begun)
            milliseconds[stream] = 1000 * (time.perf_counter() - looked)
        pictures = [
            PictureHeatmaps(item_id=item_id, caption=self._caption(item_id), heatmaps=list(answers))
            for item_id, answers in zip(item_ids, zip(*by_stream, strict=True), strict=True)
        ]
        return Chunk(pictures, maps, milliseconds)

    def trust(self, plan: Plan, chunk: Chunk) -> tuple[list[PictureTrust], dict[str, float]]:
        """How far a chunk's heatmaps can be believed, and the milliseconds that it took."""
        begun = time.perf_counter()
        parts = in_parts(partial(self._trust_of, plan, chunk), range(len(chunk.pictures)))
        return [answer for part in parts for answer in part], {"trust": 1000 * (time.perf_counter() - begun)}

    def _trust_of(self, plan: Plan, chunk: Chunk, places: Sequence[int]) -> list[PictureTrust]:
        """Of a chunk's pictures at these places."""
        pictures = [chunk.pictures[place] for place in places]
        subjects = [self._subject(plan.request, picture.item_id) for picture in pictures]
        by_stream = []
        for stream in plan.streams:
            looks = self._cache.looks(stream, subjects, plan.request.method, plan.request.layers)
            values = chunk.maps[stream].values[list(places)]
            by_stream.append(self._trust.measure(plan.wanted, stream, looks, values))
        return [
            PictureTrust(item_id=picture.item_id, streams=list(streams))
            for picture, streams in zip(pictures, zip(*by_stream, strict=True), strict=True)
        ]

    def picture(self, plan: Plan, item_id: str) -> Image.Image:
        """A picture of the plan."""
        return self._subject(plan.request, item_id).load()

    def _streams(self, request: HeatmapRequest) -> list[str]:
        streams = list(dict.fromkeys(request.streams or self._towers.live_streams("image")))
        if not streams:
            raise InputError("this bundle has no image stream with a backbone to look with")
        for stream in streams:
            head_blocks(request.method, self._towers.image(stream), request.layers)
        return streams

    def _reading(
        self, request: HeatmapRequest, read: ReadText | None, wanted: Wanted, item_ids: list[str], streams: list[str]
    ) -> CaptionReading:
        words = [] if read is None else read.words
        return CaptionReading(
            words=words,
            words_cut=0 if read is None else len(read.reading.words) - len(words),
            code=self._latents.named(wanted.query),
            item_ids=item_ids,
            streams=streams,
            target=request.target,
            method=request.method,
        )

    def _answers(self, plan: Plan, stream: str, maps: Maps, sizes: list[tuple[int, int]], layers: int) -> list[Heatmap]:
        values, totals = maps.values.cpu(), maps.score.total.cpu().tolist()
        backbone = self._towers.image(stream)
        dead = all(not self._bundle.postings(stream).n_items_of(int(latent)) for latent in plan.wanted.query.latents)
        contributions, words = self._contributions(plan, maps), self._words(plan, stream, maps)
        return [
            Heatmap(
                stream=stream,
                rows=values.shape[1],
                columns=values.shape[2],
                window=_window(backbone, sizes[i]),
                values=np.round(values[i].double().numpy().ravel(), _DIGITS).tolist(),
                score=totals[i],
                layers=layers,
                contributions=contributions[i],
                words=words[i],
                note=self._note(plan, stream, dead, empty=float(values[i].max()) <= 0),
            )
            for i in range(len(sizes))
        ]

    def _words(self, plan: Plan, stream: str, maps: Maps) -> list[list[float] | None]:
        matched = plan.wanted.reading is not None and plan.wanted.target is HeatmapTarget.match
        if not matched or plan.request.latents is not None:
            return [None] * len(maps.values)
        logits = self._towers.sparc.logits(stream, maps.features)
        return [*match_by_word(plan.wanted.left_out, maps.score.total, logits).tolist()]

    def _note(self, plan: Plan, stream: str, dead: bool, empty: bool) -> str | None:
        if dead:
            return f'dead in "{stream}": no item of the corpus activates what is looked for here'
        what = "the caption" if plan.wanted.reading is not None else "these latents"
        return f'"{stream}" finds nothing of {what} in this picture' if empty else None

    def _contributions(self, plan: Plan, maps: Maps) -> list[list[Contribution]]:
        score = maps.score
        asked = dict(zip(plan.wanted.query.latents.tolist(), plan.wanted.query.activations.tolist(), strict=True))
        latents, parts, active = (part.cpu().numpy() for part in (score.latents, score.parts, score.activations))
        return [
            [
                Contribution(
                    latent=int(latents[i, slot]),
                    name=self._latents.name(int(latents[i, slot])),
                    share=min(float(parts[i, slot] / parts[i].sum()), 1.0),
                    query_activation=asked.get(int(latents[i, slot]), 0.0),
                    target_activation=float(active[i, slot]),
                )
                for slot in np.argsort(-parts[i], kind="stable")
                if parts[i, slot] > 0
            ]
            for i in range(len(parts))
        ]

    def _item_ids(self, request: HeatmapRequest, wanted: Wanted, streams: list[str]) -> list[str]:
        if request.upload_id is not None:
            self._uploads.get(request.upload_id)
            return [UPLOAD]
        if request.item_ids is not None:
            for item_id in request.item_ids:
                self._bundle.items.row_of(item_id)
            return list(dict.fromkeys(request.item_ids))
        # One latent of a caption is looked for in the caption's pictures.
        query = wanted.query if wanted.reading is None else as_query(wanted.reading.code)
        scores = np.mean([self._retriever.scores(query, stream) for stream in streams], axis=0)
        return [item.item_id for item in self._bundle.items.take(strongest(scores, request.n_items).rows)]

    def _subject(self, request: HeatmapRequest, item_id: str) -> Subject:
        if item_id == UPLOAD:
            upload_id = request.upload_id
            assert upload_id is not None, "an upload's heatmaps come from a request that names it"
            return Subject(f"upload {upload_id}", partial(self._uploads.get, upload_id))
        return Subject(f"item {item_id}", partial(self._items.picture, item_id))

    def _check_windows(self, request: HeatmapRequest, item_ids: list[str], streams: list[str]) -> None:
        for item_id in item_ids:
            for stream in streams:
                _check_window(stream, self._towers.image(stream), self._size(request, item_id))

    def _size(self, request: HeatmapRequest, item_id: str) -> tuple[int, int]:
        if item_id == UPLOAD:
            return self._subject(request, item_id).load().size
        item = self._bundle.items[self._bundle.items.row_of(item_id)]
        return item.width, item.height

    def _caption(self, item_id: str) -> str | None:
        if item_id == UPLOAD:
            return None
        return self._bundle.items[self._bundle.items.row_of(item_id)].caption


def _window(backbone: ImageBackbone, size: tuple[int, int]) -> Window:
    left, top, right, bottom = backbone.geometry.window(*size)
    width, height = size
    return Window(left=left / width, top=top / height, right=right / width, bottom=bottom / height)


def _check_window(stream: str, backbone: ImageBackbone, size: tuple[int, int]) -> None:
    """InputError where a tower's crop leaves too little of a picture to point at."""
    left, top, right, bottom = backbone.geometry.window(*size)
    seen = min(right, size[0]) - max(left, 0), min(bottom, size[1]) - max(top, 0)
    if min(seen) < 2:
        raise InputError(
            f'of a picture of {size[0]} x {size[1]} pixels, "{stream}" sees {max(seen[0], 0):.0f} x '
            f"{max(seen[1], 0):.0f}: no patch is left to point at; send one that is larger or less elongated"
        )


def total_milliseconds(steps: list[dict[str, float]]) -> dict[str, float]:
    """The sum of each step's milliseconds."""
    names = dict.fromkeys(name for step in steps for name in step)
    return {name: sum(step.get(name, 0.0) for step in steps) for name in names}


def shared_scale(answers: list[PictureHeatmaps]) -> dict[str, float]:
    """The largest value of each stream over all pictures."""
    scale: dict[str, float] = {}
    for answer in answers:
        for heatmap in answer.heatmaps:
            scale[heatmap.stream] = max(scale.get(heatmap.stream, 0.0), *heatmap.values)
    return scale
