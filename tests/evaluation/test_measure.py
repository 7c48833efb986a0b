"""A bundle measured whole: what comes out, what cannot be measured and why, interruptions, and publishing anew."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from index_build.corpora.storybook import StorybookCorpus
from index_build.evaluation import pieces
from index_build.evaluation.measure import NO_MASKS, Measured, Measuring, measure
from index_build.evaluation.options import NOT_ASKED, EvaluationOptions
from index_build.evaluation.pieces import Piece, plan, run_piece
from index_build.evaluation.subject import Parts, Subject, evenly_spaced
from index_build.workers import LocalTasks
from sparc_core.backbones import load_backbone
from sparc_core.bundle import Bundle
from sparc_core.errors import InputError
from sparc_core.evaluation import Evaluation
from sparc_core.metrics import active_counts, label_matrix, label_shares, labels_with_pure_latent, liveness, top_items
from tests.conftest import N_TINY_TEST, N_TINY_TRAIN

SPACES = (("clip_txt", "clip_img"),)
STREAMS = ("dino", "clip_img", "clip_txt")
CORPUS = StorybookCorpus(N_TINY_TRAIN, N_TINY_TEST)
FEW = EvaluationOptions(most_cases=4)


def measured(bundle: Bundle, folder: Path, options: EvaluationOptions, corpus: Any = None) -> Measured:
    measuring = Measuring(Parts.of_bundle(bundle, SPACES), options, load_backbone, corpus)
    return measure(measuring, folder, LocalTasks(0), lambda done, total: None)


@pytest.fixture(scope="module")
def whole(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Measured:
    """Everything that can be measured of the tiny bundle."""
    return measured(Bundle.open(tiny_bundle), tmp_path_factory.mktemp("whole"), FEW, CORPUS)


def test_every_table_has_its_rows_or_a_reason(whole: Measured) -> None:
    found = whole.evaluation
    few = "40 items are too few to learn from"
    assert found.skipped == {"probes": few, "classification": few}
    assert found.settings.model_dump() == {
        "seed": 0, "n_items": 200, "n_held_out": 40, "n_measured": 40, "n_latents": 64
    }  # fmt: skip
    ways = [(row.way, row.query, row.target) for row in found.retrieval]
    assert len(ways) == len(set(ways)) == 6 + 9 + 2
    assert [(row.source, row.target, row.selection) for row in found.reconstruction] == [
        (source, target, selection) for source in STREAMS for selection in ("own", "local") for target in STREAMS
    ]
    assert [(row.depth, row.selection) for row in found.profiles] == [
        (depth, selection) for selection in ("own", "local") for depth in range(4)
    ]
    assert [row.selection for row in found.active_items] == ["own", "local"]
    assert {row.stream for row in found.names} == set(STREAMS)
    assert len(found.segmentation) == 2 * 5 + 2
    assert all(0 < row.n_cases <= 4 for row in found.segmentation)
    assert {row.method for row in found.segmentation if row.shuffled is not None} == {"dino_glances", "clip_glances"}
    assert set(whole.by_latent) == {"profile_jaccard", "name_auroc"} | {
        f"profile_jaccard_{a}~{b}" for a, b in (STREAMS[:2], STREAMS[::2], STREAMS[1:])
    }


def test_dead_latents_and_sparsity_are_those_of_the_codes(whole: Measured, tiny_bundle: Path) -> None:
    bundle, found = Bundle.open(tiny_bundle), whole.evaluation
    counts = {stream: active_counts(*bundle.codes(stream), 64) for stream in STREAMS}
    assert (found.liveness.alive_in_all, found.liveness.alive_in_some, found.liveness.dead_in_all) == liveness(counts)
    assert found.liveness.dead_in == {stream: int((count == 0).sum()) for stream, count in counts.items()}
    patterns = [tuple(s for s in STREAMS if counts[s][latent]) for latent in range(64)]
    assert {p.alive_in: p.n_latents for p in found.liveness.patterns} == {p: patterns.count(p) for p in set(patterns)}
    for row in found.sparsity:
        activations = bundle.codes(row.stream, row.selection).activations
        assert row.l0 == pytest.approx((activations > 0).sum(1).mean(), abs=1e-4)
        assert sum(row.counts) + row.n_never == 64
        densities = active_counts(*bundle.codes(row.stream, row.selection), 64) / 200
        for low, high, n in zip(row.edges, row.edges[1:], row.counts, strict=False):
            inside = (densities > low * 1.0001) & (densities < high * 0.9999)
            assert inside.sum() <= n, "an edge may lie on a density, and belongs to the bin above it"


def test_pure_objects_are_those_of_the_dense_way(whole: Measured, tiny_bundle: Path) -> None:
    bundle, found = Bundle.open(tiny_bundle), whole.evaluation.pure_objects
    labels = bundle.items.labels()
    used = {label for item in labels for label in item}
    names = [x.name for x in bundle.manifest.labels if x.kind == "object" and x.name in used]
    carries = label_matrix(labels, names)
    shares = {s: label_shares(top_items(*bundle.codes(s), 64, 5), carries, 5) for s in STREAMS}
    pure = labels_with_pure_latent(shares)
    assert (found.n_objects, found.n_with_pure_latent) == (len(names), pure.sum())
    assert found.without == tuple(name for name, is_pure in zip(names, pure, strict=True) if not is_pure)
    assert found.by_stream == {s: int(labels_with_pure_latent({s: share}).sum()) for s, share in shares.items()}


def test_reconstruction_is_plain_arithmetic(whole: Measured, tiny_bundle: Path) -> None:
    bundle = Bundle.open(tiny_bundle)
    model, rows = Subject(Parts.of_bundle(bundle, ()), 0).model, bundle.items.rows_of_split("test")
    for found in whole.evaluation.reconstruction:
        latents, activations = (array[rows].astype(float) for array in bundle.codes(found.source, found.selection))
        weights = model.autoencoder(found.target)
        dictionary, bias = weights.dictionary.numpy().astype(float), weights.pre_bias.numpy().astype(float)
        x = bundle.vectors(found.target).reconstruct_batch(rows).astype(float)
        decoded = np.stack(
            [
                bias + sum(a * dictionary[int(latent)] for latent, a in zip(*code, strict=True))
                for code in zip(latents, activations, strict=True)
            ]
        )
        errors = [np.sum((one - true) ** 2) for one, true in zip(decoded, x, strict=True)]
        nmse = np.mean([error / np.sum(true**2) for error, true in zip(errors, x, strict=True)])
        assert found.nmse == pytest.approx(nmse, abs=1e-5)
        assert found.explained_variance == pytest.approx(1 - sum(errors) / np.sum((x - x.mean(0)) ** 2), abs=1e-5)


def test_what_is_not_asked_or_not_there_says_why(tiny_bundle: Path, tmp_path: Path) -> None:
    bundle = Bundle.open(tiny_bundle)
    some = EvaluationOptions(skip=("names", "retrieval", "reconstruction"))
    found = measured(bundle, tmp_path, some).evaluation
    assert found.skipped["names"] == found.skipped["retrieval"] == NOT_ASKED
    assert found.skipped["segmentation"] == NO_MASKS
    assert not found.names
    assert not found.retrieval
    assert not found.segmentation
    assert found.liveness.patterns
    with pytest.raises(InputError, match="there is no table 'probe' to skip: choose from retrieval,"):
        EvaluationOptions(skip=("probe",))


def test_compressed_features_leave_tables_out(tiny_bundle: Path) -> None:
    bundle = Bundle.open(tiny_bundle)
    streams = tuple(stream.model_copy(update={"vectors": "ivfpq"}) for stream in bundle.manifest.streams)
    compressed = Bundle(bundle.path, bundle.manifest.model_copy(update={"streams": streams}))
    planned = plan(Subject(Parts.of_bundle(compressed, SPACES), 0), EvaluationOptions())
    assert "ivfpq" in planned.skipped["reconstruction"]
    assert {piece.arguments[0] for piece in planned.pieces if piece.table == "retrieval"} == {"latent"}


def test_an_interrupted_evaluation_goes_on(
    tiny_bundle: Path, tmp_path: Path, whole: Measured, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle, calls = Bundle.open(tiny_bundle), Counting(30)
    monkeypatch.setattr(pieces, "whole_file", calls)
    with pytest.raises(KeyboardInterrupt):
        measured(bundle, tmp_path, FEW, CORPUS)
    there = {path.name for path in tmp_path.glob("*.json")}
    assert len(there) == 30
    calls.most = 10_000
    assert measured(bundle, tmp_path, FEW, CORPUS).evaluation == whole.evaluation
    assert calls.written.isdisjoint(there), "what was there is not measured again"


class Counting:
    """`whole_file`, which is interrupted after some files, and then says what it wrote."""

    def __init__(self, most: int) -> None:
        self.most, self.n, self.written = most, 0, set[str]()

    def __call__(self, path: Path) -> Any:
        from index_build.files import whole_file

        self.n += 1
        if self.n > self.most:
            raise KeyboardInterrupt
        if self.most == 10_000:
            self.written.add(path.name)
        return whole_file(path)


def test_the_number_of_processes_does_not_matter(tiny_bundle: Path, tmp_path: Path, whole: Measured) -> None:
    options = EvaluationOptions(skip=("segmentation",))
    measuring = Measuring(Parts.of_bundle(Bundle.open(tiny_bundle), SPACES), options, load_backbone)
    with LocalTasks(2) as tasks:
        found = measure(measuring, tmp_path, tasks, lambda done, total: None)
    same = {"segmentation": (), "skipped": found.evaluation.skipped}
    assert found.evaluation == whole.evaluation.model_copy(update=same)
    for name, column in whole.by_latent.items():
        np.testing.assert_array_equal(found.by_latent[name], column)


def test_few_of_many_items_are_looked_at(tiny_bundle: Path, tmp_path: Path) -> None:
    found = measured(Bundle.open(tiny_bundle), tmp_path, EvaluationOptions(most_items=8)).evaluation
    assert found.settings.n_measured == 8
    assert {row.n_items for row in found.retrieval} == {8}
    assert evenly_spaced(np.arange(100, 200), 4).tolist() == [100, 125, 150, 175]
    assert len(set(evenly_spaced(np.arange(100), 99).tolist())) == 99


def test_without_held_out_items_all_are_looked_at(tiny_bundle: Path) -> None:
    subject = Subject(Parts.of_bundle(Bundle.open(tiny_bundle), ()), 0)
    assert len(subject.rows) == N_TINY_TEST
    subject.__dict__["held_out"] = np.array([], np.int64)
    del subject.__dict__["rows"]
    assert len(subject.rows) == N_TINY_TRAIN + N_TINY_TEST


def test_a_piece_that_is_there_is_not_measured(tmp_path: Path) -> None:
    def never(*arguments: Any) -> Any:
        raise AssertionError

    (tmp_path / "x.json").write_text("{}")
    parts: Any = None
    run_piece(parts, EvaluationOptions(), Piece("x", "names", never), tmp_path)


def test_evaluations_are_written_and_read(whole: Measured, tiny_bundle: Path, tmp_path: Path) -> None:
    parts = Parts.of_bundle(Bundle.open(tiny_bundle), ())
    written = whole.write(tmp_path, parts)
    text = (tmp_path / "evaluation.json").read_text()
    assert "NaN" not in text
    assert Evaluation.model_validate_json(text) == written
    assert written.headline["nmse.dino"] == next(
        row.nmse for row in written.reconstruction if (row.source, row.target, row.selection) == ("dino", "dino", "own")
    )
    assert {"recall_at_10.latent.clip_txt.dino", "recall_at_1.backbone.clip_img.clip_txt", "profile_jaccard"} <= set(
        written.headline
    )
    assert json.loads(text)["headline"]["latents_dead"] == written.liveness.dead_in_all / 64
