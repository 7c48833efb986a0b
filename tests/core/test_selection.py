"""Selection: laws that hold for any logits, against a slow plain reference, and the errors."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from sparc_core.errors import InputError, ShapeError
from sparc_core.selection import Selection, choose, choose_dead, select
from sparc_core.sparse import to_dense

SELECTIONS: list[Selection] = ["global", "local"]
seeds = st.integers(0, 10_000)
unhurried = settings(deadline=None)  # a busy machine is not a failure
any_selection = st.sampled_from(SELECTIONS)


def random_logits(seed: int, n_streams: int = 3, n_rows: int = 6, n_latents: int = 17) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {f"s{i}": torch.randn(n_rows, n_latents, generator=generator) for i in range(n_streams)}


def plain_selection(logits: dict[str, Tensor], k: int, selection: Selection) -> dict[str, Tensor]:
    """Dense codes, row by row, latent by latent."""
    codes = {stream: torch.zeros_like(values) for stream, values in logits.items()}
    for stream, values in logits.items():
        for row in range(len(values)):
            seen = [other[row].tolist() for other in (logits.values() if selection == "global" else [values])]
            totals = [sum(per_latent) for per_latent in zip(*seen, strict=True)]
            for latent in sorted(range(len(totals)), key=lambda latent: -totals[latent])[:k]:
                codes[stream][row, latent] = max(0.0, float(values[row, latent]))
    return codes


@unhurried
@given(seeds, st.integers(1, 4), st.integers(1, 17), any_selection)
def test_agrees_with_the_plain_reference(seed: int, n_streams: int, k: int, selection: Selection) -> None:
    logits = random_logits(seed, n_streams)
    expected = plain_selection(logits, k, selection)
    for stream, code in select(logits, k, selection).items():
        torch.testing.assert_close(to_dense(code, 17), expected[stream])


@unhurried
@given(seeds, st.integers(1, 17), any_selection)
def test_at_most_k_distinct_latents_strongest_first(seed: int, k: int, selection: Selection) -> None:
    for code in select(random_logits(seed), k, selection).values():
        assert code.latents.shape == code.activations.shape == (6, k)
        assert all(len(set(row)) == k for row in code.latents.tolist())
        assert (code.activations >= 0).all()
        assert (code.activations.diff(dim=1) <= 0).all()


@unhurried
@given(seeds, st.integers(1, 17))
def test_global_selection_shares_latents_between_streams(seed: int, k: int) -> None:
    codes = select(random_logits(seed), k, "global")
    first, *others = (code.latents.sort(dim=1).values for code in codes.values())
    assert all(torch.equal(first, other) for other in others)


@unhurried
@given(seeds)
def test_one_stream_alone_selects_the_same_either_way(seed: int) -> None:
    logits = random_logits(seed, n_streams=1)
    shared, own = select(logits, 5, "global")["s0"], select(logits, 5, "local")["s0"]
    assert torch.equal(shared.latents, own.latents)


@unhurried
@given(seeds, any_selection, st.permutations(range(6)))
def test_row_order_does_not_matter(seed: int, selection: Selection, order: list[int]) -> None:
    logits = random_logits(seed)
    straight = select(logits, 5, selection)
    shuffled = select({stream: values[order] for stream, values in logits.items()}, 5, selection)
    for stream in logits:
        assert torch.equal(shuffled[stream].latents, straight[stream].latents[order])
        assert torch.equal(shuffled[stream].activations, straight[stream].activations[order])


def test_global_selection_by_hand() -> None:
    logits = {"a": torch.tensor([[3.0, 0.0, 2.0, -9.0]]), "b": torch.tensor([[-1.0, 1.5, 2.0, 9.0]])}
    codes = select(logits, 2, "global")  # sums: 2, 1.5, 4, 0
    assert codes["a"].latents.tolist() == [[0, 2]]
    assert codes["a"].activations.tolist() == [[3.0, 2.0]]
    assert codes["b"].latents.tolist() == [[2, 0]]
    assert codes["b"].activations.tolist() == [[2.0, 0.0]]


def test_dead_selection_by_hand() -> None:
    logits = torch.tensor([[5.0, 1.0, -2.0, 3.0, 2.0]])
    dead = torch.tensor([False, True, True, True, False])
    assert choose_dead(logits, dead, auxk=2).tolist() == [[3, 1]]
    assert choose_dead(logits, dead, auxk=9).tolist() == [[3, 1, 2]]
    assert choose_dead(logits, torch.zeros(5, dtype=torch.bool), auxk=9).shape == (1, 0)


def test_logits_of_low_precision_are_added_in_float32() -> None:
    low = {"a": torch.tensor([[1.0, 1.0]]).bfloat16(), "b": torch.tensor([[1e-3, 0.0]]).bfloat16()}
    assert (low["a"] + low["b"]).unique().numel() == 1
    assert choose(low, 1, "global")["a"].tolist() == [[0]]
    reversed_low = {stream: values.flip(1) for stream, values in low.items()}
    assert choose(reversed_low, 1, "global")["b"].tolist() == [[1]]


def test_errors() -> None:
    logits = random_logits(0)
    with pytest.raises(InputError, match="no stream"):
        select({}, 1, "global")
    with pytest.raises(InputError, match="k is 18: choose from 1 to 17"):
        select(logits, 18, "global")
    with pytest.raises(InputError, match='"global" or "local"'):
        select(logits, 1, "both")  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match="same rows and latents"):
        select(logits | {"s1": torch.zeros(2, 17)}, 1, "local")
