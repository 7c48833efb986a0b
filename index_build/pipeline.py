"""The build: corpus -> media -> items -> features -> training -> codes -> postings, vectors, statistics -> bundle.

`index_build.build_steps` has the steps, `index_build.steps` runs and caches them, `index_build.engine` says where.
"""

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pyarrow.parquet as pq

from index_build.build_steps import BuildSteps, read_sparc, read_streams
from index_build.corpora.base import Corpus
from index_build.engine import Engine, LocalEngine
from index_build.features.extraction import BackboneLoader
from index_build.folder_lock import locked
from index_build.recipe import Recipe
from index_build.steps import Display, SilentDisplay, Step, StepResult, run_steps, step_folders
from index_build.threads import one_thread
from sparc_core import __version__
from sparc_core.backbones import load_backbone
from sparc_core.bundle.manifest import CorpusManifest, LabelManifest, Manifest, ManifestDraft
from sparc_core.bundle.place import Place, held
from sparc_core.bundle.writer import publish

_LIBRARIES = ("torch", "numpy", "faiss-cpu", "pyarrow", "pillow", "open_clip_torch", "transformers")


@dataclass(frozen=True)
class BuildReport:
    """A finished build: its manifest, its steps, and the seconds that publishing took."""

    manifest: Manifest
    steps: list[StepResult]
    publish_seconds: float


@dataclass(frozen=True)
class PlannedStep:
    """A step of a build that has not run: whether its result is there already, and where it is or will be."""

    name: str
    done: bool
    folder: Path


def build_bundle(
    corpus: Corpus,
    recipe: Recipe,
    work: Path,
    out: Path | Place,
    display: Display | None = None,
    loader: BackboneLoader = load_backbone,
    engine: Engine | None = None,
) -> BuildReport:
    """Build and publish a bundle, going on where an earlier run with the same settings stopped.

    Args:
        corpus: What to build over.
        recipe: How.
        work: Holds the steps' results; safe to delete when no build runs.
        out: Where the bundle goes; held until it is there.
        display: Shows progress; nothing is shown by default.
        loader: Makes backbones from specs.
        engine: Where heavy steps run; by default this process alone.

    Raises:
        SparcError: Unusable options, corpora, backbones or folders; the message says which.
    """
    steps = BuildSteps(corpus, recipe, loader, engine or LocalEngine()).all()
    with held(out) as place, locked(work), one_thread():
        results = run_steps(steps, work, display or SilentDisplay())
        begun = time.monotonic()
        folders = {name: result.folder for name, result in results.items()}
        with_files = [folder / "bundle" for folder in folders.values() if (folder / "bundle").is_dir()]
        manifest = publish(with_files, _draft(corpus, recipe, folders), place)
        report = BuildReport(manifest, list(results.values()), time.monotonic() - begun)
        _record_times(report, work / "times.json")
    return report


def plan_build(corpus: Corpus, recipe: Recipe, work: Path, loader: BackboneLoader = load_backbone) -> list[PlannedStep]:
    """What a build would do, in order; nothing is written."""
    steps: list[Step] = BuildSteps(corpus, recipe, loader, LocalEngine()).all()
    folders = step_folders(steps, work)
    return [PlannedStep(step.name, folders[step.name].is_dir(), folders[step.name]) for step in steps]


def _draft(corpus: Corpus, recipe: Recipe, folders: Mapping[str, Path]) -> ManifestDraft:
    """What the manifest says besides the files."""
    n_items, n_rejected = (
        pq.read_metadata(folders["items"] / "bundle" / name).num_rows for name in ("items.parquet", "rejected.parquet")
    )
    return ManifestDraft(
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        versions=_versions(),
        seed=recipe.training.seed,
        streams=tuple(s.model_copy(update={"vectors": recipe.vectors}) for s in read_streams(folders["features"])),
        sparc=read_sparc(folders["training"]),
        corpus=CorpusManifest(name=corpus.name, n_items=n_items, n_rejected=n_rejected, licence=corpus.licence),
        labels=tuple(LabelManifest(name=x.name, kind=x.kind, parent=x.parent) for x in corpus.labels),
        metrics=json.loads((folders["evaluation"] / "bundle" / "evaluation.json").read_text())["headline"],
    )


def _versions() -> dict[str, str]:
    versions = {"sparc-explorer": __version__}
    for library in _LIBRARIES:
        try:
            versions[library] = version(library)
        except PackageNotFoundError:
            continue
    return versions


def _record_times(report: BuildReport, path: Path) -> None:
    seconds = {step.name: {"seconds": round(step.seconds, 2), "cached": step.cached} for step in report.steps}
    seconds["publish"] = {"seconds": round(report.publish_seconds, 2), "cached": False}
    with suppress(OSError):  # the bundle is published: that a full disk has no room for this is no failure
        path.write_text(json.dumps(seconds, indent=1) + "\n", encoding="utf-8")
