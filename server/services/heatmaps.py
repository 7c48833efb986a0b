"""Caption heatmaps: where each image stream finds what a caption says, picture by picture."""

import time
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from PIL import Image

from server.schemas import CaptionReading, Contribution, Heatmap, HeatmapRequest, PictureHeatmaps, Window
from server.services.items import Items
from server.services.latents import Latents
from server.services.retrieval import Retriever
from server.services.text import shade_words
from server.services.towers import Towers, as_query
from server.uploads import UploadStore
from sparc_core.attribution import caption_heatmaps
from sparc_core.backbones import ImageBackbone
from sparc_core.bundle import Bundle
from sparc_core.errors import InputError
from sparc_core.retrieval import QueryCode, strongest
from sparc_core.sparse import SparseCode

UPLOAD = "upload"  # the item id under which an upload's heatmaps are sent
# The first picture alone, so that something shows at once; then batches, which the towers like better.
_CHUNKS = (1, 3, 4)


class PlannedPicture(NamedTuple):
    """A picture to look at: its item id, and the picture itself where it is an upload."""

    item_id: str
    picture: Image.Image | None = None


class Plan(NamedTuple):
    """A request made ready: what was read, and the pictures to look at."""

    reading: CaptionReading
    code: SparseCode
    pictures: list[PlannedPicture]
    streams: list[str]


class Heatmaps:
    """Makes caption heatmaps. Runs models: call `plan` and each `chunk` on the device worker."""

    def __init__(
        self, bundle: Bundle, towers: Towers, latents: Latents, items: Items, retriever: Retriever, uploads: UploadStore
    ) -> None:
        """Args: what the answers are made of."""
        self._bundle, self._towers, self._latents = bundle, towers, latents
        self._items, self._retriever, self._uploads = items, retriever, uploads

    def plan(self, request: HeatmapRequest) -> Plan:
        """Read the caption and choose the pictures.

        Raises:
            NotFoundError: No such item, upload or stream.
            InputError: A stream is no image stream, there is no text stream, or the caption activates no latent.
        """
        streams = request.streams or self._towers.live_streams("image")
        if not streams:
            raise InputError("this bundle has no image stream with a backbone to look with")
        for stream in streams:
            self._towers.image(stream)
        text_streams = self._towers.live_streams("text")
        if not text_streams:
            raise InputError("this bundle has no text stream with a backbone to read the caption with")
        reading = self._towers.read(text_streams[-1], request.caption)
        query = as_query(reading.code)
        if not len(query.latents):
            raise InputError("the caption activates no latent: say it in other words")
        pictures = self._pictures(request, query, streams)
        words = shade_words(self._towers, text_streams[-1], reading)
        answer = CaptionReading(
            words=words,
            words_cut=len(reading.words) - len(words),
            code=self._latents.named(query),
            item_ids=[item_id for item_id, _ in pictures],
            streams=streams,
        )
        return Plan(answer, reading.code, pictures, streams)

    def chunks(self, plan: Plan) -> Iterator[list[PlannedPicture]]:
        """The plan's pictures in the pieces that `chunk` takes."""
        start = 0
        for i in range(len(plan.pictures)):
            size = _CHUNKS[min(i, len(_CHUNKS) - 1)]
            if start >= len(plan.pictures):
                return
            yield plan.pictures[start : start + size]
            start += size

    def chunk(self, plan: Plan, pictures: list[PlannedPicture]) -> tuple[list[PictureHeatmaps], dict[str, float]]:
        """Heatmaps of some pictures in all streams of the plan, and the milliseconds per step."""
        begun = time.perf_counter()
        loaded = [picture or self._items.picture(item_id) for item_id, picture in pictures]
        milliseconds = {"load": 1000 * (time.perf_counter() - begun)}
        by_stream = []
        for stream in plan.streams:
            begun = time.perf_counter()
            by_stream.append(self._stream_heatmaps(stream, plan.code, loaded))
            milliseconds[stream] = 1000 * (time.perf_counter() - begun)
        answers = [
            PictureHeatmaps(item_id=item_id, caption=self._caption(item_id), heatmaps=list(heatmaps))
            for (item_id, _), heatmaps in zip(pictures, zip(*by_stream, strict=True), strict=True)
        ]
        return answers, milliseconds

    def _stream_heatmaps(self, stream: str, code: SparseCode, pictures: list[Image.Image]) -> list[Heatmap]:
        backbone = self._towers.image(stream)
        x = self._towers.batch(stream, pictures)
        values, score = caption_heatmaps(self._towers.sparc, stream, backbone, code, x)
        patches = values.flatten(1).cpu().numpy().astype(np.float64)
        totals, parts, active = (part.cpu().numpy() for part in score)
        return [
            Heatmap(
                stream=stream,
                rows=values.shape[1],
                columns=values.shape[2],
                window=_window(backbone, pictures[i]),
                values=np.round(patches[i], 6).tolist(),
                score=float(totals[i]),
                contributions=self._contributions(code, parts[i], active[i]),
            )
            for i in range(len(pictures))
        ]

    def _contributions(self, code: SparseCode, parts: np.ndarray, active: np.ndarray) -> list[Contribution]:
        total = float(parts.sum())
        if total <= 0:
            return []
        latents = code.latents[0].cpu().numpy()
        activations = code.activations[0].detach().cpu().numpy()
        return [
            Contribution(
                latent=int(latents[slot]),
                name=self._latents.name(int(latents[slot])),
                share=min(float(parts[slot]) / total, 1.0),
                query_activation=float(activations[slot]),
                target_activation=float(active[slot]),
            )
            for slot in np.argsort(-parts, kind="stable")
            if parts[slot] > 0
        ]

    def _pictures(self, request: HeatmapRequest, query: QueryCode, streams: list[str]) -> list[PlannedPicture]:
        if request.upload_id is not None:
            return [PlannedPicture(UPLOAD, self._uploads.get(request.upload_id))]
        if request.item_ids is not None:
            for item_id in request.item_ids:
                self._bundle.items.row_of(item_id)
            return [PlannedPicture(item_id) for item_id in request.item_ids]
        scores = np.mean([self._retriever.scores(query, stream) for stream in streams], axis=0)
        rows = strongest(scores, request.n_items).rows
        return [PlannedPicture(item.item_id) for item in self._bundle.items.take(rows)]

    def _caption(self, item_id: str) -> str | None:
        if item_id == UPLOAD:
            return None
        return self._bundle.items[self._bundle.items.row_of(item_id)].caption


def _window(backbone: ImageBackbone, picture: Image.Image) -> Window:
    left, top, right, bottom = backbone.geometry.window(picture.width, picture.height)
    width, height = picture.size
    return Window(left=left / width, top=top / height, right=right / width, bottom=bottom / height)


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
