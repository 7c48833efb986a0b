"""Published run directories: the model that comes out gives the published numbers; every fault has its sentence."""

import json
import os
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from index_build.features.store import FeatureStore
from sparc_core import metrics
from sparc_core.errors import InputError, ShapeError
from sparc_core.model import Sparc
from sparc_core.published import CONFIG_NAME, WEIGHTS_NAME, load_published
from sparc_core.selection import Selection
from sparc_core.sparse import SparseCode, to_dense
from tests.core.golden import GOLDEN_PATH, needs_golden

N_TOP = 20
WIDTHS = {"dino": 6, "clip_txt": 5}
N_LATENTS, K = 12, 3


class GoldenAnalysis(NamedTuple):
    """A published model, features of items it was not trained on, and what the published analysis made of them."""

    model: Sparc
    features: dict[str, Tensor]
    tensors: dict[str, Tensor]
    retrieval: dict[str, dict[str, float]]

    def codes(self, selection: Selection | None) -> dict[str, SparseCode]:
        with torch.inference_mode():
            return self.model.encode(self.features, selection)


@pytest.fixture(params=["global", "local"], scope="module")
def golden(request: pytest.FixtureRequest) -> GoldenAnalysis:
    folder = GOLDEN_PATH / cast(Selection, request.param)
    model = load_published(folder / "checkpoint")
    assert model.config.selection == request.param
    store = FeatureStore.open({stream: folder / "features" / f"{stream}.h5" for stream in model.config.streams})
    features = store.rows(torch.arange(len(store)))
    return GoldenAnalysis(
        model,
        features,
        load_file(folder / "analysis.safetensors"),
        json.loads((folder / "retrieval.json").read_text()),
    )


@needs_golden
def test_streams_and_sizes_are_what_the_weights_say(golden: GoldenAnalysis) -> None:
    assert list(golden.model.config.streams.items()) == [("dino", 24), ("clip_img", 16), ("clip_txt", 16)]
    assert (golden.model.config.n_latents, golden.model.config.k) == (96, 8)
    assert not golden.model.training


@needs_golden
@pytest.mark.parametrize(("selection", "published"), [(None, "global_or_native"), ("local", "local")])
def test_codes_are_the_published_ones(golden: GoldenAnalysis, selection: Selection | None, published: str) -> None:
    for stream, code in golden.codes(selection).items():
        expected = golden.tensors[f"codes.{published}.{stream}"]
        torch.testing.assert_close(to_dense(code, 96), expected, rtol=1e-5, atol=1e-6, msg=stream)


@needs_golden
def test_strongest_items_are_the_published_ones(golden: GoldenAnalysis) -> None:
    for stream, code in golden.codes(None).items():
        latents, activations = code.latents.numpy(), code.activations.numpy()
        dense = to_dense(code, 96).numpy()
        counts = metrics.active_counts(latents, activations, 96)
        # The published analysis stores 200 items a latent at most.
        assert np.minimum(counts, 200).tolist() == golden.tensors[f"top.stored_count.{stream}"].tolist()
        found = metrics.top_items(latents, activations, 96, N_TOP)
        items, values = (golden.tensors[f"top.{what}.{stream}"].numpy() for what in ("items", "values"))
        for latent, ours in enumerate(found):
            n_stored = int((items[latent] >= 0).sum())
            assert len(ours) == n_stored == min(N_TOP, counts[latent])
            assert np.isnan(values[latent, n_stored:]).all()
            theirs, strengths = items[latent, :n_stored], values[latent, :n_stored]
            np.testing.assert_allclose(dense[ours, latent], strengths, rtol=1e-5, atol=1e-6)
            swapped = ours != theirs  # allowed between equal strengths only
            np.testing.assert_allclose(dense[theirs[swapped], latent], strengths[swapped], rtol=1e-5, atol=1e-6)


def retrieval_scores(golden: GoldenAnalysis, kind: str, source: str, target: str) -> np.ndarray:
    codes = golden.codes("local")
    if kind == "latent":
        return metrics.code_scores(*map(np.asarray, (*codes[source], *codes[target])), 96)
    with torch.inference_mode():
        decoded = golden.model.decode(target, codes[source])
    return metrics.cosine_scores(decoded.numpy(), golden.features[target].numpy())


@needs_golden
def test_retrieval_is_the_published_one(golden: GoldenAnalysis) -> None:
    streams = golden.model.config.streams
    compared = 0
    for kind, source, target in product(("self_recon", "latent", "cross_recon"), streams, streams):
        if (source == target) != (kind == "self_recon"):
            continue
        name = f"self_recon.{target}" if kind == "self_recon" else f"{kind}.{target}_from_{source}"
        published = golden.retrieval[name]
        found = metrics.retrieval_metrics(retrieval_scores(golden, kind, source, target), ties="sorted")
        assert found.median_rank == published["MedR"], name
        # The published means are float32, and so is the rounding within the mean of reciprocals.
        recalls = (found.recall_at_1, found.recall_at_5, found.recall_at_10)
        assert [*map(np.float32, recalls)] == [np.float32(published[f"R@{k}"]) for k in (1, 5, 10)], name
        assert found.mean_reciprocal_rank == pytest.approx(published["MRR"], rel=2e-7), name
        compared += 1
    assert compared == len(golden.retrieval) == 15


