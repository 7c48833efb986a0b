"""Verifying posting lists against codes finds every way in which a list can be wrong."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from index_build import verification
from index_build.verification import _check_postings
from sparc_core.bundle import Bundle
from sparc_core.bundle.codes import Codes, pack_codes
from sparc_core.bundle.postings import Posting, read_postings
from sparc_core.errors import BundleError
from tests.bundle.plain_postings import invert, write_by_faiss

N_LATENTS = 6
WRONG = 2


def _codes() -> Codes:
    rng = np.random.default_rng(0)
    latents = np.stack([rng.permutation(N_LATENTS)[:3] for _ in range(40)])
    return pack_codes(latents, rng.choice([0, 0.5, 1.0], (40, 3)), N_LATENTS)


def _check(lists: list[Posting], folder: Path) -> None:
    write_by_faiss(lists, folder / "a.faiss")
    _check_postings(folder / "a", _codes(), read_postings(folder / "a.faiss", N_LATENTS))


@pytest.mark.parametrize("rows_at_a_time", [7, 1 << 16])
def test_the_right_lists_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows_at_a_time: int) -> None:
    monkeypatch.setattr(verification, "_ROWS_AT_A_TIME", rows_at_a_time)
    _check(invert(_codes(), N_LATENTS), tmp_path)


def _without(posting: Posting, place: int) -> Posting:
    return Posting(np.delete(posting.items, place), np.delete(posting.activations, place))


def _with(posting: Posting, place: int, item: int, activation: float) -> Posting:
    items, activations = (array.copy() for array in posting)
    items[place], activations[place] = item, activation
    return Posting(items, activations)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda list_: _without(list_, 0),
        lambda list_: Posting(np.append(list_.items, 0), np.append(list_.activations, np.float32(0.1))),
        lambda list_: _with(list_, 0, list_.items[0], 2.0),
        lambda list_: _with(list_, -1, list_.items[-1], 0.0),
        lambda list_: _with(list_, -1, list_.items[-2], list_.activations[-2]),
        lambda list_: _with(list_, -1, 40, 0.5),
        lambda list_: _with(list_, 0, -1, 1.0),
        lambda list_: Posting(list_.items[::-1], list_.activations[::-1]),
        lambda list_: Posting(np.roll(list_.items, 1), list_.activations),
    ],
)
@pytest.mark.parametrize("rows_at_a_time", [7, 1 << 16])
def test_a_wrong_list_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows_at_a_time: int, spoil: Callable[[Posting], Posting]
) -> None:
    monkeypatch.setattr(verification, "_ROWS_AT_A_TIME", rows_at_a_time)
    lists = invert(_codes(), N_LATENTS)
    lists[WRONG] = spoil(lists[WRONG])
    with pytest.raises(BundleError, match=f"the posting list of latent {WRONG} does not match"):
        _check(lists, tmp_path)


def test_an_unused_slot_is_no_entry_of_the_latent_that_it_names(tmp_path: Path) -> None:
    lists, codes = invert(_codes(), N_LATENTS), _codes()
    unused = next(row for row, activations in enumerate(codes.activations) if activations[-1] == 0)
    lists[0] = _with(lists[0], -1, unused, 0.0)
    with pytest.raises(BundleError, match="the posting list of latent 0 does not match"):
        _check(lists, tmp_path)


def test_a_whole_list_of_another_latent_is_found(tmp_path: Path) -> None:
    lists = invert(_codes(), N_LATENTS)
    lists[0], lists[1] = lists[1], lists[0]
    with pytest.raises(BundleError, match="the posting list of latent 0 does not match"):
        _check(lists, tmp_path)


def test_an_evaluation_that_is_not_the_manifests_is_found(tiny_bundle: Path, tmp_path: Path) -> None:
    bundle = Bundle.open(tiny_bundle)
    verification._check_evaluation(bundle)
    other = Bundle(bundle.path, bundle.manifest.model_copy(update={"metrics": {"latents_dead": 1.0}}))
    with pytest.raises(BundleError, match="another headline than the manifest's metrics: run"):
        verification._check_evaluation(other)
    shutil.copytree(tiny_bundle, tmp_path / "bundle")
    (tmp_path / "bundle" / "evaluation.json").write_text('{"retrieval": [{"way": "far"}]}')
    damaged = Bundle(tmp_path / "bundle", bundle.manifest)
    with pytest.raises(BundleError, match=r"evaluation.json is damaged: retrieval.0.corpus: field required: run"):
        verification._check_evaluation(damaged)
