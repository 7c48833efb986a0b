"""Storages: folders of this machine and what fsspec reaches."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import fsspec
import pytest

from index_build.corpora.storage import Storage, expand, fingerprint, locate, locate_file, locate_files
from sparc_core.errors import InputError

NAMES = ["a-b.jpg", "a/c.jpg", "a/d/e.txt", "b.png"]


def _fill(folder: Path) -> None:
    for name in [*NAMES, ".hidden/x.jpg", "a/.DS_Store", "__MACOSX/a.jpg", "Thumbs.db"]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())


@pytest.fixture(params=["local", "memory", "file"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    """The same files in three kinds of places."""
    _fill(tmp_path)
    if request.param == "memory":
        system = fsspec.filesystem("memory")
        system.put(str(tmp_path) + "/", f"{tmp_path}/", recursive=True)
        return Storage(locate(Path("/nowhere"), f"memory://{tmp_path}"))
    prefix = "file://" if request.param == "file" else ""
    return Storage(locate(Path("/nowhere"), f"{prefix}{tmp_path}"))


def test_lists_sorted_by_path_without_what_systems_leave_behind(storage: Storage) -> None:
    assert [stat.name for stat in storage.list()] == NAMES
    assert [stat.size for stat in storage.list()] == [7, 7, 9, 5]


def test_reads_whole_files_and_ranges(storage: Storage) -> None:
    copy = pickle.loads(pickle.dumps(storage))
    assert copy.read("a/c.jpg") == b"a/c.jpg"
    assert copy.read_range("a/c.jpg", 2, 3) == b"c.j"
    with copy.open("b.png") as file:
        file.seek(2)
        assert file.read() == b"png"
    assert copy.stat("b.png").size == 5


def test_what_is_not_there_is_said(storage: Storage) -> None:
    with pytest.raises(FileNotFoundError):
        storage.read("a/none.jpg")
    with pytest.raises(InputError, match=r'there is no file ".*a/none.jpg": check the path'):
        storage.require("a/none.jpg")
    with pytest.raises(OSError, match=r"ends before byte 12: it was cut off or replaced"):
        storage.read_range("a/c.jpg", 2, 10)
    with pytest.raises(InputError, match="there is no folder"):
        list(Storage(storage.location + "/none").list())


def test_a_file_is_no_folder_and_a_folder_no_file(tmp_path: Path) -> None:
    _fill(tmp_path)
    with pytest.raises(InputError, match="is a file, a folder is expected"):
        list(Storage(f"{tmp_path}/b.png").list())
    with pytest.raises(InputError, match="is a folder, a file is expected"):
        Storage(str(tmp_path)).require("a")


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "x.jpg").write_bytes(b"x")
    (tmp_path / "in" / "link").symlink_to(tmp_path / "out")
    (tmp_path / "in" / "circle").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "broken.jpg").symlink_to(tmp_path / "gone.jpg")
    found = list(Storage(f"{tmp_path}/in").list())
    assert [stat.name for stat in found] == ["broken.jpg", "link/x.jpg"]
    assert found[0].version == "missing"


def test_a_fingerprint_follows_names_sizes_and_times(tmp_path: Path) -> None:
    _fill(tmp_path)
    storage, path = Storage(str(tmp_path)), tmp_path / "b.png"
    prints = [fingerprint(storage.list())]
    assert fingerprint(storage.list()) == prints[0]
    os.utime(path, ns=(1, 1))
    prints.append(fingerprint(storage.list()))
    path.write_bytes(b"longer than before")
    os.utime(path, ns=(1, 1))
    prints.append(fingerprint(storage.list()))
    path.rename(tmp_path / "c.png")
    prints.append(fingerprint(storage.list()))
    assert len(set(prints)) == 4


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pictures", "/data/set/pictures"),
        ("../other/./x", "/data/other/x"),
        ("/abs/x/", "/abs/x"),
        ("file:///abs/x", "/abs/x"),
        ("s3://bucket/x/", "s3://bucket/x"),
        ("memory://", "memory://"),
    ],
)
def test_relative_paths_are_relative_to_the_build_file(text: str, expected: str) -> None:
    assert locate(Path("/data/set"), text) == expected


def test_a_relative_base_is_relative_to_the_working_folder() -> None:
    assert locate(Path("sets"), "x") == f"{os.getcwd()}/sets/x"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a.tar", ["a.tar"]),
        ("s-{008..011}.tar", ["s-008.tar", "s-009.tar", "s-010.tar", "s-011.tar"]),
        ("s-{9..10}", ["s-9", "s-10"]),
        ("{a,b}/{0..1}", ["a/0", "a/1", "b/0", "b/1"]),
    ],
)
def test_braces(text: str, expected: list[str]) -> None:
    assert expand(text) == expected


@pytest.mark.parametrize("text", ["s-{9..1}", "s-{}", "s-{a}", "{0..9999}{0..9999}", "{0..99999999999}"])
def test_odd_braces_are_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"braces|means"):
        expand(text)


def test_files_share_the_deepest_folder() -> None:
    base = Path("/d")
    assert locate_files(base, ["a/x.tar", "a/b/y.tar"]) == (Storage("/d/a"), ("x.tar", "b/y.tar"))
    assert locate_files(base, "s3://bucket/a/{x,y}.tar") == (Storage("s3://bucket/a"), ("x.tar", "y.tar"))
    assert locate_file(base, "memory://t.csv") == (Storage("memory://"), "t.csv")
    assert locate_file(base, "t.csv") == (Storage("/d"), "t.csv")
    with pytest.raises(InputError, match="different places"):
        locate_files(base, ["a.tar", "s3://bucket/b.tar"])
    with pytest.raises(InputError, match="name at least one"):
        locate_files(base, [])


def test_an_unknown_protocol_is_an_input_error() -> None:
    with pytest.raises(InputError, match='"nonsense://x" cannot be opened'):
        list(Storage("nonsense://x").list())


def test_local_files_need_no_fsspec(tmp_path: Path) -> None:
    (tmp_path / "x.jpg").write_bytes(b"x")
    code = (
        "import sys; from index_build.corpora import FolderSettings, open_corpus; from pathlib import Path\n"
        "corpus = open_corpus(FolderSettings(path=sys.argv[1]), Path()); list(corpus.items()); corpus.settings\n"
        "heavy = {'torch', 'fsspec', 'pyarrow', 'datasets', 'pycocotools'} & set(sys.modules)\n"
        "sys.exit(str(heavy or 0))"
    )
    result = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)
    assert result.stderr.strip() == "0"
