"""`sparc-build compare` as a user runs it, on small bundles with real models."""

import csv
import io
import json
from pathlib import Path

import pytest
import torch
import typer
from typer.testing import CliRunner, Result

from index_build.commands.compare import compare
from sparc_core.bundle.writer import publish
from sparc_core.checkpoint import save_sparc
from sparc_core.evaluation.results import Evaluation, ProbeMean
from sparc_core.model import Sparc, SparcConfig
from tests.bundle.bundle_examples import N_LATENTS, STREAMS, K, example_draft, write_example
from tests.evaluation.evaluation_examples import example_evaluation

_APP = typer.Typer()
_APP.command()(compare)


def _run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(_APP, [*map(str, arguments)], env={"COLUMNS": "200"})


def _model(seed: int, streams: dict[str, int] = STREAMS) -> Sparc:
    return Sparc(SparcConfig(streams, N_LATENTS, K), torch.Generator().manual_seed(seed))


def _bundle(out: Path, evaluation: str, model: Sparc | None = None, recipe: dict[str, float] | None = None) -> Path:
    files = write_example(out.with_name(f"{out.name}.files"))
    (files / "evaluation.json").write_text(evaluation)
    if model is not None:
        save_sparc(model, files / "sparc.safetensors")
    draft = example_draft()
    publish([files], draft.model_copy(update={"sparc": draft.sparc.model_copy(update={"recipe": recipe or {}})}), out)
    return out


def _measured(cross_entropy: float) -> str:
    mean = ProbeMean(stream="eye", n_classes=2, cross_entropy=cross_entropy, accuracy=0.75)
    return Evaluation(probe_means=(mean,)).model_dump_json()


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    """Two bundles whose models have the same latents in another order."""
    first, second = _model(0), _model(1)
    order = torch.randperm(N_LATENTS, generator=torch.Generator().manual_seed(2))
    for stream in STREAMS:
        second.autoencoder(stream).dictionary.data = first.autoencoder(stream).dictionary.data[order]
    return (
        _bundle(tmp_path / "one", _measured(0.3), first, {"cross_loss_coef": 1.0}),
        _bundle(tmp_path / "deux", _measured(0.4), second),
    )


def _rows(text: str) -> dict[tuple[str, str], list[str]]:
    return {(row[0], row[1]): row[2:] for row in csv.reader(io.StringIO(text))}


def test_bundles_stand_side_by_side(two: tuple[Path, Path]) -> None:
    done = _run(*two, "--format", "csv")
    assert (done.exit_code, done.stderr) == (0, "")
    rows = _rows(done.stdout)
    assert rows["table", "figure"] == ["one", "deux"]
    assert rows["bundles", "corpus"] == ["example", "example"]
    assert rows["bundles", "items"] == ["9", "9"]
    assert rows["bundles", "selection"] == ["global", "global"]
    assert rows["bundles", "λ"] == ["1", ""]
    assert len(set(rows["bundles", "bundle"])) == 2
    assert rows["probes", "eye, cross-entropy"] == ["0.3", "0.4"]
    assert rows["stability", "with one, eye, mean cosine"] == ["", "1.0"]
    assert rows["stability", "with one, text, share at 0.9 or more"] == ["", "1.0"]


def test_a_terminal_shows_tables(two: tuple[Path, Path]) -> None:
    done = _run(*two)
    assert done.exit_code == 0
    for text in ("What is compared", "one", "deux", "Classes told by one latent", "0.300", "0.693 is chance", "–"):
        assert text in done.stdout


def test_published_figures_stand_beside_one_bundle(two: tuple[Path, Path]) -> None:
    done = _run(two[0], "--published", "--format", "csv")
    assert (done.exit_code, done.stderr) == (0, "")
    rows = _rows(done.stdout)
    titles = ["one", *(f"published_{one}_λ_{weight}" for one in ("global", "local") for weight in (1, 0))]
    assert rows["table", "figure"] == titles
    assert rows["bundles", "bundle"][1:] == ["", "", "", ""]
    assert rows["bundles", "items"][1] == "126,020"
    assert rows["bundles", "selection"] == ["global", "global", "global", "local", "local"]
    assert rows["bundles", "λ"] == ["1", "1", "0", "1", "0"]
    assert rows["profiles", "depth 0, all latents"] == ["", "0.8118", "0.8054", "0.3238", "0.3458"]
    assert not any(table == "stability" for table, _ in rows)


