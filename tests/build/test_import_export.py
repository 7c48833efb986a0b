"""A published run becomes a bundle, the bundle's numbers are the published ones, and they come out again."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from safetensors.numpy import load_file

from index_build.verification import verify_bundle
from sparc_core.bundle import Bundle

GOLDEN = Path(__file__).parents[3] / "shared" / "golden"
pytestmark = pytest.mark.skipif(not GOLDEN.exists(), reason="reference numbers (../shared/golden) are not here")
STREAMS = ("dino", "clip_img", "clip_txt")
N_ITEMS = 300


def build(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "index_build.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def items_table(folder: Path) -> Path:
    """300 tiny pictures with captions, as a CSV."""
    (folder / "pictures").mkdir()
    path = folder / "items.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["item_id", "image", "caption"])
        for i in range(N_ITEMS):
            Image.new("RGB", (8, 8), (i % 256, 2 * i % 256, 9)).save(folder / "pictures" / f"{i}.png")
            writer.writerow([i, f"pictures/{i}.png", f"picture number {i}"])
    return path


def features(run: str) -> list[str | Path]:
    return [part for s in STREAMS for part in ("--features", f"{s}={GOLDEN / run / 'features' / f'{s}.h5'}")]


@pytest.fixture(scope="module", params=["global", "local"])
def imported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Bundle]:
    run, folder = request.param, tmp_path_factory.mktemp(request.param)
    out = folder / "bundle"
    done = build(
        "import", GOLDEN / run / "checkpoint", *features(run), "--items", items_table(folder), "--out", out
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return run, verify_bundle(out)


def test_codes_and_strongest_items_are_the_published_ones(imported: tuple[str, Bundle]) -> None:
    run, bundle = imported
    expected = load_file(GOLDEN / run / "analysis.safetensors")
    for stream in STREAMS:
        for selection, name in (("own", "global_or_native"), ("local", "local")):
            codes = bundle.codes(stream, selection)
            dense = np.zeros((N_ITEMS, bundle.manifest.sparc.n_latents), np.float32)
            np.add.at(dense, (np.arange(N_ITEMS)[:, None], codes.latents.astype(int)), codes.activations)
            np.testing.assert_allclose(dense, expected[f"codes.{name}.{stream}"], atol=2e-3)
        postings = bundle.postings(stream)
        values = expected[f"top.values.{stream}"]
        for latent in range(postings.n_latents):
            found = postings.of(latent).activations[: values.shape[1]]
            wanted = values[latent][np.isfinite(values[latent])]
            np.testing.assert_allclose(found[: len(wanted)], wanted, atol=2e-3)


def test_the_manifest_says_where_the_model_comes_from(imported: tuple[str, Bundle]) -> None:
    run, bundle = imported
    manifest = bundle.manifest
    assert (manifest.sparc.n_latents, manifest.sparc.k, manifest.sparc.selection) == (96, 8, run)
    assert manifest.sparc.recipe["exp_name"] == "golden" if run == "global" else manifest.sparc.recipe
    assert [(s.name, s.modality, s.backbone) for s in manifest.streams] == [
        ("dino", "image", ""), ("clip_img", "image", ""), ("clip_txt", "text", "")
    ]  # fmt: skip
    assert bundle.items[7].caption == "picture number 7"
    assert bundle.items[7].source == "pictures/7.png"
    assert np.isnan(bundle.latents.purity).all()  # the corpus has no labels


def test_a_stream_without_a_backbone_is_served_and_says_what_it_cannot_do(imported: tuple[str, Bundle]) -> None:
    from fastapi.testclient import TestClient

    from server.app import create_app
    from server.settings import Settings

    _, bundle = imported
    settings = Settings(bundle=bundle.path, threads=1, device="cpu")
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        assert client.get("/api/v1/latents").status_code == 200
        assert client.get("/", headers={"accept": "text/html"}).status_code == 200
        assert client.get("/items/7", headers={"accept": "text/html"}).status_code == 200
        for way in ("latent", "reconstruction", "backbone"):
            hits = client.post("/api/v1/retrieve", json={"query": [{"item_id": "7"}], "way": way}).json()["hits"]
            assert hits
        assert client.post("/api/v1/latents/search", json={"item_id": "7"}).json()["latents"]
        answer = client.post("/api/v1/retrieve", json={"query": [{"text": "a cat"}]})
        assert answer.status_code == 422
        assert "no text stream with a backbone" in answer.json()["error"]["message"]
        answer = client.post("/api/v1/heatmaps", json={"caption": "a cat", "streams": ["dino"]})
        assert answer.status_code == 422
        assert "was built from given features" in answer.json()["error"]["message"]


def test_features_and_codes_come_out_in_the_published_layout(imported: tuple[str, Bundle], tmp_path: Path) -> None:
    run, bundle = imported
    done = build("export", bundle.path, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    for stream in STREAMS:
        with h5py.File(GOLDEN / run / "features" / f"{stream}.h5") as wanted:
            raw, indices = wanted["features"][()], wanted["indices"][()]
        with h5py.File(tmp_path / "out" / f"{stream}.h5") as found:
            np.testing.assert_allclose(found["features"], raw / np.linalg.norm(raw, axis=1, keepdims=True), atol=1e-6)
            np.testing.assert_array_equal(found["indices"], indices)
            assert found["item_ids"].asstr()[7] == "7"
            np.testing.assert_array_equal(found["codes/own/latents"], bundle.codes(stream).latents)
            np.testing.assert_array_equal(found["codes/local/activations"], bundle.codes(stream, "local").activations)


def test_what_was_exported_can_be_imported_again(imported: tuple[str, Bundle], tmp_path: Path) -> None:
    _, bundle = imported
    assert build("export", bundle.path, "--out", tmp_path / "out").returncode == 0
    again = [part for s in STREAMS for part in ("--features", f"{s}={tmp_path / 'out' / f'{s}.h5'}")]
    out = tmp_path / "again"
    done = build("import", bundle.sparc_path, *again, "--items", items_table(tmp_path), "--out", out)
    assert done.returncode == 0, done.stderr
    for stream in STREAMS:
        np.testing.assert_array_equal(Bundle.open(out).codes(stream).latents, bundle.codes(stream).latents)


def test_parquet_has_a_row_per_item(imported: tuple[str, Bundle], tmp_path: Path) -> None:
    _, bundle = imported
    assert build("export", bundle.path, "--out", tmp_path, "--format", "parquet").returncode == 0
    table = pq.read_table(tmp_path / "dino.parquet")
    assert table["item_id"].to_pylist() == [str(i) for i in range(N_ITEMS)]
    codes = bundle.codes("dino", "local")
    np.testing.assert_array_equal(np.array(table["local_latents"].to_pylist()), codes.latents)
    np.testing.assert_array_equal(np.array(table["local_activations"].to_pylist(), np.float16), codes.activations)
    stored = np.array(table["features"].to_pylist(), np.float32)
    np.testing.assert_allclose(stored[7], bundle.vectors("dino").reconstruct(7), atol=1e-7)


def spoiled(folder: Path, what: str) -> list[str | Path]:
    """Arguments of an import with one thing wrong."""
    run = folder / "run"
    run.mkdir()
    for name in ("run_config.json", "msae_checkpoint.pth"):
        (run / name).write_bytes((GOLDEN / "global" / "checkpoint" / name).read_bytes())
    arguments: list[str | Path] = ["import", run, *features("global"), "--out", folder / "out"]
    table = items_table(folder)
    match what:
        case "no model":
            (run / "msae_checkpoint.pth").unlink()
        case "no items":
            return arguments
        case "one stream":
            del arguments[-4:-2]
        case "other corpus":
            with h5py.File(folder / "other.h5", "w") as file:
                file["features"] = np.random.RandomState(0).standard_normal((300, 24))
                file["indices"] = np.arange(5000, 5300)
            arguments[3] = f"dino={folder / 'other.h5'}"
        case "narrow":
            np.save(folder / "narrow.npy", np.random.RandomState(0).standard_normal((300, 7)))
            arguments[3] = f"dino={folder / 'narrow.npy'}"
        case "pickle":
            import pickle

            (run / "msae_checkpoint.pth").write_bytes(pickle.dumps(Trap(folder / "ran")))
        case "backbone":
            arguments += ["--backbone", "dino=storybook:unicorn"]
        case "unknown stream":
            arguments += ["--backbone", "dona=storybook:dino"]
    return [*arguments, "--items", table]


class Trap:
    """Leaves a trace if its pickle is run."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (str(self.trace), "w")


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("no model", "there is no .*msae_checkpoint.pth"),
        ("no items", "the bundle needs its items: give --images FOLDER"),
        ("one stream", "has streams dino, clip_img, clip_txt, the build has dino, clip_img"),
        ("other corpus", "have 0% of the corpus's items"),
        ("narrow", "stream dino has features of width 7, the model at .* takes 24"),
        ("pickle", "holds Python objects, which are never run"),
        ("unknown stream", "there are no --features of stream dona"),
    ],
)
def test_what_does_not_fit_is_one_line_and_leaves_no_bundle(tmp_path: Path, what: str, message: str) -> None:
    import re

    done = build(*spoiled(tmp_path, what))
    assert done.returncode == 2, done.stdout
    assert done.stderr.count("\n") == 1
    assert re.search(message, done.stderr), done.stderr
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "ran").exists()


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    arguments = [*spoiled(tmp_path, ""), "--dry-run"]
    before = sorted(tmp_path.rglob("*"))
    done = build(*arguments)
    assert done.returncode == 0, done.stderr
    assert "to do" in done.stdout
    assert sorted(tmp_path.rglob("*")) == before


def test_the_golden_settings_are_what_this_file_says() -> None:
    assert json.loads((GOLDEN / "global" / "checkpoint" / "run_config.json").read_text())["args"]["k"] == 8


def test_pages_of_another_corpus_suggest_its_own_captions(imported: tuple[str, Bundle]) -> None:
    from fastapi.testclient import TestClient

    from server.app import create_app
    from server.settings import Settings

    _, bundle = imported
    with TestClient(create_app(Settings(bundle=bundle.path, threads=1, device="cpu"))) as client:
        page = client.get("/caption", headers={"accept": "text/html"}).text
    first = bundle.items[int(bundle.items.rows_of_split("test")[0])].caption
    assert 'id="examples" hidden' not in page
    assert first in page
    assert "red balloon" not in page
