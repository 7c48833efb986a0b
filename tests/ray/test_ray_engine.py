"""The same build on a cluster: same bytes as on one machine, whatever dies on the way."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("ray", reason='needs Ray: pip install "sparc-explorer[ray]"')

import ray

from index_build.engine import LocalEngine, TrainingJob
from index_build.features.extraction import ROWS_PER_SHARD
from index_build.pipeline import build_bundle
from index_build.ray_engine import ClusterError, RayEngine, connected
from index_build.ray_engine.board import Board
from index_build.ray_engine.connection import connection
from index_build.ray_engine.extraction import Encoders, Site, fed_pipelines
from index_build.ray_engine.shared_folder import SharedFolder
from index_build.training.options import TrainingOptions
from sparc_core.bundle import Bundle
from sparc_core.checkpoint import load_sparc
from sparc_core.errors import InputError, ShapeError
from tests.build.build_fakes import fake_corpus, fake_recipe, load_fake
from tests.ray.conftest import MARKS, SECOND, TwoNodes
from tests.ray.ray_fakes import (
    DyingJob,
    Reports,
    Settings,
    die,
    fail_at,
    load_broken,
    load_nonsense,
    load_slow,
    picture_shards,
    raise_os_error,
    shard_files,
    text_shards,
    write_threads,
)
from tests.training.training_examples import example_features, small

pytestmark = [*MARKS, pytest.mark.slow]


@pytest.fixture(scope="module")
def joined(running_nodes: TwoNodes) -> Iterator[None]:
    """Connected once: every new connection has workers of its own, and they take seconds to start."""
    with connection(running_nodes.address):
        yield


@pytest.fixture
def engine(joined: None, nodes: TwoNodes, tmp_path: Path) -> Iterator[RayEngine]:
    with connected(Settings(nodes.address), tmp_path) as engine:
        yield engine


# Tasks


def test_tasks_run_everywhere_with_one_thread_and_are_counted(engine: RayEngine, tmp_path: Path) -> None:
    paths, reports = [tmp_path / str(number) for number in range(30)], Reports()
    engine.tasks.run(write_threads, [(path,) for path in paths], reports, [2] * 30)
    assert {path.read_text() for path in paths} == {"1"}
    assert reports == [(done, 60) for done in range(0, 61, 2)]
    engine.tasks.run(write_threads, [], reports)


def test_tasks_of_a_killed_node_are_run_again(engine: RayEngine, nodes: TwoNodes, tmp_path: Path) -> None:
    paths = [tmp_path / str(number) for number in range(30)]
    interrupted: list[Path] = []

    def kill(done: int, total: int) -> None:
        begun = [path for path in paths if path.with_suffix(".begun").exists() and not path.exists()]
        there = [path for path in begun if path.with_suffix(".begun").read_text() == SECOND]
        if there and nodes.second is not None:
            nodes.kill_second()  # processes outlive their daemon by a second
            interrupted.extend(path for path in there if not path.exists())

    engine.tasks.run(write_threads, [(path, SECOND) for path in paths], kill)
    assert interrupted
    assert all(path.exists() for path in paths)


def test_a_tasks_own_error_comes_back_and_the_rest_is_dropped(engine: RayEngine, tmp_path: Path) -> None:
    tasks = [(number, 3, tmp_path) for number in range(500)]
    with pytest.raises(InputError, match=r"^number 3 cannot be used$") as raised:
        engine.tasks.run(fail_at, tasks, Reports())
    assert type(raised.value) is InputError
    assert len(list(tmp_path.glob("[0-9]*"))) < 100
    with pytest.raises(FileNotFoundError) as missing:
        engine.tasks.run(raise_os_error, [(tmp_path,)], Reports())
    assert missing.value.filename == "/somewhere"


def test_a_task_that_kills_its_process_is_an_error_of_the_cluster(
    engine: RayEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("index_build.ray_engine.tasks._DEATHS_PER_TASK", 1)
    with pytest.raises(ClusterError, match="the cluster failed at a task of die"):
        engine.tasks.run(die, [(tmp_path,)], Reports())


# Extraction


def test_a_node_killed_in_the_middle_costs_no_shard_and_no_bit(
    engine: RayEngine, nodes: TwoNodes, tmp_path: Path
) -> None:
    seen, n_shards = tmp_path / "seen", 16
    seen.mkdir()
    expected, reports = tmp_path / "expected", Reports()
    expected.mkdir()
    LocalEngine().extract(load_fake, text_shards(expected, n_shards, "fake:text"), Reports())
    shards = text_shards(tmp_path, n_shards, f"slow:{seen}")
    written = []

    def kill(done: int, total: int) -> None:
        reports(done, total)
        places = {path.name for path in seen.iterdir()}
        if done >= 4 * ROWS_PER_SHARD and SECOND in places and nodes.second is not None:
            nodes.kill_second()
            written.append(sum(not shard.missing() for shard in shards))

    engine.extract(load_slow, shards, kill)
    assert len(written) == 1
    assert 0 < written[0] < n_shards
    assert {name: content for name, content in shard_files(tmp_path).items() if name.endswith(".npy")} == {
        name: content for name, content in shard_files(expected).items() if name.endswith(".npy")
    }
    assert sorted(reports) == reports
    assert reports[-1] == (n_shards * ROWS_PER_SHARD, n_shards * ROWS_PER_SHARD)


def test_pictures_have_the_local_engines_bytes_and_shards_that_are_there_are_kept(
    engine: RayEngine, tmp_path: Path
) -> None:
    expected = tmp_path / "expected"
    expected.mkdir()
    LocalEngine().extract(load_fake, picture_shards(expected, 3), Reports())
    shards, reports = picture_shards(tmp_path, 3), Reports()
    kept = shards[1].targets["fake:eye"]
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"found here")
    engine.extract(load_fake, shards, reports)
    assert kept.read_bytes() == b"found here"
    kept.write_bytes((expected / kept.relative_to(tmp_path)).read_bytes())
    assert shard_files(tmp_path) == shard_files(expected)
    assert len(shard_files(tmp_path)) == 8
    engine.extract(load_broken, shards, reports)  # nothing is left to load a tower for
    assert reports[-1] == (284, 284)


def test_towers_fed_by_other_processes_compute_the_same(engine: RayEngine, tmp_path: Path) -> None:
    """The way of GPUs, with the towers on a CPU."""
    expected = tmp_path / "expected"
    expected.mkdir()
    shards = [*picture_shards(tmp_path, 2), *text_shards(tmp_path, 2, "fake:text")]
    LocalEngine().extract(load_fake, [*picture_shards(expected, 2), *text_shards(expected, 2, "fake:text")], Reports())
    site, numbered = Site(load_fake, engine.shared, Board.new()), dict(enumerate(shards))
    done = [
        int(row["number"])
        for pipeline in fed_pipelines(site, numbered, Encoders(most=1), torch.device("cpu"))
        for row in pipeline.iter_rows()
    ]
    assert sorted(done) == [0, 1, 2, 3]
    for path in (expected / "shards").rglob("*.npy"):
        np.testing.assert_allclose(np.load(tmp_path / path.relative_to(expected)), np.load(path), atol=1e-6)
    for path in (expected / "shards").rglob("*.json"):
        assert (tmp_path / path.relative_to(expected)).read_text() == path.read_text()


def test_what_a_tower_does_wrong_comes_back_as_itself(engine: RayEngine, tmp_path: Path) -> None:
    shards = picture_shards(tmp_path, 1)
    with pytest.raises(InputError, match=r'^there is no backbone "fake:eye"$'):
        engine.extract(load_broken, shards, Reports())
    with pytest.raises(ShapeError, match="backbone gave features of shape"):
        engine.extract(load_nonsense, shards, Reports())
    assert not list(tmp_path.rglob("*.npy"))
    begun = time.monotonic()
    while ray.available_resources().get("CPU", 0) < 2:  # what failed holds nothing back
        assert time.monotonic() - begun < 30
        time.sleep(0.2)


def test_a_cluster_without_gpus_says_so(engine: RayEngine, tmp_path: Path) -> None:
    with_gpus = replace(engine, encoders=Encoders(gpus=1))
    with pytest.raises(InputError, match="an encoder needs 1 GPU, the cluster has 0: start nodes that have them"):
        with_gpus.extract(load_fake, picture_shards(tmp_path, 1), Reports())
    with pytest.raises(InputError, match="encoders is 3 to 2"):
        Encoders(0, 3, 2)


# Training


def job(folder: Path, kind: type[TrainingJob] = TrainingJob, options: TrainingOptions | None = None) -> TrainingJob:
    folder.mkdir(exist_ok=True)
    features = {stream: folder / f"{stream}.npy" for stream in example_features()}
    for stream, x in example_features().items():
        np.save(features[stream], x)
    np.save(folder / "rows.npy", np.arange(90))
    model = folder / "bundle" / "sparc.safetensors"
    return kind(features, folder / "rows.npy", options or small(num_epochs=60), folder / "run", model)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the local engine trains."""
    there = job(tmp_path_factory.mktemp("local"))
    LocalEngine().train(there, Reports())
    return there.model