@pytest.mark.parametrize("format_", ["csv", "latex", "json"])
def test_out_holds_what_would_be_printed(two: tuple[Path, Path], tmp_path: Path, format_: str) -> None:
    out = tmp_path / "new" / "comparison"
    printed, written = _run(*two, "--format", format_), _run(*two, "--format", format_, "--out", out)
    assert (printed.exit_code, written.exit_code) == (0, 0)
    assert out.read_bytes().decode() == printed.stdout_bytes.decode()
    assert written.stdout == f"wrote {out}\n"
    assert [path.name for path in out.parent.iterdir()] == ["comparison"]


def test_json_and_latex_hold_every_table(two: tuple[Path, Path]) -> None:
    tables = json.loads(_run(*two, "--format", "json").stdout)
    assert [table["name"] for table in tables] == ["bundles", "probes", "stability"]
    assert _run(*two, "--format", "latex").stdout.count(r"\begin{table}") == 3


def test_columns_are_told_apart_where_folders_have_one_name(tmp_path: Path) -> None:
    paths = [_bundle(tmp_path / place / "bundle", _measured(0.3), _model(0)) for place in "ab"]
    (table, *_) = json.loads(_run(*paths, "--format", "json").stdout)
    assert [column["title"] for column in table["columns"]] == ["Figure", "bundle", "bundle (2)"]


def test_streams_of_other_widths_are_not_matched(two: tuple[Path, Path], tmp_path: Path) -> None:
    wide = _bundle(tmp_path / "wide", _measured(0.5), _model(3, {"eye": 4, "text": 7, "ear": 3}))
    rows = _rows(_run(two[0], wide, "--format", "csv").stdout)
    assert {figure for table, figure in rows if table == "stability"} == {
        "with one, eye, mean cosine", "with one, eye, share at 0.9 or more"
    }  # fmt: skip


def test_a_model_that_cannot_be_read_is_said_and_left_out(two: tuple[Path, Path], tmp_path: Path) -> None:
    broken = _bundle(tmp_path / "broken", _measured(0.5))
    for paths in ([two[0], broken], [broken, two[0]]):
        done = _run(*paths, "--format", "csv")
        assert done.exit_code == 0
        assert done.stderr.startswith("latents are not matched: checkpoint ")
        assert len(done.stderr.splitlines()) == 1
        assert not any(table == "stability" for table, _ in _rows(done.stdout))


def test_stability_that_was_measured_before_gives_way(two: tuple[Path, Path], tmp_path: Path) -> None:
    # It is about bundles that are not among those compared.
    again = _bundle(tmp_path / "again", example_evaluation().model_dump_json(), _model(0))
    rows = _rows(_run(again, two[1], "--format", "csv").stdout)
    assert {figure for table, figure in rows if table == "stability"} == {
        f"with again, {stream}, {measure}" for stream in STREAMS for measure in ("mean cosine", "share at 0.9 or more")
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["one"], "one bundle has nothing to be compared with: name another, or give --published"),
        (["one", "deux", "--out", "x"], "tables for a terminal go to no file: give --format csv, latex or json"),
        (["one", "nowhere"], "no bundle at"),
        (["damaged", "one"], "evaluation.json is damaged: probe_means.0.stream: field required: run"),
        (["no_json", "one"], "evaluation.json is damaged: its text: invalid json"),
        (["empty", "empty"], "nothing was measured of"),
    ],
)
def test_what_is_wrong_is_one_line(two: tuple[Path, Path], tmp_path: Path, arguments: list[str], message: str) -> None:
    damaged = {"damaged": '{"probe_means": [{"n_classes": 1}]}', "no_json": "{", "empty": "{}"}
    for name in {*arguments} & damaged.keys():
        _bundle(tmp_path / name, damaged[name], _model(0))
    done = _run(*(argument if argument.startswith("-") else tmp_path / argument for argument in arguments))
    assert done.exit_code == 2
    assert done.stderr.startswith("error: ")
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""
