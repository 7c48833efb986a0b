"""COCO: captions, instances, masks."""

import io
import json
import pickle
import sys
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from index_build.corpora import CocoSettings, CorpusItem, Label, MaskedCorpus, open_corpus
from index_build.corpora.coco import CocoCorpus
from sparc_core.errors import InputError
from tests.corpora.picture_files import by_id, items_of, picture_bytes, rejected_of, write_pictures

SAMPLE = Path(__file__).parents[3] / "shared" / "data" / "coco-sample"
needs_sample = pytest.mark.skipif(not SAMPLE.exists(), reason="needs the shared sample of COCO val2017")


def _open(folder: Path | str, **settings: Any) -> CocoCorpus:
    base = Path(folder) if isinstance(folder, Path) else Path("/nowhere")
    corpus = open_corpus(CocoSettings.model_validate({"images": "pictures"} | settings), base)
    assert isinstance(corpus, CocoCorpus)
    return corpus


BOTH = {"caption_annotations": "captions.json", "instance_annotations": "instances.json"}
IMAGES = [
    {"id": 9, "file_name": "nine.jpg", "height": 6, "width": 8},
    {"id": 2, "file_name": "two.jpg", "height": 6, "width": 8},
    {"id": 5, "file_name": "sub/five.png", "height": 6, "width": 8},
]
CATEGORIES = [
    {"supercategory": "person", "id": 1, "name": "person"},
    {"supercategory": "animal", "id": 17, "name": "cat"},
    {"supercategory": "animal", "id": 18, "name": "dog"},
    {"id": 90, "name": "kite"},
]
LEFT_HALF = [[0, 0, 4, 0, 4, 6, 0, 6]]
# Column by column: 12 pixels off, 6 on (the third column), the rest off.
THIRD_COLUMN = {"size": [6, 8], "counts": [12, 6, 30]}


def _captions(*annotations: tuple[int, str]) -> dict[str, Any]:
    rows = [{"id": n, "image_id": image, "caption": text} for n, (image, text) in enumerate(annotations)]
    return {"info": {"year": 2017}, "images": IMAGES, "annotations": rows}


