"""The explorer: one open bundle with everything that answers questions about it. Routes talk to this object only."""

from functools import partial

import torch

from server.schemas import (
    Alive,
    HeatmapRequest,
    Info,
    Item,
    Latent,
    LatentItems,
    LatentPage,
    LatentSort,
    PictureTrust,
    Retrieval,
    RetrieveRequest,
    StreamInfo,
    Upload,
)
from server.services.heatmaps import Chunk, Heatmaps, Plan
from server.services.items import Items
from server.services.latents import Latents
from server.services.look_cache import LookCache
from server.services.retrieval import Retriever
from server.services.towers import Towers, choose_device
from server.settings import Settings
from server.uploads import UploadStore
from server.worker import DeviceWorker
from sparc_core import __version__
from sparc_core.bundle import Bundle

_TITLES = {"dino": "DINO", "clip_img": "CLIP image", "clip_txt": "CLIP text"}


class Explorer:
    """One bundle, its warm models and the services over both. Models run on the worker's thread alone."""

    def __init__(self, settings: Settings) -> None:
        """Open the bundle and load the models.

        Raises:
            BundleError: The bundle is missing, damaged or of another schema.
            InputError: A backbone or the device is not to be had.
        """
        self.bundle = Bundle.open(settings.bundle)
        if settings.threads:
            torch.set_num_threads(settings.threads)
        self.device = choose_device(settings.device)
        self.uploads = UploadStore(settings.max_upload_pixels, settings.upload_cache_bytes)
        self._towers = towers = Towers(self.bundle, self.device)
        self.latents = Latents(self.bundle, [towers.dictionary(s.name) for s in self.bundle.manifest.streams])
        self.items = Items(self.bundle, self.latents)
        self._retriever = Retriever(self.bundle, towers, self.latents, self.uploads)
        self.looks = LookCache(towers, settings.look_cache_bytes)
        self.heatmaps = Heatmaps(
            self.bundle, towers, self.latents, self.items, self._retriever, self.uploads, self.looks
        )
        self.worker = DeviceWorker(settings.queue, settings.deadline_s)

    async def warm_up(self) -> None:
        """Answer one caption, so that the first visitor does not pay for lazy initialisation."""
        if not (self._towers.live_streams("text") and self._towers.live_streams("image")):
            return
        plan = await self.plan_heatmaps(HeatmapRequest(caption="a", n_items=1))
        for item_ids in self.heatmaps.chunks(plan):
            await self.heatmap_chunk(plan, item_ids)

    def close(self) -> None:
        """Finish the running job and stop."""
        self.worker.close()

    def info(self) -> Info:
        """What is being served."""
        manifest = self.bundle.manifest
        return Info(
            bundle_id=manifest.bundle_id,
            created_at=manifest.created_at,
            corpus=manifest.corpus.name,
            licence=manifest.corpus.licence,
            n_items=manifest.corpus.n_items,
            n_latents=manifest.sparc.n_latents,
            k=manifest.sparc.k,
            selection=manifest.sparc.selection,
            streams=[
                StreamInfo(
                    name=s.name, title=_TITLES.get(s.name, s.name), modality=s.modality, d=s.d, backbone=s.backbone
                )
                for s in manifest.streams
            ],
            similarity_streams=self._similarity_streams(),
            metrics=manifest.metrics,
            device=str(self.device),
            version=__version__,
        )

    def _similarity_streams(self) -> list[str]:
        texts = self._towers.live_streams("text")
        return self._towers.similar_streams(texts[-1]) if texts else []

    def list_latents(
        self, query: str, sort: LatentSort, alive: Alive | None, limit: int, cursor: str | None
    ) -> LatentPage:
        """A page of the gallery."""
        return self.latents.page(query, sort, alive, limit, cursor)

    def latent(self, id: int) -> Latent:
        """One latent in full."""
        return self.latents.latent(id)

    def latent_items(self, id: int, stream: str, limit: int) -> LatentItems:
        """The strongest items of a latent in one stream."""
        return self.latents.items(id, stream, limit)

    def item(self, item_id: str) -> Item:
        """One item with its codes."""
        return self.items.item(item_id)

    def example_texts(self) -> list[str]:
        """Texts worth trying on this corpus."""
        return self.items.example_texts()

    def thumbnail(self, item_id: str, size: int) -> bytes:
        """An item's picture as WebP."""
        return self.items.thumbnail(item_id, size)

    def add_upload(self, content: bytes) -> Upload:
        """Check, decode and keep an uploaded picture."""
        return self.uploads.add(content)

    async def retrieve(self, request: RetrieveRequest) -> Retrieval:
        """Answer a retrieval."""
        return await self.worker.run(partial(self._retriever.retrieve, request))

    async def plan_heatmaps(self, request: HeatmapRequest) -> Plan:
        """Read a caption and choose its pictures."""
        return await self.worker.run(partial(self.heatmaps.plan, request))

    async def heatmap_chunk(self, plan: Plan, item_ids: list[str]) -> Chunk:
        """Heatmaps of some of a plan's pictures."""
        return await self.worker.run(partial(self.heatmaps.chunk, plan, item_ids))

    async def heatmap_trust(self, plan: Plan, chunk: Chunk) -> tuple[list[PictureTrust], dict[str, float]]:
        """How far a chunk's heatmaps can be believed, and the milliseconds that it took."""
        return await self.worker.run(partial(self.heatmaps.trust, plan, chunk))
