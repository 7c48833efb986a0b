"""Checkpoints: writing and reading is the identity; every way to be unusable has its sentence."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from sparc_core.checkpoint import load_metadata, load_sparc, read_tensors, save_sparc, write_tensors
from sparc_core.errors import InputError, ShapeError
from sparc_core.model import Sparc, SparcConfig


@pytest.fixture
def model() -> Sparc:
    return Sparc(SparcConfig({"dino": 6, "clip_txt": 5}, 20, 4, "local"), torch.Generator().manual_seed(1))


@pytest.fixture
def path(model: Sparc, tmp_path: Path) -> Path:
    save_sparc(model, tmp_path / "sparc.safetensors", {"recipe": "test", "corpus": "none"})
    return tmp_path / "sparc.safetensors"


def rewrite(path: Path, **changes: Tensor | None) -> None:
    """Store a checkpoint again with other tensors; "__" in a name stands for "."."""
    tensors, header = read_tensors(path)
    for name, tensor in changes.items():
        tensors.pop(name.replace("__", "."), None)
        if tensor is not None:
            tensors[name.replace("__", ".")] = tensor
    write_tensors(path, tensors, header)


def test_round_trip(model: Sparc, path: Path) -> None:
    loaded = load_sparc(path)
    assert loaded.config == model.config
    assert list(loaded.config.streams) == ["dino", "clip_txt"]
    assert not loaded.training
    for name, value in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value)
    assert load_metadata(path) == {"recipe": "test", "corpus": "none"}


def test_equal_models_are_equal_bytes(model: Sparc, path: Path) -> None:
    again = path.with_name("again.safetensors")
    save_sparc(load_sparc(path), again, {"corpus": "none", "recipe": "test"})
    assert again.read_bytes() == path.read_bytes()
    assert sorted(file.name for file in path.parent.iterdir()) == ["again.safetensors", "sparc.safetensors"]


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no checkpoint at .*nowhere"):
        load_sparc(tmp_path / "nowhere.safetensors")


def test_damaged_file(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(InputError, match="cannot be read as safetensors"):
        load_sparc(path)


@pytest.mark.parametrize("metadata", [None, {"sparc": "{not json"}, {"sparc": "[]"}])
def test_file_of_someone_else(path: Path, metadata: dict[str, str] | None) -> None:
    save_file(load_file(path), path, metadata)
    with pytest.raises(InputError, match="it is not ours"):
        load_sparc(path)


@pytest.mark.parametrize("header", [{"format": "sparc-model/9"}, {}])
def test_file_of_another_version(path: Path, header: dict[str, str]) -> None:
    write_tensors(path, read_tensors(path)[0], header)
    with pytest.raises(InputError, match='this version reads "sparc-model/1"'):
        load_sparc(path)


def test_incomplete_configuration(path: Path) -> None:
    write_tensors(path, read_tensors(path)[0], {"format": "sparc-model/1", "config": {"k": 3}})
    with pytest.raises(InputError, match=r"configuration in checkpoint .* is incomplete"):
        load_sparc(path)


def test_missing_tensor(path: Path) -> None:
    rewrite(path, dino__pre_bias=None)
    with pytest.raises(InputError, match=r"has no tensor dino\.pre_bias"):
        load_sparc(path)


def test_unknown_tensor(path: Path) -> None:
    rewrite(path, audio__encoder=torch.zeros(2))
    with pytest.raises(InputError, match=r"unknown tensor audio\.encoder"):
        load_sparc(path)


def test_wrong_shape(path: Path) -> None:
    rewrite(path, dino__encoder=torch.zeros(20, 7))
    with pytest.raises(ShapeError, match=r"dino\.encoder .* has shape \[20, 7\], its configuration says \[20, 6\]"):
        load_sparc(path)


def test_values_that_are_not_finite(path: Path) -> None:
    rewrite(path, clip_txt__latent_bias=torch.full((20,), float("nan")))
    with pytest.raises(InputError, match=r"clip_txt\.latent_bias .* not finite"):
        load_sparc(path)


def test_a_failed_write_leaves_the_old_file(model: Sparc, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = path.read_bytes()

    def fail(self: Path, target: Path) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        save_sparc(model, path)
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["sparc.safetensors"]
