"""Sparse codes: decoding them is the dense product, and what they are made of is checked."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from sparc_core.errors import ShapeError
from sparc_core.sparse import SparseCode, concatenate, decode, to_dense


def random_code(seed: int, n_rows: int, n_latents: int, k: int) -> SparseCode:
    """Distinct latents per row, activations of which some are 0."""
    generator = torch.Generator().manual_seed(seed)
    latents = torch.rand(n_rows, n_latents, generator=generator).argsort(dim=1)[:, :k]
    activations = torch.randn(n_rows, k, generator=generator).relu().sort(dim=1, descending=True).values
    return SparseCode(latents, activations)


@settings(deadline=None)  # a busy machine is not a failure
@given(st.integers(0, 10_000), st.integers(0, 9), st.integers(1, 20), st.integers(1, 7), st.data())
def test_sparse_decode_equals_the_dense_product(
    seed: int, n_rows: int, n_latents: int, d: int, data: st.DataObject
) -> None:
    k = data.draw(st.integers(1, n_latents))
    code = random_code(seed, n_rows, n_latents, k)
    generator = torch.Generator().manual_seed(seed + 1)
    dictionary = torch.randn(n_latents, d, generator=generator)
    pre_bias = torch.randn(d, generator=generator)
    dense = to_dense(code, n_latents)
    torch.testing.assert_close(decode(code, dictionary, pre_bias), dense @ dictionary + pre_bias)
    torch.testing.assert_close(decode(code, dictionary, None), dense @ dictionary)


def test_decode_by_hand() -> None:
    code = SparseCode(torch.tensor([[2, 0]]), torch.tensor([[3.0, 0.5]]))
    dictionary = torch.tensor([[1.0, 0.0], [9.0, 9.0], [0.0, 1.0]])
    assert decode(code, dictionary, torch.tensor([10.0, 20.0])).tolist() == [[10.5, 23.0]]


def test_gradients_are_those_of_the_dense_product() -> None:
    latents, n_latents = torch.tensor([[4, 1], [1, 0]]), 5

    def gradients(is_sparse: bool) -> tuple[Tensor, ...]:
        activations = torch.tensor([[2.0, 1.0], [3.0, 0.5]], requires_grad=True)
        dictionary = torch.arange(15.0).reshape(n_latents, 3).requires_grad_()
        code = SparseCode(latents, activations)
        decoded = decode(code, dictionary, None) if is_sparse else to_dense(code, n_latents) @ dictionary
        return torch.autograd.grad(decoded.square().sum(), [activations, dictionary])

    for sparse, dense in zip(gradients(True), gradients(False), strict=True):
        torch.testing.assert_close(sparse, dense)


@pytest.mark.parametrize("latent", [-1, 3])
def test_decode_refuses_a_latent_that_the_dictionary_lacks(latent: int) -> None:
    code = SparseCode(torch.tensor([[0, latent]]), torch.ones(1, 2))
    with pytest.raises(ShapeError, match=f"names latent {latent}, the dictionary has latents 0 to 2"):
        decode(code, torch.zeros(3, 4), None)


def test_concatenate_keeps_the_order() -> None:
    first, second = random_code(0, 2, 8, 3), random_code(1, 3, 8, 3)
    both = concatenate([first, second])
    assert torch.equal(both.latents, torch.cat([first.latents, second.latents]))
    assert torch.equal(both.activations[2:], second.activations)
