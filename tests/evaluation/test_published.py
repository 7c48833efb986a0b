"""The published figures, against what the paper and its notebooks say of the same things elsewhere."""

import pytest

from sparc_core.evaluation.published import MAIN, PUBLISHED, is_published, published_segmentation
from sparc_core.evaluation.results import Evaluation, Segmentation

_LIVENESS = {
    "global, λ 1": (6912, 0, 1280, {"clip_img": 1280, "clip_txt": 1280, "dino": 1280}),
    "global, λ 0": (8044, 17, 131, {"clip_img": 135, "clip_txt": 144, "dino": 133}),
    "local, λ 1": (3575, 4617, 0, {"clip_img": 1355, "clip_txt": 3688, "dino": 196}),
    "local, λ 0": (7019, 1173, 0, {"clip_img": 21, "clip_txt": 1154, "dino": 0}),
}


def test_there_are_four() -> None:
    assert list(PUBLISHED) == list(_LIVENESS)
    assert MAIN == "global, λ 1"


@pytest.mark.parametrize("title", _LIVENESS)
def test_patterns_add_up_to_the_published_sums(title: str) -> None:
    liveness = PUBLISHED[title].liveness
    found = (liveness.alive_in_all, liveness.alive_in_some, liveness.dead_in_all, liveness.dead_in)
    assert found == _LIVENESS[title]
    assert sum(pattern.n_latents for pattern in liveness.patterns) == 8192
    assert list(liveness.patterns) == sorted(liveness.patterns, key=lambda pattern: len(pattern.alive_in))


@pytest.mark.parametrize("title", _LIVENESS)
def test_profiles_and_probes_are_complete(title: str) -> None:
    known = PUBLISHED[title]
    agreement = [row.jaccard_of_all for row in known.profiles]
    assert [row.depth for row in known.profiles] == [0, 1, 2, 3, 4, 5]
    assert agreement == sorted(agreement, reverse=True)  # finer classes, less agreement
    # A latent that is alive in one stream at most counts 0.
    lonely = known.liveness.dead_in_all + sum(p.n_latents for p in known.liveness.patterns if len(p.alive_in) == 1)
    assert agreement[0] <= 1 - lonely / 8192
    assert [row.stream for row in known.probe_means] == ["clip_img", "clip_txt", "dino"]
    assert all(row.n_classes == 432 and row.cross_entropy < 0.693 for row in known.probe_means)


def test_figures_of_the_main_model() -> None:
    main = PUBLISHED[MAIN]
    assert main.profiles[5].jaccard_of_all == 0.8018
    assert {row.stream: row.cross_entropy for row in main.probe_means}["clip_txt"] == 0.564620
    found = {(row.query, row.at_1, row.at_10, row.median_rank, row.n_items) for row in main.retrieval}
    assert found == {("clip_img", 0.098294, 0.269497, 79, 126020), ("clip_txt", 0.077051, 0.226670, 124, 126020)}
    assert {row.method: (row.stream, row.iou, row.average_precision) for row in main.segmentation} == {
        "dino_sparc_sum": ("dino", 0.1368, 0.2218),
        "clip_sparc_sum": ("clip_img", 0.1307, 0.2225),
        "clip_sparc_cross": ("clip_img", 0.1381, 0.2230),
        "dino_sparc_cross": ("dino", 0.1429, 0.2222),
        "clip_sim": ("clip_img", 0.1567, 0.2477),
    }
    assert {(row.n_cases, row.pointing, row.shuffled) for row in main.segmentation} == {(14631, None, None)}


def test_clip_alone_is_the_same_whatever_the_model() -> None:
    assert all(known.retrieval == PUBLISHED[MAIN].retrieval for known in PUBLISHED.values())
    assert {known.segmentation[-1:] for known in PUBLISHED.values()} == {PUBLISHED[MAIN].segmentation[-1:], ()}


def test_published_ones_are_told_from_ours() -> None:
    assert all(map(is_published, PUBLISHED.values()))
    assert not is_published(Evaluation())


def test_a_method_of_ours_has_no_published_figure() -> None:
    row = Segmentation(
        method="dino_glances", stream="dino", blocks="last", iou=0.2, average_precision=0.2, n_cases=5
    )  # fmt: skip
    assert published_segmentation(row) is None