def test_one_worker_trains_the_same_bytes_though_it_is_killed(engine: RayEngine, trained: Path, tmp_path: Path) -> None:
    here, reports = job(tmp_path / "job", DyingJob), Reports()
    engine.train(here, reports)
    assert (here.folder / "died").exists()
    assert here.model.read_bytes() == trained.read_bytes()
    assert reports[-1] == (180, 180)
    assert not (here.folder / "ray").exists()


def test_two_workers_train_the_same_but_for_rounding(engine: RayEngine, trained: Path, tmp_path: Path) -> None:
    here = job(tmp_path / "job")
    replace(engine, train_workers=2).train(here, Reports())
    first, second = load_sparc(trained), load_sparc(here.model)
    for name, value in first.state_dict().items():
        torch.testing.assert_close(second.state_dict()[name], value, rtol=1e-5, atol=1e-5)


def test_what_is_wrong_with_the_features_comes_back_as_itself(engine: RayEngine, tmp_path: Path) -> None:
    here = job(tmp_path / "job")
    np.save(here.features["dino"], np.full((110, 8), np.nan, np.float32))
    with pytest.raises(InputError, match=r"^features of stream dino are not finite in any row"):
        engine.train(here, Reports())


def test_more_workers_than_the_cluster_has(engine: RayEngine, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="train_workers is 9, but the cluster has 2 CPUs: choose fewer"):
        replace(engine, train_workers=9).train(job(tmp_path / "job"), Reports())


