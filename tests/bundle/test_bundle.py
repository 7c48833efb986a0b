"""Publishing and opening a bundle, and every way in which one can be damaged."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sparc_core.bundle import Bundle
from sparc_core.bundle.manifest import required_files
from sparc_core.bundle.tables import latent_schema
from sparc_core.bundle.writer import publish
from sparc_core.errors import BundleError, NotFoundError
from tests.bundle.bundle_examples import (
    N_ITEMS,
    STREAMS,
    example_codes,
    example_draft,
    example_features,
    example_latents,
    publish_example,
    write_example,
)

DOCS = Path(__file__).parents[2] / "docs" / "bundle.md"


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """A whole bundle that a test may damage."""
    return publish_example(tmp_path)[0]


def test_an_opened_bundle_is_what_was_published(tmp_path: Path) -> None:
    path, manifest = publish_example(tmp_path)
    bundle = Bundle.open(path, verify=True)
    assert bundle.manifest == manifest
    assert len(bundle.items) == N_ITEMS
    item = bundle.items[7]
    assert (item.row, item.item_id, item.caption, item.labels, item.split) == (7, "i7", "cat 7", ("cat",), "test")
    assert bundle.items.row_of("i7") == 7
    assert bundle.items.rows_of_split("test").tolist() == [6, 7, 8]
    assert [item.row for item in bundle.items.take(np.array([3, 1]))] == [3, 1]
    assert bundle.media_path(7).read_bytes() == b"picture of i7"
    assert bundle.sparc_path.read_bytes() == b"weights"
    for seed, (stream, d) in enumerate(STREAMS.items()):
        for local, selection in enumerate(("own", "local")):
            codes, expected = bundle.codes(stream, selection), example_codes(2 * seed + local)
            assert np.array_equal(codes.latents, expected.latents)
            assert np.array_equal(codes.activations, expected.activations)
        scores, rows = bundle.vectors(stream).search(example_features(d), 1)
        assert rows[:, 0].tolist() == list(range(N_ITEMS))
        np.testing.assert_allclose(scores, 1, atol=1e-5)
    assert bundle.postings("eye") is bundle.postings("eye") is not bundle.local_postings("eye")


def test_the_latent_table_is_read_as_written(published: Path) -> None:
    read, written = Bundle.open(published).latents, example_latents()
    for name, column in vars(written).items():
        if isinstance(column, dict):
            for stream in column:
                np.testing.assert_array_equal(getattr(read, name)[stream], column[stream])
        elif isinstance(column, np.ndarray):
            np.testing.assert_array_equal(getattr(read, name), column)
            assert getattr(read, name).dtype == column.dtype
        else:
            assert getattr(read, name) == column


def test_the_id_is_of_the_content_not_of_the_clock(tmp_path: Path) -> None:
    files = write_example(tmp_path / "files")
    first = publish([files], example_draft("2026-01-01"), tmp_path / "a")
    later = publish([files], example_draft("2027-01-01"), tmp_path / "b")
    (files / "media" / "i0.webp").write_bytes(b"other")
    other = publish([files], example_draft("2026-01-01"), tmp_path / "c")
    assert first.bundle_id == later.bundle_id != other.bundle_id


def test_the_same_content_is_not_published_twice(tmp_path: Path) -> None:
    path, first = publish_example(tmp_path)
    inode = (path / "manifest.json").stat().st_ino
    again = publish([tmp_path / "files"], example_draft("2027-01-01"), path)
    assert again == first
    assert (path / "manifest.json").stat().st_ino == inode


def test_a_damaged_bundle_is_replaced(tmp_path: Path) -> None:
    path, first = publish_example(tmp_path)
    (path / "media" / "i3.webp").unlink()
    assert publish([tmp_path / "files"], example_draft(), path) == first
    Bundle.open(path, verify=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bundle", "files"]


def test_a_bundle_lost_between_two_renames_comes_back(tmp_path: Path) -> None:
    path, _ = publish_example(tmp_path)
    path.rename(tmp_path / ".bundle.old")
    (tmp_path / ".bundle.partial").mkdir()
    publish([tmp_path / "files"], example_draft(), path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bundle", "files"]


def test_an_open_bundle_outlives_its_replacement(tmp_path: Path) -> None:
    path, _ = publish_example(tmp_path)
    bundle = Bundle.open(path)
    codes, posting = bundle.codes("eye"), bundle.postings("eye").of(int(bundle.codes("eye").latents[0, 0]))
    before = (codes.latents.copy(), posting.items.copy())
    (tmp_path / "files" / "media" / "i0.webp").write_bytes(b"other")
    publish([tmp_path / "files"], example_draft(), path)
    assert np.array_equal(codes.latents, before[0])
    assert np.array_equal(posting.items, before[1])


def test_what_is_no_bundle_is_not_replaced(tmp_path: Path) -> None:
    files = write_example(tmp_path / "files")
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("years of work")
    with pytest.raises(BundleError, match="is no bundle, so it is not replaced"):
        publish([files], example_draft(), tmp_path / "thesis")
    assert (tmp_path / "thesis" / "chapter.tex").exists()


def test_an_incomplete_bundle_is_not_published(tmp_path: Path) -> None:
    files = write_example(tmp_path / "files")
    (files / "codes" / "eye.latents.npy").unlink()
    with pytest.raises(BundleError, match=r"codes/eye\.latents\.npy was not built"):
        publish([files], example_draft(), tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def _every_file() -> list[str]:
    return sorted(required_files(example_draft().streams))


@pytest.mark.parametrize("name", _every_file())
def test_a_missing_file_is_named(published: Path, name: str) -> None:
    (published / name).unlink()
    with pytest.raises(BundleError, match=f"{name} is missing: rebuild"):
        Bundle.open(published)


@pytest.mark.parametrize("name", _every_file())
def test_a_truncated_file_is_named(published: Path, name: str) -> None:
    data = (published / name).read_bytes()
    (published / name).write_bytes(data[:-1])
    with pytest.raises(BundleError, match=f"{name} is truncated: {len(data) - 1} bytes, the manifest says {len(data)}"):
        Bundle.open(published)


@pytest.mark.parametrize("name", [*_every_file(), "media/i4.webp"])
def test_an_altered_file_is_named_by_verifying(published: Path, name: str) -> None:
    data = bytearray((published / name).read_bytes())
    data[len(data) // 2] ^= 1
    (published / name).write_bytes(bytes(data))
    Bundle.open(published)
    with pytest.raises(BundleError, match=f"{name} was altered"):
        Bundle.open(published, verify=True)


def test_a_missing_picture_is_named_by_verifying(published: Path) -> None:
    (published / "media" / "i2.webp").unlink()
    with pytest.raises(BundleError, match=r"media/i2\.webp is missing"):
        Bundle.open(published, verify=True)


def test_a_longer_file_is_named(published: Path) -> None:
    with (published / "items.parquet").open("ab") as file:
        file.write(b"x")
    with pytest.raises(BundleError, match=r"items\.parquet is too long"):
        Bundle.open(published)


def _edit(change: Callable[[dict], object]) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        data = json.loads((path / "manifest.json").read_text())
        change(data)
        (path / "manifest.json").write_text(json.dumps(data))

    return damage


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: shutil.rmtree(path), "there is no such folder; build one with"),
        (lambda path: (path / "manifest.json").unlink(), "it has no manifest.json"),
        (lambda path: (shutil.rmtree(path), path.write_text("x")), "it is a file, and a bundle is a folder"),
        (
            lambda path: (path / "manifest.json").write_text('{"schema_version": 1,'),
            "manifest.json is damaged, not JSON",
        ),
        (lambda path: (path / "manifest.json").write_bytes(b"\xff\xfe\x00"), "manifest.json is damaged, not JSON"),
        (lambda path: (path / "manifest.json").write_text("[" * 100_000), "manifest.json is damaged, not JSON"),
        (lambda path: (path / "manifest.json").write_text("[]"), "it has no schema_version"),
        (_edit(lambda data: data.update(schema_version=2)), r"has schema 2, this version reads 4: rebuild it with"),
        (_edit(lambda data: data.update(schema_version=True)), "schema_version is True, no such version"),
        (_edit(lambda data: data.pop("streams")), "manifest.json is damaged: streams: field required"),
        (_edit(lambda data: data.update(extra=1)), "manifest.json is damaged: extra: extra inputs"),
        (_edit(lambda data: data["sparc"].update(k=0)), r"manifest.json is damaged: sparc\.k"),
        (_edit(lambda data: data["files"].pop("items.parquet")), r"it does not list items\.parquet"),
        (
            _edit(lambda data: data["files"].update({"../x": data["files"]["items.parquet"]})),
            r'lists "\.\./x", which is not a path inside the bundle',
        ),
    ],
)
def test_a_damaged_manifest_is_explained_in_one_line(published: Path, damage: Callable, message: str) -> None:
    damage(published)
    with pytest.raises(BundleError, match=message) as caught:
        Bundle.open(published)
    assert "\n" not in str(caught.value)


def test_an_altered_manifest_is_found_by_verifying(published: Path) -> None:
    _edit(lambda data: data["metrics"].update(latents_dead=0.5))(published)
    Bundle.open(published)
    with pytest.raises(BundleError, match=r"manifest\.json was altered"):
        Bundle.open(published, verify=True)


@pytest.mark.parametrize(
    ("name", "use"),
    [
        ("items.parquet", lambda bundle: bundle.items),
        ("latents.parquet", lambda bundle: bundle.latents),
        ("codes/eye.latents.npy", lambda bundle: bundle.codes("eye")),
        ("codes_local/text.activations.npy", lambda bundle: bundle.codes("text", "local")),
        ("postings/eye.faiss", lambda bundle: bundle.postings("eye")),
        ("vectors/text.faiss", lambda bundle: bundle.vectors("text")),
    ],
)
def test_nonsense_of_the_right_size_is_named_on_first_use(published: Path, name: str, use: Callable) -> None:
    size = (published / name).stat().st_size
    (published / name).write_bytes(b"nonsense" * size)
    with (published / name).open("r+b") as file:
        file.truncate(size)
    bundle = Bundle.open(published)
    with pytest.raises(BundleError, match=f"{name} is damaged") as caught:
        use(bundle)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "use", "message"),
    [
        (lambda d: d["corpus"].update(n_items=8), lambda b: b.items, "9 rows, the manifest says 8"),
        (lambda d: d["corpus"].update(n_items=8), lambda b: b.codes("eye"), r"the manifest says uint8 \[8, 3\]"),
        (lambda d: d["corpus"].update(n_items=8), lambda b: b.vectors("eye"), "holds 9 vectors"),
        (lambda d: d["sparc"].update(n_latents=300), lambda b: b.codes("eye"), "the manifest says uint16"),
        (lambda d: d["sparc"].update(n_latents=300), lambda b: b.postings("eye"), "posting lists of 300 latents"),
        (lambda d: d["sparc"].update(n_latents=300), lambda b: b.latents, "12 rows, the manifest says 300"),
    ],
)
def test_parts_that_do_not_fit_the_manifest_are_named(
    published: Path, change: Callable, use: Callable, message: str
) -> None:
    _edit(change)(published)
    with pytest.raises(BundleError, match=message):
        use(Bundle.open(published))


@pytest.mark.parametrize(
    ("use", "code"),
    [
        (lambda bundle: bundle.codes("nose"), "stream_not_found"),
        (lambda bundle: bundle.items[N_ITEMS], "item_not_found"),
        (lambda bundle: bundle.items[-1], "item_not_found"),
        (lambda bundle: bundle.items.row_of("i99"), "item_not_found"),
        (lambda bundle: bundle.media_path(99), "item_not_found"),
    ],
)
def test_what_is_not_there_is_not_found(published: Path, use: Callable, code: str) -> None:
    with pytest.raises(NotFoundError) as caught:
        use(Bundle.open(published))
    assert caught.value.code == code


def test_opening_imports_neither_torch_nor_faiss(published: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from sparc_core.bundle import Bundle; Bundle.open(Path(sys.argv[1]));"
        "print([name for name in ('torch', 'faiss', 'pyarrow') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script, str(published)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_document_names_every_file_field_and_column() -> None:
    text = DOCS.read_text(encoding="utf-8")
    schema = Bundle.__init__.__globals__["Manifest"].model_json_schema()
    fields = [*schema["properties"], *(name for model in schema["$defs"].values() for name in model["properties"])]
    names = [name.replace("_eye~ear", "_<a>~<b>") for name in latent_schema(["eye", "ear"]).names]
    columns = [name.replace("_eye", "_<stream>") for name in names if not name.endswith("_ear")]
    files = {name.replace("eye", "<stream>").replace("text.", "<stream>.") for name in _every_file()}
    missing = [name for name in [*fields, *columns, *files] if f"`{name}`" not in text]
    assert missing == []
