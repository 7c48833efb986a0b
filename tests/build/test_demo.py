"""The demo and its twin, small: what they share, what sets them apart, and that a second run finds all of it done."""

import shutil
from collections import Counter
from pathlib import Path

import pytest
import typer

from index_build.commands import demo as command
from index_build.commands.demo import demo, twin_place
from index_build.recipe import Recipe
from index_build.training.options import TrainingOptions
from sparc_core.bundle import Bundle

SHARED = ("corpus", "media", "items", "features", "vectors")
OWN = ("training", "codes", "postings", "statistics", "evaluation")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Heatmaps are not measured, which would take as long as all the rest."""
    monkeypatch.setattr(command, "demo_recipe", lambda seed: Recipe(TrainingOptions.storybook(seed=seed)))


def built(folder: Path, twin: bool = True) -> None:
    demo(folder / "story", folder / "work", train_items=40, test_items=20, seed=3, twin=twin)


def changed_at(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


@pytest.mark.usefixtures("quick")
def test_the_demo_builds_a_twin_that_differs_in_training_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    built(tmp_path, twin=False)
    assert [path.name for path in tmp_path.iterdir() if path.name != "work"] == ["story"]
    first = changed_at(tmp_path / "story")
    built(tmp_path)
    main, twin = (Bundle.open(tmp_path / name, verify=True) for name in ("story", "story-local"))
    assert changed_at(tmp_path / "story") == first, "a bundle that is there is left alone"
    steps = Counter(path.name.partition("-")[0] for path in (tmp_path / "work" / "steps").iterdir())
    assert steps == {**dict.fromkeys(SHARED, 1), **dict.fromkeys(OWN, 2)}
    recipes = [bundle.manifest.sparc.recipe for bundle in (main, twin)]
    different = {
        name: (recipes[0][name], recipes[1][name]) for name in recipes[0] if recipes[0][name] != recipes[1][name]
    }
    assert different == {"selection": ("global", "local"), "cross_loss_coef": (2.0, 0.0)}
    assert (main.manifest.seed, twin.manifest.seed) == (3, 3)
    assert "segmentation" in twin.evaluation.skipped
    for file in ("items.parquet", "vectors/dino.faiss"):
        assert main.manifest.files[file] == twin.manifest.files[file]
    said = capsys.readouterr().out.splitlines()
    assert said[-1] == (
        f"bundle {twin.manifest.bundle_id} at {tmp_path}/story-local, 60 items: "
        f"sparc-serve --bundle {tmp_path}/story --beside {tmp_path}/story-local"
    )
    shutil.rmtree(tmp_path / "story")
    built(tmp_path)
    again = [line for line in capsys.readouterr().out.splitlines() if line.startswith((*SHARED, *OWN))]
    assert len(again) == 2 * len(SHARED + OWN)
    assert all(line.endswith("already done") for line in again)
    assert Bundle.open(tmp_path / "story").manifest.bundle_id == main.manifest.bundle_id


def test_a_place_of_the_twin_that_is_taken_is_said_before_anything_is_built(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    twin_place(tmp_path / "story").write_text("not a bundle")
    with pytest.raises(typer.Exit) as stopped:
        built(tmp_path)
    assert stopped.value.exit_code == 2
    assert "story-local is there and is no bundle" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["story-local"]
