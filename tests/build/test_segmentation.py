"""Judging heatmaps: measures against references and pycocotools, cases against their corpora, shuffled weights."""

import random
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from index_build.corpora import open_corpus
from index_build.corpora.coco import CocoSettings
from index_build.corpora.storybook import StorybookCorpus
from index_build.segmentation.cases import Case, crowded, of_corpus, same_colour
from index_build.segmentation.judging import judge, spread
from index_build.segmentation.measures import found, mean_average_precision, otsu, overlap, points_at, prefers
from index_build.segmentation.methods import Models, models_of, ours, published, read, similarity, values
from index_build.segmentation.sanity import agreement, shuffled
from sparc_core.attribution import Method
from sparc_core.backbones import Geometry
from sparc_core.bundle import Bundle

COCO = Path(__file__).resolve().parents[3] / "shared" / "data" / "coco-sample"


@pytest.fixture(scope="module")
def models(tiny_bundle: Path) -> Models:
    return models_of(Bundle.open(tiny_bundle))


def test_the_pointing_game_and_the_right_one_by_hand() -> None:
    mask = np.array([[True, False], [False, False]])
    assert points_at(np.array([[3.0, 2.0], [1.0, 0.0]]), mask)
    assert not points_at(np.array([[2.0, 3.0], [1.0, 0.0]]), mask)
    assert not points_at(np.ones((2, 2)), mask), "a flat map points nowhere"
    other = np.array([[False, False], [False, True]])
    assert prefers(np.array([[3.0, 9.0], [9.0, 2.0]]), mask, other)
    assert not prefers(np.array([[2.0, 9.0], [9.0, 2.0]]), mask, other)


def test_overlap_by_hand() -> None:
    assert overlap(np.array([True, True, False]), np.array([False, True, True])) == pytest.approx(1 / 3)
    assert overlap(np.zeros(3, bool), np.array([True, False, False])) == 0
    assert not found(np.ones((2, 3))).any()


