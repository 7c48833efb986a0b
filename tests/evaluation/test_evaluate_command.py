"""`sparc-build evaluate`: a bundle is measured, and published again with what came out."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from index_build.cli import app
from index_build.evaluation.published_bundle import storybook_of
from index_build.verification import verify_bundle
from sparc_core.bundle import Bundle
from sparc_core.bundle.manifest import content_id
from sparc_core.bundle.writer import amend
from sparc_core.evaluation import Evaluation
from tests.bundle.bundle_examples import publish_example

QUICK = ("--cases", "2", "--skip", "names")


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "index_build.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def refused(*arguments: str | Path) -> str:
    """What a command says that is refused; in this process, which has the libraries."""
    done = CliRunner().invoke(app, [*map(str, arguments)])
    assert done.exit_code == 2
    return done.stderr


@pytest.fixture
def copied(tiny_bundle: Path, tmp_path: Path) -> Path:
    path = tmp_path / "bundle"
    shutil.copytree(tiny_bundle, path)
    return path


def evaluation_of(path: Path) -> Evaluation:
    return Bundle.open(path).evaluation


def test_a_bundle_is_evaluated_in_place(copied: Path, tiny_bundle: Path) -> None:
    before = Bundle.open(copied)
    inode = (copied / "sparc.safetensors").stat().st_ino
    done = run("evaluate", copied, *QUICK)
    assert done.returncode == 0, done.stderr
    bundle = verify_bundle(copied)
    assert bundle.manifest.bundle_id in done.stdout
    assert bundle.manifest.bundle_id != before.manifest.bundle_id
    assert (copied / "sparc.safetensors").stat().st_ino == inode, "what did not change is linked"
    found = evaluation_of(copied)
    assert {row.n_cases for row in found.segmentation} == {2}, "the storybook was recognised"
    assert found.skipped["names"] == "it was not asked for"
    assert bundle.manifest.metrics == found.headline
    assert bundle.manifest.created_at == before.manifest.created_at
    again = run("evaluate", copied, *QUICK)
    assert "already done" in again.stdout
    assert Bundle.open(copied).manifest == bundle.manifest
    assert Bundle.open(tiny_bundle).manifest == before.manifest


def test_a_second_corpus_and_other_seeds_add_rows(copied: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / "elsewhere"
    rest = ("--skip", "segmentation", "--items", "0")
    done = run("evaluate", copied, "--second", tiny_bundle, "--against", tiny_bundle, "--out", out, *rest)
    assert done.returncode == 0, done.stderr
    found = evaluation_of(out)
    outside = [row for row in found.retrieval if not row.inside]
    assert len(outside) == 17
    assert {row.n_items for row in outside} == {200}
    assert [(row.stream, row.cosine, row.share_above_09, row.n_matched) for row in found.stability] == [
        (stream, 1.0, 1.0, 64) for stream in ("dino", "clip_img", "clip_txt")
    ]
    assert Bundle.open(copied).manifest == Bundle.open(tiny_bundle).manifest, "what is measured elsewhere stays"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--second", "nowhere"), "no dino.h5 or dino.npy: give a bundle, or a folder with a file of features per"),
        (("--skip", "probe"), "there is no table 'probe' to skip: choose from"),
        (("--against", "nowhere"), "no bundle at nowhere"),
        (("--config", "nowhere.toml"), "there is no nowhere.toml"),
    ],
)
def test_what_does_not_fit_is_one_sentence(copied: Path, arguments: tuple[str, ...], said: str) -> None:
    before = Bundle.open(copied).manifest
    done = refused("evaluate", copied, *arguments)
    assert said in done.replace("\n", " ")
    assert len(done.strip().splitlines()) == 1
    assert Bundle.open(copied).manifest == before


def test_another_corpus_is_refused(copied: Path, tmp_path: Path) -> None:
    before = Bundle.open(copied).manifest
    streams = '[streams.dino]\nbackbone = "storybook:dino"\n'
    for n_train, seed in ((160, 1), (150, 0)):  # other pictures of the same names; not all of the pictures
        config = tmp_path / f"{n_train}.toml"
        config.write_text(f'[corpus]\nkind = "storybook"\nn_train = {n_train}\nn_test = 40\nseed = {seed}\n{streams}')
        done = refused("evaluate", copied, "--config", config, *QUICK)
        assert 'are not those of the corpus "storybook": give the sparc.toml' in done.replace("\n", " ")
    assert Bundle.open(copied).manifest == before


def test_a_link_stays_a_link_and_here_is_a_place(copied: Path) -> None:
    link = copied.with_name("current")
    link.symlink_to(copied, target_is_directory=True)
    rest = ("--skip", "segmentation", "--skip", "names", "--skip", "retrieval")
    done = run("evaluate", link, *rest)
    assert done.returncode == 0, done.stderr
    assert link.is_symlink()
    evaluated = Bundle.open(copied).manifest
    assert evaluation_of(link).skipped["retrieval"] == "it was not asked for"
    command = [sys.executable, "-m", "index_build.cli", "evaluate", ".", *rest]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    here = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=copied, env=environment)
    assert here.returncode == 0, here.stderr
    assert "already done" in here.stdout
    assert Bundle.open(copied).manifest == evaluated


def test_models_of_other_streams_cannot_be_matched(copied: Path, tmp_path: Path) -> None:
    other, _ = publish_example(tmp_path / "other")
    done = refused("evaluate", copied, "--against", other)
    assert "latents can be matched only between models of the same streams" in done.replace("\n", " ")


def test_only_a_storybook_is_taken_for_one(tiny_bundle: Path, tmp_path: Path) -> None:
    bundle = Bundle.open(tiny_bundle)
    found = storybook_of(bundle)
    assert found is not None
    assert (found.n_train, found.n_test, found.seed, found.picture_size) == (160, 40, 0, 224)
    other_seed = Bundle(bundle.path, bundle.manifest.model_copy(update={"seed": 1}))
    assert storybook_of(other_seed) is None, "other scenes have other pixels"
    example, _ = publish_example(tmp_path / "example")
    assert storybook_of(Bundle.open(example)) is None


def test_an_amended_bundle_is_whole_and_has_another_id(tmp_path: Path) -> None:
    path, manifest = publish_example(tmp_path)
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "evaluation.json").write_text('{"skipped": {"names": "no"}}')
    held = np.load(path / "codes" / "eye.latents.npy", mmap_mode="r")
    amended = amend(Bundle.open(path), tmp_path / "new", {"latents_dead": 0.5}, path)
    assert Bundle.open(path, verify=True).manifest == amended
    assert amended.metrics == {"latents_dead": 0.5}
    assert amended.bundle_id == content_id(amended, amended.files) != manifest.bundle_id
    changed = {name for name in manifest.files if manifest.files[name] != amended.files[name]}
    assert changed == {"evaluation.json"}
    assert held[0, 0] >= 0, "who has the old one open keeps it"
    assert not [name for name in os.listdir(path.parent) if name.startswith(".")]
    again = amend(Bundle.open(path), tmp_path / "new", {"latents_dead": 0.5}, path)
    assert again == amended


def test_an_amended_bundle_without_links_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*arguments: object) -> None:
        raise OSError("no links here")

    path, _ = publish_example(tmp_path)
    (tmp_path / "new").mkdir()
    monkeypatch.setattr(os, "link", refused)
    amend(Bundle.open(path), tmp_path / "new", {}, tmp_path / "out")
    copy = Bundle.open(tmp_path / "out", verify=True)
    assert copy.manifest.files == Bundle.open(path).manifest.files
    assert (copy.path / "items.parquet").stat().st_ino != (path / "items.parquet").stat().st_ino
