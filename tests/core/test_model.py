"""The model: what it accepts, and that a pass changes nothing."""

import pytest
import torch
from torch import Tensor

from sparc_core.errors import InputError, NotFoundError, ShapeError
from sparc_core.model import CrossPair, Sparc, SparcConfig, normalize

WIDTHS = {"dino": 6, "clip_img": 5, "clip_txt": 5}


@pytest.fixture
def model() -> Sparc:
    return Sparc(SparcConfig(WIDTHS, n_latents=20, k=4), torch.Generator().manual_seed(1))


@pytest.fixture
def features() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(2)
    return {stream: normalize(torch.randn(7, d, generator=generator)) for stream, d in WIDTHS.items()}


def test_starts_with_the_dictionary_along_the_encoder(model: Sparc) -> None:
    for stream in WIDTHS:
        weights = model.autoencoder(stream)
        torch.testing.assert_close(weights.dictionary.norm(dim=1), torch.ones(20))
        torch.testing.assert_close(normalize(weights.encoder), weights.dictionary)
        bound = WIDTHS[stream] ** -0.5
        assert 0.9 * bound < weights.encoder.abs().max() <= bound


def test_the_generator_decides_the_start(model: Sparc) -> None:
    again = Sparc(model.config, torch.Generator().manual_seed(1))
    other = Sparc(model.config, torch.Generator().manual_seed(3))
    assert torch.equal(again.dictionary("dino"), model.dictionary("dino"))
    assert not torch.equal(other.dictionary("dino"), model.dictionary("dino"))


def test_a_pass_changes_no_state(model: Sparc, features: dict[str, Tensor]) -> None:
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.train()
    model(features)
    model.encode(features)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_encodes_any_subset_of_streams_in_the_models_order(model: Sparc, features: dict[str, Tensor]) -> None:
    reversed_pair = {"clip_txt": features["clip_txt"], "dino": features["dino"]}
    codes = model.encode(reversed_pair)
    assert list(codes) == ["dino", "clip_txt"]
    summed = model.logits("dino", features["dino"]) + model.logits("clip_txt", features["clip_txt"])
    assert torch.equal(codes["dino"].latents.sort(dim=1).values, summed.topk(4, dim=1).indices.sort(dim=1).values)


def test_forward_decodes_every_code_with_every_dictionary(model: Sparc, features: dict[str, Tensor]) -> None:
    output = model(features, selection="local")
    assert len(output.cross_reconstructions) == 6
    for source in WIDTHS:
        for target in WIDTHS:
            decoded = model.decode(target, output.codes[source])
            found = (
                output.reconstructions[target]
                if source == target
                else output.cross_reconstructions[CrossPair(source, target)]
            )
            torch.testing.assert_close(found, decoded)


def test_no_rows_in_no_rows_out(model: Sparc) -> None:
    output = model({"dino": torch.zeros(0, 6), "clip_txt": torch.zeros(0, 5)})
    assert output.reconstructions["dino"].shape == (0, 6)
    assert output.cross_reconstructions[CrossPair("dino", "clip_txt")].shape == (0, 5)


def test_dictionary_rows_have_unit_norm(model: Sparc) -> None:
    with torch.no_grad():
        model.autoencoder("dino").dictionary.mul_(3)
    torch.testing.assert_close(model.dictionary("dino").norm(dim=1), torch.ones(20))
    assert not model.dictionary("dino").requires_grad


def test_normalize() -> None:
    assert normalize(torch.tensor([[3.0, 4.0], [0.0, 0.0]])).tolist() == [
        [pytest.approx(0.6), pytest.approx(0.8)],
        [0, 0],
    ]


def test_errors_of_a_pass(model: Sparc) -> None:
    with pytest.raises(NotFoundError, match="no stream 'audio': it has dino, clip_img, clip_txt") as caught:
        model.encode({"audio": torch.zeros(1, 5)})
    assert caught.value.code == "stream_not_found"
    with pytest.raises(ShapeError, match=r"stream dino have shape \[1, 5\], expected \[rows, 6\]"):
        model.encode({"dino": torch.zeros(1, 5)})
    with pytest.raises(InputError, match="no stream"):
        model.encode({})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"streams": {}}, "at least one stream"),
        ({"streams": {"a.b": 3}}, "'a.b' cannot be used"),
        ({"streams": {"keys": 3}}, "'keys' cannot be used"),
        ({"streams": {"dino": 0}}, "width 0"),
        ({"k": 21}, "k is 21: choose from 1 to n_latents, 20"),
        ({"selection": "both"}, "selection is 'both'"),
    ],
)
def test_errors_of_a_configuration(changes: dict[str, object], message: str) -> None:
    settings: dict[str, object] = {"streams": WIDTHS, "n_latents": 20, "k": 4} | changes
    with pytest.raises(InputError, match=message):
        SparcConfig(**settings)  # type: ignore[arg-type]
