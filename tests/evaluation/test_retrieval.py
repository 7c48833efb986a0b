"""Retrieval tables against the published numbers, plain cosines, and a second corpus."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from index_build.evaluation import retrieval as retrieval_module
from index_build.evaluation.retrieval import Inside, reconstructed, retrieval, unit
from index_build.evaluation.second_corpus import SecondCorpus
from index_build.evaluation.subject import Parts, Subject
from sparc_core.bundle import Bundle
from sparc_core.bundle.codes import Codes
from sparc_core.errors import InputError
from sparc_core.evaluation.results import Retrieval, Way
from sparc_core.metrics import cosine_scores, retrieval_metrics
from sparc_core.model import Sparc
from sparc_core.published import load_published

GOLDEN = Path(__file__).parents[3] / "shared" / "golden"
STREAMS = ("dino", "clip_img", "clip_txt")


class Published:
    """The features and codes that the published evaluation saw."""

    corpus, inside = "golden", True

    def __init__(self, run: str) -> None:
        self.folder = GOLDEN / run
        self.analysis = load_file(self.folder / "analysis.safetensors")
        self.model: Sparc = load_published(self.folder / "checkpoint")

    def local_codes(self, stream: str) -> Codes:
        dense = self.analysis[f"codes.local.{stream}"]
        latents = np.argsort(-dense, axis=1, kind="stable")[:, : self.model.config.k]
        return Codes(latents, np.take_along_axis(dense, latents, 1))

    def features(self, stream: str) -> np.ndarray:
        with h5py.File(self.folder / "features" / f"{stream}.h5") as file:
            return unit(file["features"][()].astype(np.float32))


@pytest.mark.skipif(not GOLDEN.exists(), reason="reference numbers (../shared/golden) are not here")
@pytest.mark.parametrize("run", ["global", "local"])
def test_recalls_and_ranks_are_the_published_ones(run: str) -> None:
    published, golden = Published(run), json.loads((GOLDEN / run / "retrieval.json").read_text())
    ways: dict[str, Way] = {"self_recon": "reconstruction", "cross_recon": "reconstruction", "latent": "latent"}
    assert len(golden) == 15
    for name, wanted in golden.items():
        kind, _, direction = name.partition(".")
        target, _, source = direction.partition("_from_")
        found = retrieval(published, ways[kind], source or target, target)
        # Codes that share no latent score 0 all together: published ranks among them are arbitrary, ours the last.
        for ours, theirs in ((found.at_1, "R@1"), (found.at_5, "R@5"), (found.at_10, "R@10")):
            assert ours == pytest.approx(wanted[theirs], abs=1e-6), name
        if kind == "latent":
            assert found.median_rank >= wanted["MedR"]
            assert found.mean_reciprocal_rank == pytest.approx(wanted["MRR"], abs=1e-3)
        else:
            assert found.median_rank == wanted["MedR"]
            assert found.mean_reciprocal_rank == pytest.approx(wanted["MRR"], abs=1e-6)


def measured(bundle: Bundle, way: Way, query: str, target: str) -> Retrieval:
    return retrieval(Inside(Subject(Parts.of_bundle(bundle, ()), 0)), way, query, target)


@pytest.mark.parametrize("way", ["latent", "reconstruction", "backbone"])
def test_held_out_items_are_searched_among_themselves(tiny_bundle: Path, way: Way) -> None:
    bundle = Bundle.open(tiny_bundle)
    subject = Subject(Parts.of_bundle(bundle, ()), 0)
    rows = bundle.items.rows_of_split("test")
    found = measured(bundle, way, "clip_txt", "clip_img")
    codes = {s: bundle.codes(s, "local") for s in ("clip_txt", "clip_img")}
    dense = {s: np.zeros((len(rows), 64), np.float32) for s in codes}
    for stream, (latents, activations) in codes.items():
        for place, row in enumerate(rows):
            for latent, activation in zip(latents[row], activations[row], strict=True):
                dense[stream][place, latent] += activation
    weights = subject.model.autoencoder("clip_img")
    decoded = torch.from_numpy(dense["clip_txt"]) @ weights.dictionary + weights.pre_bias
    features = {s: bundle.vectors(s).reconstruct_batch(rows) for s in codes}
    scores = {
        "latent": cosine_scores(dense["clip_txt"], dense["clip_img"]),
        "reconstruction": cosine_scores(decoded.numpy(), features["clip_img"]),
        "backbone": cosine_scores(features["clip_txt"], features["clip_img"]),
    }[way]
    wanted = retrieval_metrics(scores)
    ours = (found.at_1, found.at_5, found.at_10, found.median_rank, found.mean_reciprocal_rank)
    assert ours == pytest.approx(wanted, abs=1e-6)
    assert (found.n_queries, found.n_items, found.inside, found.corpus) == (40, 40, True, "storybook")


def test_of_many_items_some_are_looked_for_among_all(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrieval_module, "MOST_QUERIES", 8)
    bundle = Bundle.open(tiny_bundle)
    found = measured(bundle, "reconstruction", "dino", "dino")
    assert (found.n_queries, found.n_items) == (8, 40)
    assert measured(bundle, "latent", "dino", "clip_img").n_queries == 40
    assert found.at_5 > 0.9, "a reconstruction lies near what it reconstructs"


def second(bundle: Bundle, path: Path, most_items: int = 0) -> SecondCorpus:
    widths = {stream.name: stream.d for stream in bundle.manifest.streams}
    return SecondCorpus(path, bundle.sparc_path, widths, most_items)


def test_a_second_corpus_may_be_a_bundle_or_a_folder_of_features(tiny_bundle: Path, tmp_path: Path) -> None:
    bundle = Bundle.open(tiny_bundle)
    for stream in STREAMS:  # rows need not be unit norm
        np.save(tmp_path / f"{stream}.npy", 3 * bundle.vectors(stream).reconstruct_n(0, 200))
    as_bundle, as_folder = second(bundle, tiny_bundle), second(bundle, tmp_path)
    for corpus in (as_bundle, as_folder):
        corpus.check()
    for way in ("latent", "reconstruction", "backbone"):
        inside_out = retrieval(as_bundle.open(), way, "clip_txt", "clip_img")
        from_files = retrieval(as_folder.open(), way, "clip_txt", "clip_img")
        assert (inside_out.corpus, from_files.corpus) == ("storybook", tmp_path.name)
        assert not inside_out.inside
        assert inside_out.n_items == 200
        assert inside_out.at_10 == pytest.approx(from_files.at_10, abs=0.006)  # scaling rounds
    stored, made = bundle.codes("dino", "local"), as_bundle.open().local_codes("dino")
    np.testing.assert_array_equal(stored.latents, made.latents)
    np.testing.assert_array_equal(stored.activations, made.activations)
    assert retrieval(second(bundle, tiny_bundle, 50).open(), "latent", "dino", "clip_img").n_items == 50


def test_a_second_corpus_that_does_not_fit_is_refused(tiny_bundle: Path, tmp_path: Path) -> None:
    bundle = Bundle.open(tiny_bundle)
    with pytest.raises(InputError, match=r"has no dino\.h5 or dino\.npy"):
        second(bundle, tmp_path).check()
    for stream in STREAMS:
        np.save(tmp_path / f"{stream}.npy", np.ones((5, 7), np.float32))
    with pytest.raises(InputError, match="width 7 for stream dino, the model takes 192"):
        second(bundle, tmp_path).check()


def test_decoding_by_batches_is_decoding(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = Bundle.open(tiny_bundle)
    subject = Subject(Parts.of_bundle(bundle, ()), 0)
    codes = subject.codes("clip_txt", "own")
    whole = reconstructed(subject.model, "dino", codes)
    monkeypatch.setattr(retrieval_module, "_BATCH", 7)
    np.testing.assert_allclose(reconstructed(subject.model, "dino", codes), whole, atol=1e-6)
