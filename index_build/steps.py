"""Named steps with a cache: each step's result lies in the work folder under the hash of everything it depends on.

A step writes into a folder named `.part`, which is renamed when the step is done; so a result is there or not, and
whatever kills the builder, the next run goes on. A step may find its own files in the `.part` folder and keep them.
"""

import hashlib
import importlib.util
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from index_build.workers import ProgressReport
from sparc_core.full_disk import full_disk_said

_KEY_DIGITS = 16


@dataclass(frozen=True)
class StepContext:
    """What a running step gets: its folder, the finished folders of the steps it needs, and a progress report."""

    folder: Path
    inputs: Mapping[str, Path]
    report: ProgressReport

    @property
    def bundle(self) -> Path:
        """Files written here go into the bundle, under the same relative path."""
        return self.folder / "bundle"


@dataclass(frozen=True)
class Step:
    """One step.

    Attributes:
        name: Unique within a build.
        needs: Names of earlier steps whose results it reads.
        settings: JSON values that decide its result.
        sources: Modules and packages whose files decide its result.
        run: Does the work.
        unit: What its progress counts.
    """

    name: str
    needs: tuple[str, ...]
    settings: Mapping[str, Any]
    sources: tuple[str, ...]
    run: Callable[[StepContext], None]
    unit: str = ""


@dataclass(frozen=True)
class StepResult:
    """A finished step: where its result lies, how long it took this time, whether it was there already."""

    name: str
    folder: Path
    seconds: float
    cached: bool


class Display(Protocol):
    """Shows a build's progress."""

    def started(self, step: str, unit: str) -> None:
        """The step begins to work; its progress counts things of that unit."""

    def progress(self, step: str, done: int, total: int) -> None:
        """The step has done this much."""

    def finished(self, result: StepResult) -> None:
        """The step's result is there."""


class SilentDisplay:
    """Shows nothing."""

    def started(self, step: str, unit: str) -> None:
        """Nothing."""

    def progress(self, step: str, done: int, total: int) -> None:
        """Nothing."""

    def finished(self, result: StepResult) -> None:
        """Nothing."""


def run_steps(steps: Sequence[Step], work: Path, display: Display) -> dict[str, StepResult]:
    """Run the steps in order, skipping those whose result is there.

    Args:
        steps: Each after those it needs.
        work: The work folder; hold its lock (`folder_lock.locked`).
        display: Told of everything.

    Returns:
        The results by step name.
    """
    results: dict[str, StepResult] = {}
    folders = step_folders(steps, work)
    for step in steps:
        folder = folders[step.name]
        inputs = {name: results[name].folder for name in step.needs}
        results[step.name] = _run_step(step, folder, inputs, display)
        display.finished(results[step.name])
    return results


def step_folders(steps: Sequence[Step], work: Path) -> dict[str, Path]:
    """Where each step's result is or will be, by its name; it is there already where the folder is."""
    keys: dict[str, str] = {}
    for step in steps:
        keys[step.name] = _key(step, {name: keys[name] for name in step.needs})
    return {name: work / "steps" / f"{name}-{key}" for name, key in keys.items()}


def _run_step(step: Step, folder: Path, inputs: Mapping[str, Path], display: Display) -> StepResult:
    if folder.is_dir():
        return StepResult(step.name, folder, 0.0, cached=True)
    display.started(step.name, step.unit)
    begun = time.monotonic()
    partial = folder.with_name(folder.name + ".part")
    with full_disk_said(f"step {step.name}", folder.parent):
        partial.mkdir(parents=True, exist_ok=True)
        step.run(StepContext(partial, inputs, lambda done, total: display.progress(step.name, done, total)))
        partial.rename(folder)
    return StepResult(step.name, folder, time.monotonic() - begun, cached=False)


def _key(step: Step, inputs: Mapping[str, str]) -> str:
    content = {
        "name": step.name,
        "settings": dict(step.settings),
        "inputs": dict(inputs),
        "sources": {source: _source_hash(source) for source in step.sources},
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:_KEY_DIGITS]


def _source_hash(module: str) -> str:
    """Hash of a module's file, or of every file of a package (weights and sprites too)."""
    spec = importlib.util.find_spec(module)
    assert spec is not None, f"there is no module {module}"
    assert spec.origin is not None, f"{module} has no file"
    origin = Path(spec.origin)
    files = [origin]
    if spec.submodule_search_locations is not None:
        files = [path for path in origin.parent.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(path.relative_to(origin.parent).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
