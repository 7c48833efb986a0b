"""Open Images: narratives, human-verified labels, descriptions and hierarchy in the published formats."""

import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import fsspec
import pytest
from pydantic import ValidationError

from index_build.corpora import CorpusItem, Label, OpenImagesSettings, open_corpus
from index_build.corpora.base import Corpus
from sparc_core.errors import InputError
from tests.corpora.picture_files import by_id, items_of, rejected_of, write_pictures

FIXTURES = Path(__file__).parent / "fixtures" / "open_images"
IDS = ("000b1c2d3e4f5a6b", "0a1b2c3d4e5f6071", "ff00aa11bb22cc33")
ALL = {
    "narratives": "open_images_test_captions.jsonl",
    "image_labels": "test-annotations-human-imagelabels.csv",
    "class_descriptions": "oidv7-class-descriptions.csv",
    "hierarchy": "bbox_labels_600_hierarchy.json",
}
TWO_NARRATIVES = (
    "In this image I can see a teddy bear on the chair. In the background there is a wall clock. "
    "A toy bear sits below a clock."
)


def _open(folder: Path, **settings: Any) -> Corpus:
    return open_corpus(OpenImagesSettings.model_validate({"images": "test"} | settings), folder)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The published files and three pictures."""
    shutil.copytree(FIXTURES, tmp_path, dirs_exist_ok=True)
    write_pictures(tmp_path / "test", [f"{name}.jpg" for name in IDS])
    return tmp_path


def test_items_with_narratives_and_present_labels(folder: Path) -> None:
    corpus = _open(folder, test_share=0, **ALL)
    assert list(corpus.items()) == [
        CorpusItem(
            IDS[0],
            f"{IDS[0]}.jpg",
            "In the foreground of this image, there is a woman's face.",
            ("Human eye", "Woman"),
            "train",
        ),
        CorpusItem(
            IDS[1], f"{IDS[1]}.jpg", TWO_NARRATIVES, ("Chair", "Furniture", "Wall clock", "Teddy bear"), "train"
        ),
        CorpusItem(IDS[2], f"{IDS[2]}.jpg", "Here we can see a cat near a dog.", ("Cat", "Wood", "Dog"), "train"),
    ]
    reader = pickle.loads(pickle.dumps(corpus.reader))
    assert reader.read(f"{IDS[0]}.jpg") == (folder / "test" / f"{IDS[0]}.jpg").read_bytes()


def test_the_hierarchy_has_what_is_used_and_all_above_it(folder: Path) -> None:
    assert _open(folder, **ALL).labels == (
        Label("Entity", "group"),
        Label("Toy", "group", "Entity"),
        Label("Teddy bear", "object", "Toy"),
        Label("Furniture", "group", "Entity"),
        Label("Chair", "object", "Furniture"),
        Label("Wall clock", "object", "Furniture"),  # below Clock too: the first parent counts
        Label("Person", "group", "Entity"),
        Label("Woman", "object", "Person"),
        Label("Human body", "group", "Person"),
        Label("Human eye", "object", "Human body"),
        Label("Animal", "group", "Entity"),
        Label("Cat", "object", "Animal"),
        Label("Dog", "object", "Animal"),
        Label("Wood", "object"),  # not one of the 600
    )


def test_descriptions_without_header_and_names_that_are_missing(folder: Path) -> None:
    corpus = _open(folder, **(ALL | {"class_descriptions": "class-descriptions-boxable.csv"}))
    assert by_id(corpus)[IDS[2]].labels == ("Cat", "/m/083vt", "Dog")
    assert corpus.labels[0] == Label("/m/0bl9f", "group")
    bare = _open(folder, **(ALL | {"class_descriptions": "", "hierarchy": ""}))
    assert bare.labels[0] == Label("/m/014sv8", "object")


def test_names_that_collide_get_their_mid(folder: Path) -> None:
    with (folder / "oidv7-class-descriptions.csv").open("a") as file:
        file.write("/m/0199g,Dog\n")
    assert by_id(_open(folder, **ALL))[IDS[2]].labels == ("Cat", "Wood", "Dog (/m/0bt9lr)")


def test_what_machines_guess_and_what_is_absent_is_no_label(folder: Path) -> None:
    files = [ALL["image_labels"], "test-annotations-machine-imagelabels.csv"]
    assert list(_open(folder, **(ALL | {"image_labels": files})).items()) == list(_open(folder, **ALL).items())


def test_without_narratives_the_labels_say_which_pictures(folder: Path) -> None:
    corpus = _open(folder, **(ALL | {"narratives": ""}))
    assert [(item.item_id, item.caption) for item in items_of(corpus)] == [
        (IDS[0], ""),
        (IDS[1], ""),
        ("c0ffee00c0ffee00", ""),
        (IDS[2], ""),
    ]
    with pytest.raises(FileNotFoundError):
        corpus.reader.read("c0ffee00c0ffee00.jpg")


def test_without_labels_and_each_narrative_an_item(folder: Path) -> None:
    corpus = _open(folder, narratives=ALL["narratives"], captions="each")
    assert [item.item_id for item in items_of(corpus)] == [
        f"{IDS[0]}#0",
        f"{IDS[1]}#0",
        f"{IDS[1]}#1",
        f"{IDS[2]}#0",
    ]
    assert corpus.labels == ()


def test_narratives_with_traces_in_several_files(folder: Path) -> None:
    files = "open_images_test_{localized_narratives,captions}.jsonl"
    corpus = _open(folder, narratives=files, captions="first")
    assert by_id(corpus)[IDS[1]].caption.endswith("there is a wall clock.")
    assert len(items_of(corpus)) == 3


@pytest.mark.parametrize(
    ("name", "line", "reason"),
    [
        ("narratives", '{"image_id": "0a1b2c3d4e5f6071"', "captions.jsonl, line 5: it is not valid JSON"),
        ("narratives", '{"image_id": "0a1b2c3d4e5f6071"}', 'line 5: it needs an "image_id" and a "caption"'),
        ("narratives", '{"image_id": "../../x", "caption": "x"}', 'line 5: it needs an "image_id" and a "caption"'),
        ("image_labels", f"{IDS[0]},verification,/m/01yrx,yes", 'line 14: its confidence is "yes", not a number'),
        ("image_labels", f"{IDS[0]},verification", "line 14: it has 2 fields, the header 4"),
        ("image_labels", ",verification,/m/01yrx,1", "line 14: it needs an ImageID and a LabelName"),
    ],
)
def test_a_line_that_cannot_be_used_is_rejected(folder: Path, name: str, line: str, reason: str) -> None:
    with (folder / ALL[name]).open("a") as file:
        file.write(line + "\n")
    corpus = _open(folder, **ALL)
    (rejected,) = rejected_of(corpus)
    assert reason in rejected.reason
    assert items_of(corpus) == items_of(_open(FIXTURES, **(ALL | {"images": str(folder / "test")})))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("image_labels", "ImageID,LabelName\n", 'has no column "Source": image-level labels with ImageID,Source'),
        ("hierarchy", "{", "is no valid JSON"),
        ("hierarchy", json.dumps({"LabelName": "/m/0bl9f", "Subcategory": [{}]}), 'has a node without "LabelName"'),
        ("narratives", "", "has nothing that can be an item, expected narratives or present labels"),
    ],
)
def test_another_format_is_one_sentence(folder: Path, name: str, text: str, message: str) -> None:
    (folder / ALL[name]).write_text(text)
    with pytest.raises(InputError, match=message):
        _ = _open(folder, **ALL).labels


def test_missing_files_are_one_sentence(folder: Path) -> None:
    for name, file in ALL.items():
        with pytest.raises(InputError, match=r'there is no file ".*/none.csv": check the path'):
            _open(folder, **(ALL | {name: "none.csv"}))
        assert (folder / file).exists()
    with pytest.raises(InputError, match="there is no folder"):
        _open(folder, **(ALL | {"images": "none"}))
    with pytest.raises(ValidationError, match="name narratives, image_labels or both"):
        _open(folder)


def test_settings_follow_the_files(folder: Path) -> None:
    seen = {_open(folder, **ALL).settings["fingerprint"]}
    assert _open(folder, **ALL).settings["fingerprint"] in seen
    for path in (folder / ALL["hierarchy"], folder / "test" / f"{IDS[0]}.jpg"):
        path.write_bytes(path.read_bytes() + b"\n")
        seen.add(_open(folder, **ALL).settings["fingerprint"])
    assert len(seen) == 3


def test_open_images_in_memory(folder: Path) -> None:
    fsspec.filesystem("memory").put(f"{folder}/", f"{folder}/", recursive=True)
    given = {name: f"memory://{folder}/{file}" for name, file in ALL.items()}
    remote = _open(Path("/nowhere"), images=f"memory://{folder}/test", **given)
    assert list(remote.items()) == list(_open(folder, **ALL).items())
