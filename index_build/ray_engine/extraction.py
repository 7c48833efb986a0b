"""Feature shards as a Ray Data pipeline.

On CPUs a pool of actors looks at shards, each with one thread, by `features.extraction.write_shard`: files have the
same bytes whatever the engine. With GPUs, tasks on the nodes' CPUs read, decode and resize pictures, and a pool of
actors, which hold the towers, computes features. Either way actors write the files; only numbers come back.
"""

import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import ray
import torch
from ray.data import ActorPoolStrategy, Dataset

from index_build.features.extraction import (
    BackboneLoader,
    Shard,
    check_modality,
    is_first,
    load_once,
    read_inputs,
    save_description,
    save_features,
    write_shard,
)
from index_build.features.on_device import features_in_parts
from index_build.ray_engine.board import Board
from index_build.ray_engine.errors import unwrapped
from index_build.ray_engine.shared_folder import SharedFolder
from index_build.threads import one_thread
from index_build.workers import Counted, ProgressReport
from sparc_core.errors import InputError

_MOST_BLOCKS = 10_000
_LOOK_SECONDS = 0.5
_SHARD, _NUMBER = "shard", "number"
_FAILED = -1
Batch = dict[str, Any]


@dataclass(frozen=True)
class Encoders:
    """The pool of actors that hold the towers.

    Attributes:
        gpus: Of each; 0 computes on one CPU core each.
        fewest: Kept even when they are idle.
        most: None is as many as fit.

    Raises:
        InputError: The numbers make no pool.
    """

    gpus: float = 0
    fewest: int = 1
    most: int | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.fewest <= (self.most or self.fewest):
            raise InputError(f"encoders is {self.fewest} to {self.most}: give 1 or more, the fewest first")

    def pool(self, n_shards: int) -> ActorPoolStrategy:
        """For so many shards: it begins with all that fit and follows the cluster when nodes come and go.

        Raises:
            InputError: Not one fits.
        """
        kind, each = ("GPU", self.gpus) if self.gpus else ("CPU", 1.0)
        there = ray.cluster_resources().get(kind, 0)
        fitting = int(there / each)
        if not fitting:
            raise InputError(f"an encoder needs {each:g} {kind}, the cluster has {there:g}: start nodes that have them")
        most = max(self.fewest, min(n_shards, self.most or n_shards))
        return ActorPoolStrategy(min_size=self.fewest, max_size=most, initial_size=max(self.fewest, min(fitting, most)))


@dataclass(frozen=True)
class Site:
    """What every worker of an extraction has.

    Attributes:
        loader: Loads backbones; importable on every node.
        shared: Where shards are.
        board: Takes errors.
    """

    loader: BackboneLoader
    shared: SharedFolder
    board: Board


def extract_on_ray(
    loader: BackboneLoader, shards: Sequence[Shard], shared: SharedFolder, encoders: Encoders, report: ProgressReport
) -> None:
    """Write the files of all shards that are not there yet.

    Args:
        loader: Loads backbones; importable on every node.
        shards: Of any modality; their paths are absolute.
        shared: Where shards are.
        encoders: The pool.
        report: Told about inputs that are done.

    Raises:
        SparcError: What a worker raised.
    """
    counted = Counted(report, [len(shard.inputs) for shard in shards])
    pending: dict[int, Shard] = {}
    for number, shard in enumerate(shards):
        if shard.missing():
            pending[number] = shard
        else:
            counted.finished(number)
    if not pending:
        return
    site = Site(loader, shared, Board.new())
    unwrapped("extraction", lambda: _drive(site, pending, encoders, counted))
    error = site.board.read().error
    if error is not None:
        raise error


def _drive(site: Site, shards: Mapping[int, Shard], encoders: Encoders, counted: Counted) -> None:
    """Run pipelines until all shards are done or one has failed."""
    for pipeline in _pipelines(site, shards, encoders):
        for batch in pipeline.iter_batches(batch_size=None, batch_format="numpy", prefetch_batches=0):
            for number in batch[_NUMBER]:
                if number == _FAILED:
                    return
                counted.finished(int(number))


def extract_through_client(
    loader: BackboneLoader, shards: Sequence[Shard], shared: SharedFolder, encoders: Encoders, report: ProgressReport
) -> None:
    """The same from outside the cluster: Ray Data needs a process inside to drive it, so a task does that."""
    board = Board.new()
    driver = ray.remote(num_cpus=0, max_retries=0)(extract_on_ray)
    answer = driver.remote(loader, shards, shared, encoders, board.tell)
    board.watch(lambda: bool(ray.wait([answer], timeout=_LOOK_SECONDS)[0]), report)
    unwrapped("extraction", lambda: ray.get(answer))


def _succeeds(site: Site, work: Callable[[], None]) -> bool:
    """Do some work on a shard, with one thread.

    An error goes to the board, not to Ray Data: there it would lose its type, and whatever refers to it would keep the
    actors and their GPUs.
    """
    try:
        site.shared.require()
        with one_thread():
            work()
    except Exception as error:
        site.board.fail(error)
        return False
    return True


