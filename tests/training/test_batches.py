"""Batches: every row once an epoch, mixed as asked, the same whoever holds which part."""

from itertools import chain

import numpy as np
import torch

from index_build.features.store import FeatureStore
from index_build.training.batches import Batches
from index_build.training.processes import Processes, Share
from sparc_core.model import normalize
from tests.training.training_examples import N_ROWS, WIDTHS, small


def test_every_epoch_takes_every_row_once(store: FeatureStore) -> None:
    batches = Batches(store, small())
    seen = [batches.row_numbers(step).tolist() for step in range(8)]
    first, second = list(chain(*seen[:4])), list(chain(*seen[4:]))
    assert sorted(first) == sorted(second) == list(range(N_ROWS))
    assert first != second
    assert [len(rows) for rows in seen[:4]] == [32, 32, 32, 14]


def test_rows_as_they_come_without_shuffling(store: FeatureStore) -> None:
    batches = Batches(store, small(shuffle=False))
    assert batches.row_numbers(5).tolist() == list(range(32, 64))
    found = batches.features(5, Processes().share(32))
    assert all(torch.equal(x, store.rows(np.arange(32, 64))[stream]) for stream, x in found.items())


def test_a_mixed_row_has_the_same_share_of_the_same_row_in_every_stream() -> None:
    one_hot = np.eye(32, dtype=np.float32)
    store = FeatureStore.of({"dino": one_hot, "clip_img": one_hot[:, ::-1].copy()})
    batches = Batches(store, small(shuffle=False, mix_share=0.5))
    found = batches.features(0, Processes().share(32))
    dino, clip_img = found["dino"], found["clip_img"].flip(1)
    torch.testing.assert_close(dino, clip_img)
    shares = dino / dino.sum(1, keepdim=True)
    own = shares.diagonal()
    assert (own > 0.499).all()
    assert ((shares > 0).sum(1) <= 2).all()
    assert 0.1 < float((1 - own).mean()) < 0.4  # uniform between 0 and 0.5
    torch.testing.assert_close(dino, normalize(shares))
    assert not torch.equal(batches.features(1, Processes().share(32))["dino"], dino)


def test_shares_are_parts_of_the_same_batch(store: FeatureStore) -> None:
    batches = Batches(store, small(mix_share=0.5))
    whole = batches.features(3, Share((14,), 0))
    parts = [batches.features(3, Share((5, 5, 4), rank)) for rank in range(3)]
    for stream in WIDTHS:
        assert torch.equal(torch.cat([part[stream] for part in parts]), whole[stream])


def test_a_sample_leaves_out_what_is_not_finite(features: dict[str, np.ndarray]) -> None:
    spoiled = features["dino"].copy()
    spoiled[[3, 7]] = np.inf
    batches = Batches(FeatureStore.of(features | {"dino": spoiled}), small())
    sample = batches.sample(1000, torch.Generator().manual_seed(0))
    assert {len(x) for x in sample.values()} == {N_ROWS - 2}
    assert len(batches.sample(10, torch.Generator().manual_seed(0))["dino"]) <= 10