@given(st.integers(0, 10_000))
def test_otsus_threshold_parts_values_as_the_best_of_all_thresholds_does(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = np.concatenate([rng.normal(0, 0.05, 60), rng.normal(1, 0.05, rng.integers(5, 60))])

    def between(threshold: float) -> float:
        low, high = values[values < threshold], values[values >= threshold]
        return float(len(low) * len(high) * (low.mean() - high.mean()) ** 2) if len(low) and len(high) else 0.0

    best = max(between(threshold) for threshold in values)
    assert between(otsu(values)) == pytest.approx(best, rel=2e-2)


@given(st.lists(st.tuples(st.booleans(), st.sampled_from("abc")), min_size=1, max_size=40))
def test_average_precision_is_that_of_pycocotools(cases: list[tuple[bool, str]]) -> None:
    coco_api, coco_eval = pytest.importorskip("pycocotools.coco"), pytest.importorskip("pycocotools.cocoeval")
    names = sorted({label for _, label in cases})
    truth, detections = [], []
    for i, (hit, label) in enumerate(cases, 1):
        common = {"image_id": i, "category_id": 1 + names.index(label)}
        truth.append({**common, "id": i, "bbox": [0, 0, 10, 10], "area": 100, "iscrowd": 0})
        detections.append({**common, "bbox": [0, 0, 10, 10] if hit else [50, 50, 10, 10], "score": 1.0})
    reference = coco_api.COCO()
    reference.dataset = {
        "images": [{"id": i + 1, "width": 99, "height": 99} for i in range(len(cases))],
        "annotations": truth,
        "categories": [{"id": i + 1, "name": name} for i, name in enumerate(names)],
        "info": {},
    }
    reference.createIndex()
    judged = coco_eval.COCOeval(reference, reference.loadRes(detections), "bbox")
    judged.params.iouThrs = np.array([0.2])
    judged.evaluate()
    judged.accumulate()
    precision = judged.eval["precision"][0, :, :, 0, 2]
    expected = float(np.mean([precision[:, i].mean() for i in range(len(names))]))
    ours = mean_average_precision([hit for hit, _ in cases], [label for _, label in cases])
    assert ours == pytest.approx(expected, abs=1e-6)


def test_a_heatmap_is_spread_over_what_the_tower_saw() -> None:
    values = torch.rand(4, 4, generator=torch.Generator().manual_seed(0))
    squashed = spread(values, Geometry.squash(32, 32, 8), (32, 32))
    expected = F.interpolate(values[None, None], size=(32, 32), mode="bilinear", align_corners=False)[0, 0]
    np.testing.assert_allclose(squashed, expected.numpy(), atol=1e-5)
    cropped = spread(values + 1, Geometry.crop(32, 32, 8), (64, 32))
    np.testing.assert_allclose(cropped[:, 16:48], squashed + 1, atol=1e-5)
    assert (cropped[:, :16] == float(values.min()) + 1).all(), "beside the crop lies the least value"


def test_storybook_cases_name_what_their_mask_shows() -> None:
    for case in crowded(3, 4):
        assert case.label in case.text
        assert case.mask.shape == (224, 224)
        assert 0.01 < case.mask.mean() < 0.3
        assert case.other is None
    for case in same_colour(3, 4):
        assert case.other is not None
        assert not (case.mask & case.other).all()
        colours = np.asarray(case.picture)
        ours, theirs = (np.median(colours[mask], 0) for mask in (case.mask, case.other))
        assert np.abs(ours - theirs).max() < 90, "both are painted alike"
    again = [case.text for case in crowded(3, 4)]
    assert again == [case.text for case in crowded(3, 4)]


def test_a_corpus_gives_one_case_a_picture_and_class() -> None:
    corpus = StorybookCorpus(3, 2)
    cases = list(of_corpus(corpus))
    expected = [(mask.label, mask.pixels) for row in range(5) for mask in corpus.masks(f"s{row:06d}")]
    assert [case.label for case in cases] == [label for label, _ in expected]
    for case, (_, pixels) in zip(cases, expected, strict=True):
        assert (case.mask == pixels).all()


@pytest.mark.skipif(not COCO.exists(), reason="real COCO files (../shared/data) are not here")
def test_coco_cases_join_the_things_of_a_class() -> None:
    settings = CocoSettings(images="val2017", instance_annotations="annotations/instances_val2017.json")
    corpus = open_corpus(settings, COCO)
    cases = list(of_corpus(corpus))
    assert len({case.label for case in cases}) > 20
    for case in cases[:20]:
        assert case.mask.shape == (case.picture.height, case.picture.width)
        assert case.mask.any()


@pytest.mark.skipif(not COCO.exists(), reason="real COCO files (../shared/data) are not here")
def test_photographs_of_any_shape_are_judged(models: Models) -> None:
    settings = CocoSettings(images="val2017", instance_annotations="annotations/instances_val2017.json")
    by_size = {case.picture.size: case for case in of_corpus(open_corpus(settings, COCO))}
    cases = list(by_size.values())[:6]
    assert len(cases) > 1
    for row in judge(models, ours(models, Method.glances), cases, None, lambda: 0.0).values():
        assert 0 <= row.pointing <= 1
        assert 0 <= row.iou < 1
        assert np.isnan(row.right), "nothing to mistake it for"


def test_every_method_is_judged_and_the_order_of_cases_does_not_matter(models: Models) -> None:
    cases = [*crowded(5, 5), *same_colour(5, 3)]
    methods = [
        *published(models),
        *ours(models, Method.glances),
        *similarity(models, Method.glances),
    ]
    names = ["dino_sparc_sum", "dino_sparc_cross", "clip_sparc_sum", "clip_sparc_cross", "clip_sim"]
    assert [method.name for method in methods] == [*names, "dino_glances", "clip_glances", "clip_sim_glances"]
    shuffled_cases = random.Random(0).sample(cases, len(cases))
    there, back = (judge(models, methods, order, None, lambda: 0.0) for order in (cases, shuffled_cases))
    for name, row in there.items():
        for measure in ("pointing", "iou", "right"):
            assert 0 <= getattr(row, measure) <= 1
            assert getattr(back[name], measure) == pytest.approx(getattr(row, measure), abs=0.02)


def test_a_perfect_map_scores_one() -> None:
    case = next(crowded(1, 1))
    heatmap = case.mask.astype(float)
    assert points_at(heatmap, case.mask)
    assert overlap(found(heatmap), case.mask) == 1


def test_shuffled_towers_get_their_weights_back_and_give_other_maps(models: Models) -> None:
    cases: list[Case] = list(crowded(2, 4))
    (method,) = [named for named in ours(models, Method.relevance) if named.stream == "dino"]
    tower = models.images["dino"]
    before = [weight.clone() for weight in tower.weights()]
    x, question = tower.preprocess([case.picture for case in cases]), read(models, [case.text for case in cases])
    own = values(models, method, x, question, None)
    with shuffled(tower, 1):
        assert any((a != b).any() for a, b in zip(before, tower.weights(), strict=True))
        assert sorted(before[5].flatten().tolist()) == sorted(list(tower.weights())[5].flatten().tolist())
    assert all((a == b).all() for a, b in zip(before, tower.weights(), strict=True))
    torch.testing.assert_close(values(models, method, x, question, None), own)
    assert float(np.abs(agreement(models, method, cases)).mean()) < 0.6