@needs_golden
def test_published_retrieval_lies_between_ties_lost_and_ties_won(golden: GoldenAnalysis) -> None:
    """Whatever order a sort leaves ties in, this holds."""
    for name, published in golden.retrieval.items():
        kind, _, pair = name.partition(".")
        if kind == "latent":
            target, source = pair.split("_from_")
            scores = retrieval_scores(golden, kind, source, target)
            own = scores.diagonal()[:, None]
            won, lost = (scores > own).sum(1) + 1, metrics.ranks(scores)
            assert (1 / lost).mean() <= published["MRR"] <= (1 / won).mean(), name
            assert np.median(won) <= published["MedR"] <= np.median(lost), name


def published_state() -> dict[str, Any]:
    """A small state dict as published training saves it."""
    generator = torch.Generator().manual_seed(3)
    state: dict[str, Any] = {f"stats_last_nonzero_{stream}": torch.zeros(N_LATENTS).long() for stream in WIDTHS}
    for stream, d in WIDTHS.items():
        state[f"encoders.{stream}.weight"] = torch.randn(N_LATENTS, d, generator=generator)
        state[f"decoders.{stream}.weight"] = torch.randn(d, N_LATENTS, generator=generator)
        state[f"pre_biases.{stream}"] = torch.randn(d, generator=generator)
        state[f"latent_biases.{stream}"] = torch.randn(N_LATENTS, generator=generator)
    return state


def write_run(folder: Path, state: Any = None, **args: Any) -> Path:
    """A run directory; an argument that is None is left out."""
    args = {"n_latents": N_LATENTS, "k": K, "topk_type": "global", "lr": 1e-4} | args
    kept = {name: value for name, value in args.items() if value is not None}
    (folder / CONFIG_NAME).write_text(json.dumps({"args": kept, "config_file_content": {}}))
    torch.save(published_state() if state is None else state, folder / WEIGHTS_NAME)
    return folder


@pytest.mark.parametrize("selection", ["global", "local"])
def test_small_run(tmp_path: Path, selection: str) -> None:
    state = published_state()
    model = load_published(write_run(tmp_path, topk_type=selection))
    assert list(model.config.streams.items()) == list(WIDTHS.items())
    assert (model.config.n_latents, model.config.k, model.config.selection) == (N_LATENTS, K, selection)
    for stream in WIDTHS:
        ours = model.autoencoder(stream)
        assert torch.equal(ours.encoder, state[f"encoders.{stream}.weight"])
        assert torch.equal(ours.dictionary, state[f"decoders.{stream}.weight"].T)
        assert torch.equal(ours.pre_bias, state[f"pre_biases.{stream}"])
        assert torch.equal(ours.latent_bias, state[f"latent_biases.{stream}"])


@pytest.mark.parametrize("n_streams", [1, 4])
def test_any_number_of_streams(tmp_path: Path, n_streams: int) -> None:
    state = {}
    for position in reversed(range(n_streams)):
        renamed = {name: value for name, value in published_state().items() if "dino" in name}
        state |= {name.replace("dino", f"s{position}"): value for name, value in renamed.items()}
    model = load_published(write_run(tmp_path, state))
    assert list(model.config.streams) == [f"s{position}" for position in reversed(range(n_streams))]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_become_float32(tmp_path: Path, dtype: torch.dtype) -> None:
    state = {name: value.to(dtype) for name, value in published_state().items()}
    model = load_published(write_run(tmp_path, state))
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    expected = state["pre_biases.dino"].float()
    assert torch.equal(model.autoencoder("dino").pre_bias, expected)


ALL_WEIGHTS = [
    f"{name}{stream}{end}"
    for stream in WIDTHS
    for name, end in [("encoders.", ".weight"), ("decoders.", ".weight"), ("pre_biases.", ""), ("latent_biases.", "")]
]


@pytest.mark.parametrize("name", [name for name in ALL_WEIGHTS if not name.startswith("encoders.")])
def test_missing_tensor(tmp_path: Path, name: str) -> None:
    state = published_state()
    del state[name]
    with pytest.raises(InputError, match=f"has no tensor {name}: "):
        load_published(write_run(tmp_path, state))


@pytest.mark.parametrize("name", ALL_WEIGHTS)
def test_wrong_shape(tmp_path: Path, name: str) -> None:
    state = published_state()
    state[name] = torch.zeros(7) if name.startswith("encoders.") else torch.zeros(9, 9)
    with pytest.raises(ShapeError, match=rf"tensor {name} .*has shape \[(7|9, 9)\], .*\["):
        load_published(write_run(tmp_path, state))


