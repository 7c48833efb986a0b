"""Two builders at one place: the second refuses at once in one sentence, and the first does not notice."""

import fcntl
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from index_build.commands.demo import twin_place
from index_build.pipeline import build_bundle
from index_build.steps import SilentDisplay
from index_build.verification import verify_bundle
from sparc_core.bundle.place import held
from sparc_core.bundle.writer import publish
from sparc_core.errors import BundleError
from tests.build.build_fakes import fake_corpus, fake_recipe, load_fake
from tests.bundle.bundle_examples import example_draft, publish_example, write_example
from tests.faults.builder_examples import WIDTHS, sentence, sparc_build, write_config, write_corpus

_HOLD = """
import sys
from pathlib import Path
from sparc_core.bundle.place import held
from sparc_core.bundle.writer import publish
with held(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def _held_by_another_process(out: Path) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-c", _HOLD, str(out)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        yield holder


class Waiting(SilentDisplay):
    """A build that waits before it trains, and says that it does."""

    def __init__(self) -> None:
        self.waits, self.may_go_on = threading.Event(), threading.Event()

    def started(self, step: str, unit: str) -> None:
        if step == "training":
            self.waits.set()
            assert self.may_go_on.wait(60)


def test_the_second_of_two_builds_refuses_and_the_first_goes_on(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus")
    out, work, waiting = tmp_path / "bundles" / "story", tmp_path / "work", Waiting()
    first = threading.Thread(
        target=build_bundle, args=(fake_corpus(), fake_recipe(), work, out, waiting, load_fake), daemon=True
    )
    first.start()
    assert waiting.waits.wait(60)
    same_out = write_config(tmp_path / "a.toml", corpus, out, tmp_path / "other-work")
    assert sentence(sparc_build("run", same_out)) == (
        f"another process is building {out}: wait until it ends, or choose another --out"
    )
    assert not (tmp_path / "other-work").exists(), "nothing is begun"
    same_work = write_config(tmp_path / "b.toml", corpus, tmp_path / "bundles" / "other", work)
    assert sentence(sparc_build("run", same_work)) == (
        f"folder {work} is in use by another process: wait until it ends, or choose another folder"
    )
    assert sorted(path.name for path in out.parent.iterdir()) == [".story.lock"]
    waiting.may_go_on.set()
    first.join()
    assert verify_bundle(out).manifest.corpus.name == "storybook"
    assert [path.name for path in out.parent.iterdir()] == ["story"]


def test_every_command_that_publishes_holds_its_place(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus")
    out, work = publish_example(tmp_path / "bundles")[0], ("--work", tmp_path / "work")
    features = [part for s in WIDTHS for part in ("--features", f"{s}={corpus / 'features' / s}.npy")]
    commands = [
        ("run", write_config(tmp_path / "sparc.toml", corpus, out, tmp_path / "work")),
        ("demo", "--out", out, *work),
        ("import", corpus, *features, "--images", corpus, "--out", out, *work),
    ]
    with _held_by_another_process(out):
        said = [sentence(sparc_build(*command)) for command in commands]
    assert said == [f"another process is building {out}: wait until it ends, or choose another --out"] * len(commands)
    with _held_by_another_process(twin_place(out)):
        said = [sentence(sparc_build("demo", "--out", out, *work))]
    assert said == [f"another process is building {out}-local: wait until it ends, or choose another --out"]
    assert not (tmp_path / "work").exists()
    assert sorted(path.name for path in out.parent.iterdir()) == ["bundle", "files"]


def test_evaluating_holds_the_bundles_place(tiny_bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / "evaluated"
    with _held_by_another_process(out):
        said = sentence(sparc_build("evaluate", tiny_bundle, "--out", out, "--work", tmp_path / "work"))
    assert said == f"another process is building {out}: wait until it ends, or choose another --out"
    assert list(tmp_path.iterdir()) == []


def test_a_hold_ends_with_its_process(tmp_path: Path) -> None:
    files = write_example(tmp_path / "files")
    out = tmp_path / "bundles" / "story"
    with _held_by_another_process(out) as holder:
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()

        publish([files], example_draft(), out)
    assert [path.name for path in out.parent.iterdir()] == ["story"], "what the killed one left is gone"


def test_a_lock_whose_file_was_removed_meanwhile_is_not_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its holder ended after the file was opened and before it was locked; somebody else may make another."""
    plain, removed = fcntl.flock, []

    def flock(descriptor: int, operation: int) -> None:
        if not removed:
            removed.append((tmp_path / ".story.lock").unlink())
        plain(descriptor, operation)

    monkeypatch.setattr("sparc_core.bundle.place.fcntl.flock", flock)
    with held(tmp_path / "story"):
        assert removed
        with pytest.raises(BundleError, match="another process is building"), held(tmp_path / "story"):
            pytest.fail("it is held twice")
    assert list(tmp_path.iterdir()) == []


def test_one_at_a_time_holds_a_place_however_they_meet(tmp_path: Path) -> None:
    out, inside, most, errors = tmp_path / "story", 0, 0, []
    guard = threading.Lock()

    def hold_often() -> None:
        nonlocal inside, most
        for _ in range(200):
            try:
                with held(out):
                    with guard:
                        inside += 1
                        most = max(most, inside)
                    with guard:
                        inside -= 1
            except BundleError as error:
                errors.append(str(error))

    threads = [threading.Thread(target=hold_often) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    assert all(re.fullmatch(r"another process is building .*", error) for error in errors)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_stops_being_a_bundles_is_not_replaced(tmp_path: Path) -> None:

    files, out = write_example(tmp_path / "files"), tmp_path / "bundles" / "story"
    with held(out) as place:
        out.mkdir()
        (out / "thesis.tex").write_text("years of work")
        with pytest.raises(BundleError, match="is there and is no bundle, so it is not replaced"):
            publish([files], example_draft(), place)
    assert (out / "thesis.tex").read_text() == "years of work"
    assert [path.name for path in out.parent.iterdir()] == ["story"]
