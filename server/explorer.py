"""The explorer: one open bundle with everything that answers questions about it. Routes ask its services."""

from functools import partial
from pathlib import Path

from server.cache import BoundedCache
from server.metrics import Reading
from server.resources import Resources
from server.schemas import HeatmapRequest, Info, PictureTrust, StreamInfo
from server.services.cursors import Cursors
from server.services.encoder import Encoder
from server.services.evaluation import Evaluated
from server.services.filters import Filters
from server.services.gallery import Gallery
from server.services.heatmaps import Chunk, Heatmaps, Plan
from server.services.indexes import Indexes
from server.services.items import Items
from server.services.latent_items import ItemsOfLatents
from server.services.latent_search import LatentSearcher
from server.services.latents import Latents
from server.services.look_cache import LookCache
from server.services.query_terms import QueryTerms
from server.services.readings import Readings
from server.services.retrieval import Retriever
from server.services.towers import Towers, choose_device
from sparc_core import __version__
from sparc_core.bundle import Bundle

_TITLES = {"dino": "DINO", "clip_img": "CLIP image", "clip_txt": "CLIP text"}


class Explorer:
    """One bundle, its warm models and the services over both. Models run on the device worker's thread alone."""

    def __init__(self, resources: Resources, path: Path | None = None) -> None:
        """Open a bundle and load its models.

        Args:
            resources: Of the process.
            path: Of the bundle; default: that of the settings.

        Raises:
            BundleError: The bundle is missing, damaged or of another schema.
            InputError: A backbone or the device is not to be had.
        """
        settings = resources.settings
        self._resources = resources
        # Where a link leads now: an open bundle must not change when the link is moved to the next one.
        self.bundle = bundle = Bundle.open((path or settings.bundle).resolve())
        self.device = choose_device(settings.device)
        self.towers = towers = Towers(bundle, self.device)
        device, search, uploads = resources.device_worker, resources.search_worker, resources.uploads
        cursors, self.filters, self.indexes = Cursors(bundle.manifest.bundle_id), Filters(bundle), Indexes(bundle)
        self.latents = latents = Latents(bundle, {name: towers.dictionary(name) for name in towers.modalities})
        self.evaluated = Evaluated(bundle)
        self.gallery = Gallery(bundle, latents, cursors)
        self.latent_items = ItemsOfLatents(bundle, latents, towers, self.indexes)
        self.items = items = Items(bundle, latents, self.filters, cursors, settings.thumbnail_cache_bytes)
        self.encodings = readings = Readings(towers, device, uploads, settings.reading_cache_bytes)
        terms = QueryTerms(bundle, towers, latents, self.indexes, readings)
        self.encoder = Encoder(towers, latents, terms)
        self.retriever = Retriever(bundle, towers, latents, self.indexes, terms, self.filters, search)
        self.latent_searcher = LatentSearcher(bundle, towers, latents, items, terms, readings, search)
        self.looks = LookCache(towers, settings.look_cache_bytes)
        self.heatmaps = Heatmaps(bundle, towers, latents, items, self.retriever, uploads, self.looks)

    async def warm_up(self) -> None:
        """Open what is mapped late and answer one caption, so that the first visitor does not pay for it."""
        self.indexes.open()
        if not (self.towers.live_streams("text") and self.towers.live_streams("image")):
            return
        plan = await self.plan_heatmaps(HeatmapRequest(caption="a", n_items=1))
        for item_ids in self.heatmaps.chunks(plan):
            await self.heatmap_chunk(plan, item_ids)

    def close(self) -> None:
        """Forget what was kept; the models and the mapped files go with the object."""
        for cache in self._caches():
            cache.clear()

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
                    name=s.name,
                    title=_TITLES.get(s.name, s.name),
                    modality=s.modality,
                    d=s.d,
                    backbone=s.backbone,
                    vectors=s.vectors,
                    can_read=s.name in self.towers.backbones,
                )
                for s in manifest.streams
            ],
            similarity_streams=self._similarity_streams(),
            metrics=manifest.metrics,
            device=str(self.device),
            version=__version__,
        )

    async def plan_heatmaps(self, request: HeatmapRequest) -> Plan:
        """Read a caption and choose its pictures."""
        stream, read = self.heatmaps.text_stream(request), None
        if stream is not None and request.caption is not None:
            read = await self.encodings.text(stream, request.caption)
        return await self._resources.device_worker.run(partial(self.heatmaps.plan, request, read))

    async def heatmap_chunk(self, plan: Plan, item_ids: list[str]) -> Chunk:
        """Heatmaps of some of a plan's pictures."""
        return await self._resources.device_worker.run(partial(self.heatmaps.chunk, plan, item_ids))

    async def heatmap_trust(self, plan: Plan, chunk: Chunk) -> tuple[list[PictureTrust], dict[str, float]]:
        """How far a chunk's heatmaps can be believed, and the milliseconds that it took."""
        return await self._resources.device_worker.run(partial(self.heatmaps.trust, plan, chunk))

    def readings(self) -> list[Reading]:
        """For the metrics."""
        manifest = self.bundle.manifest
        labels = {"bundle_id": manifest.bundle_id, "corpus": manifest.corpus.name}
        readings = [Reading("sparc_bundle_info", labels, 1)]
        for cache in self._caches():
            of = {"cache": cache.name}
            readings.append(Reading("sparc_cache_hits_total", of, cache.hits))
            readings.append(Reading("sparc_cache_misses_total", of, cache.misses))
            readings.append(Reading("sparc_cache_bytes", of, cache.n_bytes))
        return readings

    def _caches(self) -> list[BoundedCache]:
        return [
            self.encodings.texts,
            self.encodings.pictures,
            self.looks.kept,
            self.filters.masks,
            self.items.thumbnails,
        ]

    def _similarity_streams(self) -> list[str]:
        texts = self.towers.live_streams("text")
        return self.towers.similar_streams(texts[-1]) if texts else []