def _instances(*annotations: tuple[int, int, Any]) -> dict[str, Any]:
    rows = [
        {
            "id": n,
            "image_id": image,
            "category_id": category,
            "segmentation": shape,
        }
        for n, (image, category, shape) in enumerate(annotations)
    ]
    return {"annotations": rows, "images": IMAGES, "categories": CATEGORIES}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three pictures, five captions, four instances."""
    write_pictures(tmp_path / "pictures", [str(image["file_name"]) for image in IMAGES])
    captions = _captions((2, "Two one"), (9, "Größe 猫"), (2, "Two\ntwo"), (5, "Five"))
    instances = _instances((2, 18, LEFT_HALF), (2, 1, THIRD_COLUMN), (9, 90, []), (2, 18, [[0, 0, 8, 0, 8, 1, 0, 1]]))
    (tmp_path / "captions.json").write_text(json.dumps(captions, ensure_ascii=False), encoding="utf-8")
    (tmp_path / "instances.json").write_text(json.dumps(instances, indent=1))
    return tmp_path


def test_items_by_picture_id_with_captions_and_categories(folder: Path) -> None:
    corpus = _open(folder, test_share=0, **BOTH)
    assert list(corpus.items()) == [
        CorpusItem("two", "two.jpg", "Two one Two two", ("person", "dog"), "train"),
        CorpusItem("sub:five", "sub/five.png", "Five", (), "train"),
        CorpusItem("nine", "nine.jpg", "Größe 猫", ("kite",), "train"),
    ]
    reader = pickle.loads(pickle.dumps(corpus.reader))
    assert reader.read("sub/five.png") == (folder / "pictures/sub/five.png").read_bytes()


def test_labels_are_categories_below_supercategories(folder: Path) -> None:
    assert _open(folder, **BOTH).labels == (
        Label("person (group)", "group"),
        Label("animal", "group"),
        Label("person", "object", "person (group)"),
        Label("cat", "object", "animal"),
        Label("dog", "object", "animal"),
        Label("kite", "object"),
    )


def test_either_file_may_be_absent(folder: Path) -> None:
    captions = _open(folder, caption_annotations="captions.json")
    assert by_id(captions)["two"].caption == "Two one Two two"
    assert captions.labels == ()
    assert captions.masks("two.jpg") == []
    instances = _open(folder, instance_annotations="instances.json")
    assert by_id(instances)["two"].labels == ("person", "dog")
    with pytest.raises(ValidationError, match="name caption_annotations, instance_annotations or both"):
        _open(folder)


def test_masks_by_hand(folder: Path) -> None:
    corpus = _open(folder, **BOTH)
    assert isinstance(corpus, MaskedCorpus)
    expected = np.zeros((3, 6, 8), bool)
    expected[0, :, :4] = True
    expected[1, :, 2] = True
    expected[2, 0] = True
    masks = corpus.masks("two.jpg")
    assert [mask.label for mask in masks] == ["dog", "person", "dog"]
    assert np.array_equal(np.stack([mask.pixels for mask in masks]), expected)
    assert corpus.masks("nine.jpg") == corpus.masks("unknown.jpg") == []


@pytest.mark.parametrize("orientation", [1, 2, 3, 4, 5, 6, 7, 8])
@pytest.mark.parametrize("annotated", ["stored", "upright"])
def test_masks_turn_with_the_picture(folder: Path, orientation: int, annotated: str) -> None:
    """The picture is the mask: bright where the mask is."""
    stored = np.zeros((6, 8), np.uint8)
    stored[:2, :3] = 255
    image, exif, out = Image.fromarray(stored).convert("RGB"), Image.Exif(), io.BytesIO()
    exif[0x0112] = orientation
    image.save(out, "PNG", exif=exif)
    (folder / "pictures" / "two.png").write_bytes(out.getvalue())
    from PIL import ImageOps

    with Image.open(folder / "pictures" / "two.png") as opened:
        upright = np.asarray(ImageOps.exif_transpose(opened).convert("L")) > 127
    shown = stored > 127 if annotated == "stored" else upright
    if annotated == "upright" and shown.shape == stored.shape:
        return  # sizes cannot tell; the stored pixels are meant, as with COCO's own tools
    height, width = shown.shape
    flat = shown.T.ravel()
    changes = np.flatnonzero(np.diff(flat.astype(int))) + 1
    counts = np.diff([0, *changes, flat.size]).tolist()
    counts = [0, *counts] if flat[0] else counts
    value = _instances((1, 17, {"size": [height, width], "counts": counts}))
    value["images"] = [{"id": 1, "file_name": "two.png", "height": height, "width": width}]
    (folder / "instances.json").write_text(json.dumps(value))
    (mask,) = _open(folder, instance_annotations="instances.json").masks("two.png")
    assert np.array_equal(mask.pixels, upright)


def test_masks_of_another_size_than_the_picture_are_refused(folder: Path) -> None:
    (folder / "pictures" / "two.jpg").write_bytes(picture_bytes(0, (16, 12)))
    with pytest.raises(InputError, match=r"two.jpg are for 8 x 6 pixels, the picture has 16 x 12: use the pictures"):
        _open(folder, **BOTH).masks("two.jpg")
    (folder / "pictures" / "two.jpg").write_bytes(b"no picture")
    with pytest.raises(OSError, match=r"two.jpg cannot be read"):
        _open(folder, **BOTH).masks("two.jpg")
    (folder / "pictures" / "two.jpg").unlink()
    with pytest.raises(FileNotFoundError):
        _open(folder, **BOTH).masks("two.jpg")


def test_without_pycocotools_all_but_masks_works(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pycocotools.mask", None)
    corpus = _open(folder, **BOTH)
    assert len(items_of(corpus)) == 3
    with pytest.raises(InputError, match=r'pip install "sparc-explorer\[coco\]"'):
        corpus.masks("two.jpg")


@pytest.mark.parametrize(
    ("part", "change", "reason"),
    [
        ("captions", {"image_id": 4, "caption": "x", "id": 0}, "a caption refers to the unknown picture 4"),
        (
            "captions",
            {"image_id": 2, "id": 3},
            "captions.json, annotation 3: it needs a whole number as image_id",
        ),
        (
            "captions",
            {"image_id": "2", "caption": "x", "id": 3},
            "annotation 3: it needs a whole number",
        ),
        ("captions", 7, "captions.json, annotation None: it is no object"),
        ("instances", {"image_id": 4, "category_id": 1}, "an instance refers to the unknown picture 4"),
        ("instances", {"image_id": 2, "category_id": 3}, "an instance refers to the unknown category 3"),
        ("instances", {"image_id": 2}, "it needs whole numbers as image_id and category_id"),
        ("instances", [[0, 0, 1, 1]], "its segmentation is neither polygons nor RLE"),
        ("instances", [[0, 0, 1, 1, 2, None]], "its segmentation is neither polygons nor RLE"),
        ("instances", {"size": [6, 8], "counts": [1, 2]}, "its segmentation is neither polygons nor RLE"),
        ("instances", {"size": [6, 8], "counts": "0~"}, "its segmentation is neither polygons nor RLE"),
        ("instances", {"size": [6, 8], "counts": "h1"}, "its segmentation is neither polygons nor RLE"),
        ("instances", {"size": [7, 8], "counts": [56]}, "a mask of picture 2 has another size than the picture"),
        ("instances", {"size": [6, 9], "counts": [54]}, "a mask of picture 2 has another size than the picture"),
    ],
)
def test_an_annotation_that_cannot_be_used_is_rejected(folder: Path, part: str, change: Any, reason: str) -> None:
    path = folder / f"{part}.json"
    value = json.loads(path.read_text())
    is_shape = isinstance(change, list) or (isinstance(change, dict) and "size" in change)
    value["annotations"].append({"image_id": 2, "category_id": 17, "segmentation": change} if is_shape else change)
    path.write_text(json.dumps(value))
    corpus = _open(folder, **BOTH)
    (rejected,) = rejected_of(corpus)
    assert reason in rejected.reason
    assert len(items_of(corpus)) == 3
    assert by_id(corpus)["two"].labels == (("person", "cat", "dog") if is_shape else ("person", "dog"))
    assert len(corpus.masks("two.jpg")) == 3


def test_compressed_rle_of_the_right_length_is_a_mask(folder: Path) -> None:
    coder = pytest.importorskip("pycocotools.mask", reason="needs pycocotools")
    wanted = np.random.RandomState(0).rand(6, 8) > 0.5
    wanted[:3, 0] = False  # the first run is not empty, on which the code of the third one depends
    encoded = coder.encode(np.asfortranarray(wanted.astype(np.uint8)))
    shape = {"size": encoded["size"], "counts": encoded["counts"].decode()}
    (folder / "instances.json").write_text(json.dumps(_instances((5, 17, shape))))
    corpus = _open(folder, instance_annotations="instances.json")
    assert rejected_of(corpus) == []
    assert np.array_equal(corpus.masks("sub/five.png")[0].pixels, wanted)


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        ({"id": 2, "file_name": "other.jpg"}, 'captions.json, image 2: "other.jpg" has the id of "two.jpg"'),
        ({"id": 7, "file_name": "../x.jpg"}, "captions.json, image 7: its file_name is '../x.jpg', a path below"),
        ({"id": 7}, "captions.json, image 7: its file_name is None"),
        ({"id": None, "file_name": "x.jpg"}, "captions.json, image None: its id is no whole number"),
        ({"id": 7, "file_name": "x.heic"}, '"x.heic" has no suffix of a picture that can be read'),
        ({"id": 7, "file_name": "two.png"}, 'its id "two" is taken by an earlier item'),
    ],
)
def test_a_picture_that_cannot_be_used_is_rejected(folder: Path, image: dict[str, Any], reason: str) -> None:
    value = json.loads((folder / "captions.json").read_text())
    value["images"].append(image)
    (folder / "captions.json").write_text(json.dumps(value))
    corpus = _open(folder, **BOTH)
    assert [reason in rejected.reason for rejected in rejected_of(corpus)] == [True]
    assert len(items_of(corpus)) == 3


def test_names_of_categories_are_unique(folder: Path) -> None:
    value = _instances((2, 1, []), (2, 2, []))
    value["categories"] = [{"id": 1, "name": "bat", "supercategory": "x"}, {"id": 2, "name": "bat"}]
    (folder / "instances.json").write_text(json.dumps(value))
    corpus = _open(folder, instance_annotations="instances.json")
    assert [label.name for label in corpus.labels] == ["x", "bat (1)", "bat (2)"]
    assert by_id(corpus)["two"].labels == ("bat (1)", "bat (2)")


def test_damaged_and_missing_files_are_one_sentence(folder: Path) -> None:
    path = folder / "captions.json"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(InputError, match=r'captions.json" is damaged at byte \d+'):
        list(_open(folder, **BOTH).items())
    path.unlink()
    with pytest.raises(InputError, match=r'there is no file ".*captions.json"'):
        _open(folder, **BOTH)
    with pytest.raises(InputError, match=r'there is no folder ".*/none"'):
        _open(folder, images="none", instance_annotations="instances.json")
    (folder / "instances.json").write_text("{}")
    with pytest.raises(InputError, match=r'nothing that can be an item, expected "images" in the annotation files'):
        list(_open(folder, instance_annotations="instances.json").items())


def test_settings_follow_annotations_and_pictures(folder: Path) -> None:
    seen = {_open(folder, **BOTH).settings["fingerprint"]}
    assert _open(folder, **BOTH).settings["fingerprint"] in seen
    (folder / "pictures" / "two.jpg").write_bytes(b"?")
    seen.add(_open(folder, **BOTH).settings["fingerprint"])
    (folder / "captions.json").write_text(json.dumps(_captions((2, "new"))))
    seen.add(_open(folder, **BOTH).settings["fingerprint"])
    assert len(seen) == 3


def test_coco_in_memory(folder: Path) -> None:
    fsspec.filesystem("memory").put(f"{folder}/", f"{folder}/", recursive=True)
    root = f"memory://{folder}"
    given = {key: f"{root}/{name}" for key, name in BOTH.items()}
    remote, local = _open("", images=f"{root}/pictures", **given), _open(folder, **BOTH)
    assert list(remote.items()) == list(local.items())
    assert all(
        np.array_equal(one.pixels, other.pixels)
        for one, other in zip(remote.masks("two.jpg"), local.masks("two.jpg"), strict=True)
    )


@needs_sample
def test_the_real_sample() -> None:
    annotations = {
        "caption_annotations": "annotations/captions_val2017.json",
        "instance_annotations": "annotations/instances_val2017.json",
    }
    corpus = _open(SAMPLE, images="val2017", **annotations)
    items = items_of(corpus)
    assert len(items) == 40
    assert rejected_of(corpus) == []
    assert len([item for item in items if item.split == "test"]) == 4
    assert len(corpus.labels) == 80 + 12
    assert Label("zebra", "object", "animal") in corpus.labels
    each = _open(SAMPLE, images="val2017", captions="each", **annotations)
    assert len(items_of(each)) == 200
    first = items[0]
    assert (first.item_id, first.picture) == ("000000000139", "000000000139.jpg")
    assert first.caption.startswith("A woman stands in the dining area at the table. A room with chairs")
    assert {"chair", "tv", "person"} <= set(first.labels)


@needs_sample
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools' own, on numpy 2
def test_masks_of_the_real_sample_are_those_of_pycocotools() -> None:
    coco = pytest.importorskip("pycocotools.coco", reason="needs pycocotools")
    path = SAMPLE / "annotations" / "instances_val2017.json"
    reference = coco.COCO(str(path))
    corpus = _open(SAMPLE, images="val2017", instance_annotations=str(path))
    n_masks = 0
    for item in items_of(corpus):
        (image,) = [value for value in reference.imgs.values() if value["file_name"] == item.picture]
        expected = reference.loadAnns(reference.getAnnIds(imgIds=[image["id"]]))
        masks = corpus.masks(item.picture)
        assert [mask.label for mask in masks] == [reference.cats[a["category_id"]]["name"] for a in expected]
        for mask, annotation in zip(masks, expected, strict=True):
            assert np.array_equal(mask.pixels, reference.annToMask(annotation).astype(bool))
            n_masks += 1
    assert n_masks == 292