# Whole builds


def test_a_build_on_a_cluster_has_the_local_engines_id(nodes: TwoNodes, tmp_path: Path) -> None:
    recipe = fake_recipe()
    local = build_bundle(fake_corpus(), recipe, tmp_path / "local", tmp_path / "a", None, load_fake)
    with connected(Settings(nodes.address), tmp_path / "work") as engine:
        report = build_bundle(fake_corpus(), recipe, tmp_path / "work", tmp_path / "b", None, load_fake, engine)
    assert report.manifest.bundle_id == local.manifest.bundle_id
    Bundle.open(tmp_path / "b", verify=True)
    assert not list((tmp_path / "work").glob(".seen*"))


# Connections


def test_a_worker_that_does_not_see_the_folder_says_so(engine: RayEngine, tmp_path: Path) -> None:
    elsewhere = replace(engine, shared=SharedFolder(tmp_path, Path("/mounted/on/the/builder/only")))
    message = rf"node [0-9.]+ does not see the work folder {tmp_path}: put it on storage that every node mounts"
    with pytest.raises(InputError, match=message):
        elsewhere.tasks.run(write_threads, [(tmp_path / "x",)], Reports())
    with pytest.raises(InputError, match=message):
        elsewhere.extract(load_fake, picture_shards(tmp_path, 1), Reports())


def test_a_folder_that_not_every_node_sees_is_found_before_anything_begins(
    nodes: TwoNodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pathlib.Path.touch", lambda path: None)  # the builder's marker reaches no one
    with (
        pytest.raises(InputError, match=r"node [0-9.]+ does not see the work folder"),
        connected(Settings(nodes.address), tmp_path),
    ):
        pytest.fail("a build could begin")


def test_a_node_with_another_version_is_named(nodes: TwoNodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("index_build.ray_engine.connection.__version__", "9.9")
    with (
        pytest.raises(InputError, match=r"node [0-9.]+ has version .*, this is 9.9: install the same everywhere"),
        connected(Settings(nodes.address), tmp_path),
    ):
        pytest.fail("a build could begin")
