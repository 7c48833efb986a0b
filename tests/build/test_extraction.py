"""Extraction: shards that survive anything, the same bytes every time, towers that get what they take."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from index_build.engine import LocalEngine
from index_build.features.assembly import FeatureInputs, write_features
from index_build.features.extraction import ROWS_PER_SHARD, plan_shards, write_shard
from index_build.features.on_device import extract_on_device, features_in_parts
from sparc_core.errors import InputError, ShapeError
from tests.build.build_fakes import FakeImage, load_fake

N = ROWS_PER_SHARD + 30
MODALITIES: dict[str, Any] = {"eye": "image", "camera": "image", "text": "text"}
STREAMS = {"eye": "fake:eye", "camera": "fake:camera", "text": "fake:text"}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> FeatureInputs:
    """Random pictures, the last item showing the first picture again."""
    folder = tmp_path_factory.mktemp("media")
    rng = np.random.RandomState(0)
    paths = []
    for i in range(N):
        paths.append(str(folder / f"{i}.png"))
        Image.fromarray(rng.randint(0, 256, (16, 20, 3), np.uint8)).save(paths[-1])
    rows = np.array([*range(N), 0])
    return FeatureInputs(paths, rows, [f"caption number {i}" for i in range(N + 1)])


def silent(done: int, total: int) -> None:
    pass


def extract(inputs: FeatureInputs, folder: Path, engine: Any) -> dict[str, np.ndarray]:
    folder.mkdir(exist_ok=True)
    streams = write_features(STREAMS, MODALITIES, load_fake, inputs, folder, engine, silent)
    assert [(s.name, s.modality, s.d, s.backbone) for s in streams] == [
        ("eye", "image", 12, "fake:eye"), ("camera", "image", 16, "fake:camera"), ("text", "text", 16, "fake:text")
    ]  # fmt: skip
    assert not (folder / "shards").exists()
    return {stream: np.load(folder / f"{stream}.npy") for stream in STREAMS}


@pytest.fixture(scope="module")
def features(inputs: FeatureInputs, tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    return extract(inputs, tmp_path_factory.mktemp("features"), LocalEngine(0))


BFLOAT16 = 5e-3
"""How far features may be off where the processor's own bfloat16 is used."""


def test_features_are_those_of_each_items_own_input(features: dict[str, np.ndarray], inputs: FeatureInputs) -> None:
    for stream in ("eye", "camera"):
        backbone = load_fake(STREAMS[stream])
        for row in (0, 7, ROWS_PER_SHARD, N - 1, N):
            with Image.open(inputs.media[inputs.picture_rows[row]]) as picture:
                x = backbone.features(backbone.preprocess([picture]))[0].numpy()
            np.testing.assert_allclose(features[stream][row], x / np.linalg.norm(x), atol=BFLOAT16)
            assert np.abs(features[stream][(row + 1) % N] - x / np.linalg.norm(x)).max() > 2 * BFLOAT16
    np.testing.assert_array_equal(features["eye"][0], features["eye"][N])
    text = load_fake("fake:text")
    x = text.features(text.preprocess([inputs.captions[N]]))[0].numpy()
    np.testing.assert_allclose(features["text"][N], x / np.linalg.norm(x), atol=BFLOAT16)


@pytest.mark.slow
def test_worker_processes_give_the_same_bytes(
    features: dict[str, np.ndarray], inputs: FeatureInputs, tmp_path: Path
) -> None:
    again = extract(inputs, tmp_path / "again", LocalEngine(2))
    assert {stream: x.tobytes() for stream, x in again.items()} == {s: x.tobytes() for s, x in features.items()}


def test_an_interrupted_extraction_keeps_its_shards(
    features: dict[str, np.ndarray], inputs: FeatureInputs, tmp_path: Path
) -> None:
    shards = plan_shards("image", inputs.media, {"eye": "fake:eye", "camera": "fake:camera"}, tmp_path)
    write_shard(load_fake, shards[1])
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npy")}
    assert len(kept) == 2
    (tmp_path / "shards" / "eye" / ".0000000000.npy.123").write_bytes(b"half a file of a killed process")
    again = extract(inputs, tmp_path, LocalEngine(0))
    for stream in STREAMS:
        np.testing.assert_array_equal(again[stream], features[stream])


@pytest.mark.parametrize("n_workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_feeding_a_device_gives_the_same_features(
    features: dict[str, np.ndarray], inputs: FeatureInputs, tmp_path: Path, n_workers: int
) -> None:
    class OnDevice:
        def extract(self, loader: Any, shards: Any, report: Any) -> None:
            extract_on_device(loader, shards, torch.device("cpu"), n_workers, report)

    again = extract(inputs, tmp_path, OnDevice())
    for stream in STREAMS:
        np.testing.assert_allclose(again[stream], features[stream], atol=1e-6)


class SmallDevice(FakeImage):
    """Has memory for a few inputs only."""

    def __init__(self, fits: int) -> None:
        super().__init__(12, 1)
        self.fits, self.seen = fits, list[int]()

    def features(self, x: torch.Tensor) -> torch.Tensor:
        if len(x) > self.fits:
            raise torch.OutOfMemoryError("CUDA out of memory")
        self.seen.append(len(x))
        return super().features(x)


def test_a_batch_that_does_not_fit_is_halved() -> None:
    x = torch.randn(20, 432)
    device = SmallDevice(6)
    torch.testing.assert_close(features_in_parts(device, x), features_in_parts(SmallDevice(20), x))
    assert device.seen == [5, 5, 5, 5]
    with pytest.raises(InputError, match="no memory for a single input"):
        features_in_parts(SmallDevice(0), x)


class Wrong(FakeImage):
    """Gives what no tower should give."""

    def __init__(self, how: str) -> None:
        super().__init__(12, 1)
        self.how = how

    def features(self, x: torch.Tensor) -> torch.Tensor:
        good = super().features(x)
        return good[:, :5] if self.how == "narrow" else torch.full_like(good, float("nan"))


def load_narrow(spec: str) -> Any:
    return Wrong("narrow")


def load_nan(spec: str) -> Any:
    return Wrong("nan")


@pytest.mark.parametrize("loader", [load_narrow, load_nan])
def test_a_tower_that_gives_nonsense_is_named(loader: Any, inputs: FeatureInputs, tmp_path: Path) -> None:
    shard = plan_shards("image", inputs.media, {"eye": "x"}, tmp_path)[0]
    with pytest.raises(ShapeError, match=r"backbone gave features of shape .*expected finite \[b, 12\]"):
        write_shard(loader, shard)
    assert not list(tmp_path.rglob("*.npy"))


def test_a_tower_of_the_other_modality_is_named(inputs: FeatureInputs, tmp_path: Path) -> None:
    shard = plan_shards("image", inputs.media, {"words": "fake:text"}, tmp_path)[0]
    with pytest.raises(InputError, match='backbone "fake:text" takes texts, its stream is of modality image'):
        write_shard(load_fake, shard)


def test_inputs_are_counted(inputs: FeatureInputs, tmp_path: Path) -> None:
    reports: list[Sequence[int]] = []
    shards = plan_shards("text", inputs.captions, {"text": "fake:text"}, tmp_path)
    LocalEngine(0).extract(load_fake, shards, lambda done, total: reports.append((done, total)))
    assert reports == [(0, N + 1), (ROWS_PER_SHARD, N + 1), (N + 1, N + 1)]
