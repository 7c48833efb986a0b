"""The explorer: one open bundle with everything that answers questions about it. Routes ask its services."""

import time
from functools import cache, partial
from pathlib import Path

from server.cache import BoundedCache
from server.metrics import Reading
from server.presence import Presence
from server.request_context import RequestContext, answering
from server.resources import Resources
from server.schemas import HeatmapRequest, Info, PictureTrust, StreamInfo
from server.services import about
from server.services.coactivity import Coactivity
from server.services.cursors import Cursors
from server.services.encoder import Encoder
from server.services.evaluation import Evaluated
from server.services.filters import Filters
from server.services.gallery import Gallery
from server.services.heatmaps import Chunk, Heatmaps, Plan
from server.services.indexes import Indexes
from server.services.items import Items
from server.services.latent_columns import LatentColumns
from server.services.latent_counts import LatentCounter
from server.services.latent_filters import LatentFilters
from server.services.latent_items import ItemsOfLatents
from server.services.latent_map import LatentMaps
from server.services.latent_search import LatentSearcher
from server.services.latent_test import LatentTester
from server.services.latents import Latents
from server.services.look_cache import LookCache
from server.services.query_terms import QueryTerms
from server.services.readings import Readings
from server.services.retrieval import Retriever
from server.services.towers import BackboneLoader, Towers, choose_device
from sparc_core import __version__
from sparc_core.backbones import load_backbone
from sparc_core.bundle import Bundle
from sparc_core.errors import BundleError, InputError, NotFoundError

_A_DAY_S = 86_400
_TITLES = {"dino": "DINO", "clip_img": "CLIP image", "clip_txt": "CLIP text"}


def open_explorer(resources: Resources) -> "Explorer":
    """The bundle of the settings, with those that the settings place beside it.

    Backbones that they share are loaded once. They are loaded anew at every opening: what lies at a path may be
    another model by then.

    Raises:
        BundleError: One of the bundles is missing, damaged or of another schema.
        InputError: Two of them are the same; or as `Explorer`.
    """
    load = cache(load_backbone)
    main = Explorer(resources, load=load)
    for path in resources.settings.beside:
        if not path.exists():
            raise BundleError(
                f"no bundle at {path} to serve beside {resources.settings.bundle}: there is no such folder; "
                "correct its path, or leave it out"
            )
        main.place_beside(Explorer(resources, path, load))
    return main