def _pipelines(site: Site, shards: Mapping[int, Shard], encoders: Encoders) -> Iterator[Dataset]:
    """Shards -> numbers of those that are done.

    Decoding is a hundredth of a tower's work on a CPU, less than moving pixels between nodes: the same actor does both.
    """
    if encoders.gpus:
        yield from fed_pipelines(site, shards, encoders, torch.device("cuda"))
        return
    yield _dataset(shards).map_batches(
        _CpuEncoder,
        batch_size=1,
        batch_format="numpy",
        fn_constructor_args=(site,),
        compute=encoders.pool(len(shards)),
        num_cpus=1,
    )


def fed_pipelines(
    site: Site, shards: Mapping[int, Shard], encoders: Encoders, device: torch.device
) -> Iterator[Dataset]:
    """The same with towers on `device`, fed by CPU tasks; one pipeline for shards of the same towers at a time."""
    groups: dict[tuple[str, ...], dict[int, Shard]] = {}
    for number, shard in shards.items():
        groups.setdefault(tuple(sorted(shard.missing())), {})[number] = shard
    for specs, alike in groups.items():
        dataset, pool = _dataset(alike), encoders.pool(len(alike))
        if next(iter(alike.values())).modality == "image":
            args = (site, specs, _ways_to_prepare(site, specs))
            dataset = dataset.map_batches(_prepare, batch_size=1, batch_format="numpy", fn_args=args, num_cpus=1)
        yield dataset.map_batches(
            _DeviceEncoder,
            batch_size=1,
            batch_format="numpy",
            fn_constructor_args=(site, specs, device),
            compute=pool,
            num_gpus=encoders.gpus or None,
        )


def _dataset(shards: Mapping[int, Shard]) -> Dataset:
    """One row a shard; a block holds one too, unless there are very many."""
    rows = [{_NUMBER: number, _SHARD: pickle.dumps(shard)} for number, shard in shards.items()]
    return ray.data.from_items(rows, override_num_blocks=min(len(rows), _MOST_BLOCKS))


class _CpuEncoder:
    """Looks at shards on one core."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def __call__(self, batch: Batch) -> Batch:
        shard: Shard = pickle.loads(batch[_SHARD][0])
        return _answer(batch, _succeeds(self._site, lambda: write_shard(self._site.loader, shard)))


class _DeviceEncoder:
    """Computes features of prepared shards; what is not prepared, say texts, it prepares itself."""

    def __init__(self, site: Site, specs: Sequence[str], device: torch.device) -> None:
        self._site, self._specs, self._device = site, specs, device

    def __call__(self, batch: Batch) -> Batch:
        return _answer(batch, _succeeds(self._site, lambda: self._write_all(batch)))

    def _write_all(self, batch: Batch) -> None:
        if self._device.type == "cuda" and not torch.cuda.is_available():
            raise InputError(f"torch sees no GPU on node {ray.util.get_node_ip_address()}: check its driver")
        shard: Shard = pickle.loads(batch[_SHARD][0])
        for spec in self._specs:
            self._write(shard, spec, batch[spec][0] if spec in batch else None)

    def _write(self, shard: Shard, spec: str, prepared: np.ndarray | None) -> None:
        backbone: Any = load_once(self._site.loader, spec)
        check_modality(backbone, spec, shard.modality)
        if hasattr(backbone, "to"):
            backbone.to(self._device)
        path = shard.targets[spec]
        if is_first(path):
            save_description(path, backbone, spec, read_inputs(shard)[:1])
        x = backbone.preprocess(read_inputs(shard)) if prepared is None else torch.from_numpy(prepared.copy())
        save_features(path, features_in_parts(backbone, x.to(self._device)).cpu().numpy())


def _answer(batch: Batch, succeeded: bool) -> Batch:
    return {_NUMBER: batch[_NUMBER] if succeeded else np.full_like(batch[_NUMBER], _FAILED)}


def _ways_to_prepare(site: Site, specs: Sequence[str]) -> dict[str, Any]:
    """What turns pictures into a batch, by spec, where it can be had without its tower; found on a worker."""
    return ray.get(ray.remote(num_cpus=1)(_picture_inputs).remote(site, specs))


def _picture_inputs(site: Site, specs: Sequence[str]) -> dict[str, Any]:
    site.shared.require()
    inputs = {spec: getattr(load_once(site.loader, spec), "picture_input", None) for spec in specs}
    return {spec: picture_input for spec, picture_input in inputs.items() if picture_input is not None}


def _prepare(batch: Batch, site: Site, specs: Sequence[str], ways: Mapping[str, Any]) -> Batch:
    """Decode a shard's pictures once and add every tower's input batch as a column."""
    columns: Batch = {}

    def prepare() -> None:
        pictures = read_inputs(pickle.loads(batch[_SHARD][0]))
        for spec in specs:
            way = ways.get(spec) or load_once(site.loader, spec).preprocess
            columns[spec] = way(pictures).numpy()[None]

    _succeeds(site, prepare)
    return batch | columns