def test_streams_of_different_n_latents(tmp_path: Path) -> None:
    state = published_state()
    state["encoders.clip_txt.weight"] = torch.zeros(N_LATENTS + 1, WIDTHS["clip_txt"])
    with pytest.raises(ShapeError, match=r"tensor encoders\.clip_txt\.weight .* shape \[13, 5\], .* \[12, 5\]"):
        load_published(write_run(tmp_path, state))


@pytest.mark.parametrize("name", ALL_WEIGHTS)
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_finite(tmp_path: Path, name: str, value: float) -> None:
    state = published_state()
    state[name].view(-1)[1] = value
    with pytest.raises(InputError, match=f"tensor {name} .*holds values that are not finite"):
        load_published(write_run(tmp_path, state))


@pytest.mark.parametrize("name", ["encoders.dino.bias", "pre_biases.audio", "optimizer"])
def test_unknown_tensor(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=f"unknown tensor {name}"):
        load_published(write_run(tmp_path, published_state() | {name: torch.zeros(2)}))


@pytest.mark.parametrize(
    "state",
    [
        {"epoch": 3},
        {"model": {"encoders.dino.weight": torch.zeros(2, 2)}},
        {7: torch.zeros(2)},
        {"encoders.dino.weight": torch.zeros(2, 2).long()},
    ],
)
def test_a_state_dict_of_other_things(tmp_path: Path, state: dict[Any, Any]) -> None:
    with pytest.raises(InputError, match="is no tensor of floats"):
        load_published(write_run(tmp_path, state))


def test_no_state_dict_and_no_encoder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds a list, not a state dict"):
        load_published(write_run(tmp_path, [torch.zeros(2)]))
    with pytest.raises(InputError, match=r"has no tensor encoders\.<stream>\.weight"):
        load_published(write_run(tmp_path, {"pre_biases.dino": torch.zeros(2)}))


@pytest.mark.parametrize("name", ["Dino", "clip img", "items", "1st", "a.b"])
def test_stream_names_that_we_refuse(tmp_path: Path, name: str) -> None:
    state = {key.replace("dino", name): value for key, value in published_state().items()}
    with pytest.raises(InputError, match=rf"the run in .* cannot be used: stream name '{name}'"):
        load_published(write_run(tmp_path, state))


@pytest.mark.parametrize(
    ("args", "error", "message"),
    [
        ({"n_latents": 13}, ShapeError, "has 12 latents, run_config.json beside it says 13"),
        ({"n_latents": None}, InputError, "n_latents in .* is None, expected a whole number"),
        ({"k": "3"}, InputError, "k in .* is '3', expected a whole number"),
        ({"k": True}, InputError, "k in .* is True, expected a whole number"),
        ({"k": 13}, InputError, "cannot be used: k is 13: choose from 1 to n_latents, 12"),
        ({"topk_type": None}, InputError, 'topk_type in .* is None: only "global" and "local"'),
        ({"topk_type": "batch"}, InputError, "topk_type in .* is 'batch': only"),
        ({"topk_type": ["local"]}, InputError, r"topk_type in .* is \['local'\]: only"),
    ],
)
def test_settings_that_do_not_fit(tmp_path: Path, args: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        load_published(write_run(tmp_path, **args))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "is not JSON"),
        (b"{", "is not JSON"),
        (b"\xff\xfe{", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"[]", 'has no "args"'),
        (b"{}", 'has no "args"'),
        (b"3", 'has no "args"'),
        (b'{"args": 3}', '"args" in .* is 3, not an object'),
    ],
)
def test_damaged_settings(tmp_path: Path, text: bytes, message: str) -> None:
    (write_run(tmp_path) / CONFIG_NAME).write_bytes(text)
    with pytest.raises(InputError, match=message):
        load_published(tmp_path)


@pytest.mark.parametrize("name", [CONFIG_NAME, WEIGHTS_NAME])
def test_missing_files(tmp_path: Path, name: str) -> None:
    (write_run(tmp_path) / name).unlink()
    with pytest.raises(InputError, match=f"there is no .*{name}: a published run directory holds"):
        load_published(tmp_path)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: b"not a checkpoint",
        lambda content: content[: len(content) // 2],
        lambda content: content[:-30],
        lambda content: b"\x80\x02" + content[2:],
        lambda content: b"\x00" * 400,
    ],
)
def test_damaged_weights(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    path = write_run(tmp_path) / WEIGHTS_NAME
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError, match="cannot be read as tensors alone") as caught:
        load_published(tmp_path)
    assert "\n" not in str(caught.value)


class Bomb:
    """Unpickling it makes a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def test_code_in_a_checkpoint_never_runs(tmp_path: Path) -> None:
    mark = tmp_path / "it-ran"
    with pytest.raises(InputError, match="holds Python objects, which are never run"):
        load_published(write_run(tmp_path, published_state() | {"bomb": Bomb(mark)}))
    assert not mark.exists()