class Explorer:
    """One bundle, its warm models and the services over both. Models run on the device worker's thread alone.

    The main one holds those beside it: `at` finds them, and they are warmed and closed with it.
    """

    def __init__(self, resources: Resources, path: Path | None = None, load: BackboneLoader = load_backbone) -> None:
        """Open a bundle and load its models.

        Args:
            resources: Of the process.
            path: Of the bundle; default: that of the settings.
            load: Makes its backbones.

        Raises:
            BundleError: The bundle is missing, damaged or of another schema.
            InputError: A backbone or the device is not to be had.
        """
        settings = resources.settings
        self._resources = resources
        # Where a link leads now: an open bundle must not change when the link is moved to the next one.
        self.bundle = bundle = Bundle.open((path or settings.bundle).resolve(), settings.verify)
        self.presence = Presence(bundle)
        self.device = choose_device(settings.device)
        self.towers = towers = Towers(bundle, self.device, load)
        self.beside: dict[str, Explorer] = {}
        self._is_warm = False
        (self.title,) = about.titles([bundle.manifest])
        device, search, uploads = resources.device_worker, resources.search_worker, resources.uploads
        cursors, self.filters, self.indexes = Cursors(bundle.manifest.bundle_id), Filters(bundle), Indexes(bundle)
        self.latents = latents = Latents(bundle, {name: towers.dictionary(name) for name in towers.modalities})
        self.evaluated = Evaluated(bundle)
        columns = LatentColumns(bundle)
        latent_filters = LatentFilters(columns)
        self.gallery = Gallery(bundle, latents, cursors, columns, latent_filters)
        self.latent_counts = LatentCounter(columns, latent_filters)
        self.latent_maps = LatentMaps(bundle, columns, latent_filters)
        self.coactivity = Coactivity(bundle, latents)
        self.latent_items = ItemsOfLatents(bundle, latents, towers, self.indexes)
        self.items = items = Items(
            bundle, latents, self.filters, cursors, settings.thumbnail_cache_bytes, self.presence
        )
        self.encodings = readings = Readings(towers, device, uploads, settings.reading_cache_bytes)
        terms = QueryTerms(bundle, towers, latents, self.indexes, readings)
        self.encoder = Encoder(towers, latents, terms)
        self.retriever = Retriever(bundle, towers, latents, self.indexes, terms, self.filters, search)
        self.latent_searcher = LatentSearcher(bundle, towers, latents, items, terms, readings, search)
        self.latent_tester = LatentTester(bundle, towers, latents, items, readings, device)
        self.looks = LookCache(towers, settings.look_cache_bytes)
        self.heatmaps = Heatmaps(bundle, towers, latents, items, self.retriever, uploads, self.looks)

    def place_beside(self, other: "Explorer") -> None:
        """Serve another bundle with this one, found by its id.

        Raises:
            InputError: It is served already.
        """
        bundle_id = other.bundle.manifest.bundle_id
        if bundle_id in self.served:
            places = f"from {self.served[bundle_id].bundle.path} and from {other.bundle.path}"
            raise InputError(f"bundle {bundle_id} is to be served twice, {places}: leave one of them out")
        self.beside[bundle_id] = other
        explorers = self.served.values()
        for one, title in zip(explorers, about.titles([one.bundle.manifest for one in explorers]), strict=True):
            one.title = title

    def at(self, bundle_id: str | None) -> "Explorer":
        """The explorer of a served bundle; None is this one.

        Raises:
            NotFoundError: It is not served.
        """
        if bundle_id is None:
            return self
        if bundle_id not in self.served:
            known = ", ".join(f"{served_id} ({one.title})" for served_id, one in self.served.items())
            raise NotFoundError(
                "bundle", f'bundle "{bundle_id[:40]}" is not served: name one of {known}, or load the page again'
            )
        return self.served[bundle_id]

    @property
    def served(self) -> dict[str, "Explorer"]:
        """What is served, by bundle id: this one, then those beside it."""
        return {self.bundle.manifest.bundle_id: self, **self.beside}

    async def warm_up(self) -> None:
        """Read and map what is left, and answer one caption, so that the first visitor does not pay for it.

        From then on only pictures need the bundle's files. May take long, once; `watchdog` sees whether it hangs.

        Raises:
            BundleError: A file is damaged.
        """
        if self._is_warm:
            return
        for one in self.beside.values():
            await one.warm_up()
        self.indexes.open()
        with answering(RequestContext(deadline=time.monotonic() + _A_DAY_S)):
            await self._answer_one()
        self._is_warm = True

    async def _answer_one(self) -> None:
        if not (self.towers.live_streams("text") and self.towers.live_streams("image")):
            return
        try:
            plan = await self.plan_heatmaps(HeatmapRequest(caption="a", n_items=1))
        except InputError:
            return  # "a" activates no latent of this model: the text tower is warm, and no picture has to be looked at
        for item_ids in self.heatmaps.chunks(plan):
            await self.heatmap_chunk(plan, item_ids)

    def all_there(self) -> bool:
        """Whether every bundle that is served lies where it was opened; looks now."""
        found = [one.presence.look() for one in self.served.values()]
        return all(found)

    def close(self) -> None:
        """Forget what was kept; the models and the mapped files go with the object."""
        for one in self.served.values():
            for kept in one._caches():
                kept.clear()

    def info(self) -> Info:
        """What is being served."""
        manifest = self.bundle.manifest
        return Info(
            bundle_id=manifest.bundle_id,
            title=self.title,
            created_at=manifest.created_at,
            corpus=manifest.corpus.name,
            licence=manifest.corpus.licence,
            n_items=manifest.corpus.n_items,
            n_latents=manifest.sparc.n_latents,
            k=manifest.sparc.k,
            selection=manifest.sparc.selection,
            cross_loss_coef=about.cross_loss_coef(manifest),
            streams=[
                StreamInfo(
                    name=s.name,
                    title=_TITLES.get(s.name, s.name),
                    modality=s.modality,
                    d=s.d,
                    backbone=s.backbone,
                    vectors=s.vectors,
                    vectors_recall=about.vectors_recall(manifest, s.name),
                    can_read=s.name in self.towers.backbones,
                )
                for s in manifest.streams
            ],
            similarity_streams=self._similarity_streams(),
            metrics=manifest.metrics,
            device=str(self.device),
            version=__version__,
            beside=[about.brief(one.bundle.manifest, one.title) for one in self.beside.values()],
        )

    async def plan_heatmaps(self, request: HeatmapRequest) -> Plan:
        """Read a caption and choose its pictures."""
        stream, read = self.heatmaps.text_stream(request), None
        if stream is not None and request.caption is not None:
            read = await self.encodings.text(stream, request.caption)
        return await self._resources.device_worker.run(partial(self.heatmaps.plan, request, read))

    async def heatmap_chunk(self, plan: Plan, item_ids: list[str]) -> list[Chunk]:
        """Heatmaps of some of a plan's pictures, in as many pieces as the models' memory asks for."""
        return await self._resources.device_worker.run(partial(self.heatmaps.chunk, plan, item_ids))

    async def heatmap_trust(self, plan: Plan, chunk: Chunk) -> tuple[list[PictureTrust], dict[str, float]]:
        """How far a chunk's heatmaps can be believed, and the milliseconds that it took."""
        return await self._resources.device_worker.run(partial(self.heatmaps.trust, plan, chunk))

    def readings(self) -> list[Reading]:
        """For the metrics: every bundle that is served, and its caches together with those of the same name."""
        readings: list[Reading] = []
        for bundle_id, one in self.served.items():
            labels = {"bundle_id": bundle_id, "corpus": one.bundle.manifest.corpus.name}
            readings.append(Reading("sparc_bundle_info", labels, 1))
        for same in zip(*(one._caches() for one in self.served.values()), strict=True):
            of = {"cache": same[0].name}
            readings.append(Reading("sparc_cache_hits_total", of, sum(kept.hits for kept in same)))
            readings.append(Reading("sparc_cache_misses_total", of, sum(kept.misses for kept in same)))
            readings.append(Reading("sparc_cache_bytes", of, sum(kept.n_bytes for kept in same)))
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
