"""Errors cross process boundaries whole."""

import pickle

import pytest

from sparc_core.errors import BundleError, InputError, NotFoundError, ShapeError, SparcError


@pytest.mark.parametrize(
    "error", [InputError("a"), ShapeError("b"), BundleError("c"), NotFoundError("latent", "there is no latent 7")]
)
def test_an_error_comes_back_as_it_was(error: SparcError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.code) == (type(error), str(error), error.code)
