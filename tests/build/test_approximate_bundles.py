"""Whole builds with approximate indexes, over fake towers: what the bundle then holds, says and refuses."""

import json
import re
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from index_build.export import export_bundle
from index_build.pipeline import BuildReport, build_bundle
from index_build.verification import verify_bundle
from sparc_core.bundle import Bundle
from sparc_core.bundle.manifest import VectorKind
from sparc_core.errors import BundleError, InputError
from sparc_core.retrieval import VectorSearch
from tests.build.build_fakes import N_TEST, N_TRAIN, fake_corpus, fake_recipe, load_fake
from tests.build.test_cli import _run

KINDS: tuple[VectorKind, ...] = ("exact", "hnsw", "ivfpq")
STREAMS = ("eye", "camera", "text")
SPACES = [("eye", "eye"), ("camera", "camera"), ("text", "text"), ("text", "camera"), ("camera", "text")]


class Built:
    """A build of each kind, with one work folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.reports: dict[str, BuildReport] = {kind: self.build(kind, "work") for kind in KINDS}

    def build(self, kind: VectorKind, work: str, out: str = "bundle") -> BuildReport:
        recipe = replace(fake_recipe(), vectors=kind)
        return build_bundle(fake_corpus(), recipe, self.folder / work, self.path(kind, out), None, load_fake)

    def path(self, kind: VectorKind, out: str = "bundle") -> Path:
        return self.folder / f"{out}-{kind}"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return Built(tmp_path_factory.mktemp("approximate"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_bundle_of_any_kind_is_whole_and_is_searched(built: Built, kind: VectorKind) -> None:
    bundle = verify_bundle(built.path(kind))
    assert [stream.vectors for stream in bundle.manifest.streams] == [kind] * 3
    assert json.loads((bundle.path / "manifest.json").read_text())["streams"][0]["vectors"] == kind
    exact = Bundle.open(built.path("exact"))
    for stream in STREAMS:
        rows = exact.vectors(stream).reconstruct_n(0, N_TRAIN + N_TEST)
        scores, found = bundle.vectors(stream).search(rows, 1)
        np.testing.assert_allclose(scores[:, 0], 1, atol=0.2)
        np.testing.assert_allclose(np.einsum("nd,nd->n", rows, rows[found[:, 0]]), 1, atol=0.1)


@pytest.mark.parametrize("kind", KINDS)
def test_the_services_search_finds_filters_and_reads_features_back(built: Built, kind: VectorKind) -> None:
    n, bundle = N_TRAIN + N_TEST, Bundle.open(built.path(kind))
    rows = Bundle.open(built.path("exact")).vectors("camera").reconstruct_n(0, n)
    search, allowed = VectorSearch(bundle.vectors("camera")), np.arange(n) % 3 == 0
    held = search.vectors(np.arange(n))
    np.testing.assert_allclose(np.einsum("nd,nd->n", held, rows), 1, atol=0.2)
    for row in (0, 7):
        scores = held @ rows[row]
        deep = search.search(rows[row], n - 1, without=[row])
        assert row not in deep.rows
        assert len(deep.rows) >= (0.9 if kind == "ivfpq" else 1) * (n - 1)
        np.testing.assert_allclose(deep.scores, scores[deep.rows], atol=1e-4)
        found = search.search(rows[row], 5, allowed=allowed)
        best = np.sort(np.where(allowed, scores, -2))[::-1][:5]
        np.testing.assert_allclose(found.scores, best, atol=1e-4)


def test_another_kind_builds_indexes_and_measures_again(built: Built) -> None:
    done = [[step.name for step in built.reports[kind].steps if not step.cached] for kind in KINDS]
    assert done[1] == done[2] == ["vectors", "evaluation"]
    assert len({report.manifest.bundle_id for report in built.reports.values()}) == 3


@pytest.mark.parametrize("kind", ["hnsw", "ivfpq"])
def test_a_build_elsewhere_has_the_same_id(built: Built, kind: VectorKind) -> None:
    assert built.build(kind, "elsewhere", "again").manifest.bundle_id == built.reports[kind].manifest.bundle_id


@pytest.mark.parametrize("kind", ["hnsw", "ivfpq"])
def test_the_recall_of_every_direction_is_in_evaluation_and_manifest(built: Built, kind: VectorKind) -> None:
    bundle = Bundle.open(built.path(kind))
    evaluation = json.loads((bundle.path / "evaluation.json").read_text())
    found = {(r["via"], r["query"], r["target"]): r["at_10"] for r in evaluation["vector_recalls"]}
    assert found.keys() == {("reconstructions", a, b) for a in STREAMS for b in STREAMS} | {
        ("features", a, b) for a, b in SPACES
    }
    assert {r["index"] for r in evaluation["vector_recalls"]} == {kind}
    metrics = bundle.manifest.metrics
    assert {name: value for name, value in metrics.items() if name.startswith("vector_recall")} == {
        f"vector_recall_at_10.{'.'.join(way)}": at_10 for way, at_10 in found.items()
    }
    exact = Bundle.open(built.path("exact"))
    test = bundle.items.rows_of_split("test")
    for query, target in SPACES:
        vectors = exact.vectors(query).reconstruct_n(0, N_TRAIN + N_TEST)[test]
        rows = bundle.vectors(target).search(vectors, 10)[1]
        items = exact.vectors(target).reconstruct_n(0, N_TRAIN + N_TEST)
        scores = vectors @ items.T
        tenth = -np.sort(-scores, axis=1)[:, 9:10]
        hits = np.take_along_axis(scores, rows, 1) >= tenth - 1e-6
        assert found["features", query, target] == pytest.approx(hits.mean(), abs=1e-6)
    assert (min(found.values()) == 1) == (kind == "hnsw")


def test_exact_indexes_have_no_recalls(built: Built) -> None:
    bundle = Bundle.open(built.path("exact"))
    assert json.loads((bundle.path / "evaluation.json").read_text())["vector_recalls"] == []
    assert not [name for name in bundle.manifest.metrics if name.startswith("vector_recall")]


def test_info_says_the_kind_and_what_it_misses(built: Built) -> None:
    exact, compressed = _run("info", built.path("exact")), _run("info", built.path("ivfpq"))
    assert re.search(r"vectors +│ exact ", exact.stdout)
    assert "vector_recall" not in exact.stdout
    assert re.search(r"vectors +│ ivfpq ", compressed.stdout)
    at_10 = built.reports["ivfpq"].manifest.metrics["vector_recall_at_10.reconstructions.text.eye"]
    line = next(line for line in compressed.stdout.splitlines() if "reconstructions.text.eye" in line)
    assert f"{at_10:.4f}" in line


def test_features_come_out_of_a_graph_but_not_out_of_compressed_lists(built: Built, tmp_path: Path) -> None:
    for kind in ("exact", "hnsw"):
        export_bundle(Bundle.open(built.path(kind)), tmp_path / kind, "hdf5")
    with h5py.File(tmp_path / "exact" / "eye.h5") as exact, h5py.File(tmp_path / "hnsw" / "eye.h5") as graph:
        np.testing.assert_array_equal(exact["features"], graph["features"])
    with pytest.raises(InputError, match=r"features of eye compressed \(ivfpq\).*: export from a bundle with exact"):
        export_bundle(Bundle.open(built.path("ivfpq")), tmp_path / "ivfpq", "hdf5")
    assert not (tmp_path / "ivfpq").exists()


def test_an_index_of_another_kind_than_the_manifest_says_is_named(built: Built, tmp_path: Path) -> None:
    manifest = json.loads((built.path("hnsw") / "manifest.json").read_text())
    for stream in manifest["streams"]:
        stream["vectors"] = "exact"
    for path in built.path("hnsw").iterdir():
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / "manifest.json").unlink()
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match=r"vectors/eye\.faiss is not the index of inner products .* \(exact\)"):
        Bundle.open(tmp_path).vectors("eye")


def test_too_small_a_corpus_is_refused(tmp_path: Path) -> None:
    from index_build.corpora.storybook import StorybookCorpus

    corpus = StorybookCorpus(40, 10, 0, picture_size=56)
    with pytest.raises(InputError, match="the corpus has 50"):
        build_bundle(corpus, replace(fake_recipe(), vectors="ivfpq"), tmp_path / "w", tmp_path / "out", None, load_fake)
