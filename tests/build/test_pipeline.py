"""Whole builds over fake towers: the same id every time, whatever interrupts them.

`tests/faults` kills them, and fills their disks.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from index_build.engine import LocalEngine
from index_build.pipeline import BuildReport, build_bundle
from index_build.recipe import Recipe, StreamRecipe
from index_build.steps import SilentDisplay, StepResult
from index_build.verification import verify_bundle
from sparc_core.bundle import Bundle
from sparc_core.errors import BundleError, InputError
from tests.build.build_fakes import N_TEST, N_TRAIN, fake_corpus, fake_recipe, load_fake

STEPS = (
    "corpus", "media", "items", "features", "training", "codes", "postings", "vectors", "statistics", "evaluation"
)  # fmt: skip


class StopAt(SilentDisplay):
    """Interrupts the build: before a step, while it reports progress, or after it."""

    def __init__(self, step: str, moment: str) -> None:
        self.step, self.moment = step, moment

    def started(self, step: str, unit: str) -> None:
        self._stop(step, "before")

    def progress(self, step: str, done: int, total: int) -> None:
        if done:
            self._stop(step, "within")

    def finished(self, result: StepResult) -> None:
        self._stop(result.name, "after")

    def _stop(self, step: str, moment: str) -> None:
        if (step, moment) == (self.step, self.moment):
            raise KeyboardInterrupt


def _build(folder: Path, display: SilentDisplay | None = None, n_workers: int = 0) -> BuildReport:
    out = folder / "bundles" / "fake"
    return build_bundle(fake_corpus(), fake_recipe(), folder / "work", out, display, load_fake, LocalEngine(n_workers))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, BuildReport]:
    """An uninterrupted build and its folder."""
    folder = tmp_path_factory.mktemp("built")
    return folder, _build(folder)


def test_a_build_is_a_whole_bundle(built: tuple[Path, BuildReport]) -> None:
    folder, report = built
    bundle = verify_bundle(folder / "bundles" / "fake")
    assert bundle.manifest == report.manifest
    assert [step.name for step in report.steps] == list(STEPS)
    assert [(s.name, s.modality, s.d) for s in bundle.manifest.streams] == [
        ("eye", "image", 12), ("camera", "image", 16), ("text", "text", 16)
    ]  # fmt: skip
    assert len(bundle.items.rows_of_split("train")) == N_TRAIN
    assert len(bundle.items.rows_of_split("test")) == N_TEST
    assert (bundle.items[0].width, bundle.items[0].height) == (56, 56)
    assert {"recall_at_10.latent.text.eye", "nmse.camera", "latents_dead"} <= bundle.manifest.metrics.keys()
    evaluation = json.loads((bundle.path / "evaluation.json").read_text())
    assert evaluation["headline"] == bundle.manifest.metrics
    assert set(json.loads((folder / "work" / "times.json").read_text())) == {*STEPS, "publish"}


def test_global_codes_of_the_streams_share_their_latents(built: tuple[Path, BuildReport]) -> None:
    bundle = Bundle.open(built[0] / "bundles" / "fake")
    eye, camera = bundle.codes("eye"), bundle.codes("camera")
    for row in range(len(bundle.items)):
        used = [set(codes.latents[row][codes.activations[row] > 0].tolist()) for codes in (eye, camera)]
        assert len(used[0] | used[1]) <= bundle.manifest.sparc.k


def test_the_features_are_those_of_the_media_files(built: tuple[Path, BuildReport]) -> None:
    from index_build.features.extraction import compute_features
    from sparc_core.picture_files import open_media

    bundle = Bundle.open(built[0] / "bundles" / "fake")
    rows = [0, 17, 99]
    pictures = compute_features(load_fake("fake:eye"), [open_media(bundle.media_path(row)) for row in rows])
    texts = compute_features(load_fake("fake:text"), [bundle.items[row].caption for row in rows])
    for stream, features in (("eye", pictures), ("text", texts)):
        stored = np.stack([bundle.vectors(stream).reconstruct(row) for row in rows])
        np.testing.assert_allclose(stored, features, atol=1e-6)


def test_a_second_build_finds_everything_done(built: tuple[Path, BuildReport]) -> None:
    folder, report = built
    again = _build(folder)
    assert all(step.cached for step in again.steps)
    assert again.manifest == report.manifest


@pytest.mark.slow
def test_a_build_elsewhere_with_workers_has_the_same_id(built: tuple[Path, BuildReport], tmp_path: Path) -> None:
    assert _build(tmp_path, n_workers=2).manifest.bundle_id == built[1].manifest.bundle_id


def test_a_build_stopped_at_every_boundary_has_the_same_id(built: tuple[Path, BuildReport], tmp_path: Path) -> None:
    for step in STEPS:
        for moment in ("before", "after"):
            with pytest.raises(KeyboardInterrupt):
                _build(tmp_path, StopAt(step, moment))
            assert list((tmp_path / "bundles").iterdir()) == []
    assert _build(tmp_path).manifest.bundle_id == built[1].manifest.bundle_id


@pytest.mark.parametrize("step", ["media", "features", "training", "codes"])
def test_a_build_stopped_within_a_step_has_the_same_id(
    built: tuple[Path, BuildReport], tmp_path: Path, step: str
) -> None:
    with pytest.raises(KeyboardInterrupt):
        _build(tmp_path, StopAt(step, "within"))
    assert _build(tmp_path).manifest.bundle_id == built[1].manifest.bundle_id


def test_another_seed_is_another_bundle(built: tuple[Path, BuildReport], tmp_path: Path) -> None:
    corpus, recipe = fake_corpus(seed=1), fake_recipe(seed=1)
    report = build_bundle(corpus, recipe, tmp_path / "work", tmp_path / "out", None, load_fake)
    assert report.manifest.bundle_id != built[1].manifest.bundle_id
    assert Bundle.open(tmp_path / "out").manifest.seed == 1


def test_another_recipe_keeps_the_features(built: tuple[Path, BuildReport]) -> None:
    folder, _ = built
    report = build_bundle(fake_corpus(), fake_recipe(k=3), folder / "work", folder / "other", None, load_fake)
    assert [step.name for step in report.steps if step.cached] == ["corpus", "media", "items", "features", "vectors"]


def test_an_unknown_backbone_is_a_domain_error(tmp_path: Path) -> None:
    recipe = Recipe(fake_recipe().training, {"dino": StreamRecipe("image", "storybook:unicorn")}, ())
    with pytest.raises(InputError, match="unicorn"):
        build_bundle(fake_corpus(), recipe, tmp_path / "work", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_verifying_finds_postings_that_do_not_match_the_codes(built: tuple[Path, BuildReport], tmp_path: Path) -> None:
    from sparc_core.bundle.manifest import ManifestDraft
    from sparc_core.bundle.writer import publish

    _, report = built
    folders = [step.folder / "bundle" for step in report.steps if (step.folder / "bundle").exists()]
    source = next(folder for folder in folders if (folder / "postings").exists())
    wrong = tmp_path / "wrong" / "postings"
    wrong.mkdir(parents=True)
    (wrong / "eye.faiss").write_bytes((source / "postings" / "camera.faiss").read_bytes())
    draft = ManifestDraft(**{name: getattr(report.manifest, name) for name in ManifestDraft.model_fields})
    publish([*folders, tmp_path / "wrong"], draft, tmp_path / "out")
    with pytest.raises(BundleError, match=r"postings/eye\.faiss: the posting list of latent \d+ does not match"):
        verify_bundle(tmp_path / "out")
