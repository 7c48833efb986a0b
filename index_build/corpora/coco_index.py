"""What COCO's annotation files say, by picture, in arrays: captions, categories, and where each mask is in its file."""

import math
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, TypeGuard

import numpy as np
from jaxtyping import Int64

from index_build.corpora.base import Rejected
from index_build.corpora.compact import Groups, Texts
from index_build.corpora.json_arrays import Element, read_arrays
from index_build.corpora.pictures import name_below
from index_build.corpora.storage import Storage
from index_build.corpora.text import one_line

_File = tuple[Storage, str]
_SINGULAR = {"images": "image", "annotations": "annotation", "categories": "category"}


class Category(NamedTuple):
    """A category under a unique name, and its supercategory's ("" without one)."""

    name: str
    group: str


@dataclass(frozen=True)
class CocoIndex:
    """Rows are pictures by ascending id; groups hold positions in the lists beside them.

    Attributes:
        ids: Picture ids, ascending.
        files: File names.
        heights: In pixels; 0 where the files do not say.
        widths: The same.
        captions: All captions.
        captions_of: Positions of a picture's captions.
        categories: All categories, by id.
        instance_category: Per instance, the position of its category.
        instances_of: Positions of a picture's instances.
        mask_category: Per mask, the position of its category.
        offsets: Where a mask's annotation begins in the file of instances.
        sizes: How many bytes it takes up.
        masks_of: Positions of a picture's masks.
        rejected: Annotations that cannot be used.
    """

    ids: Int64[np.ndarray, "n"]
    files: Texts
    heights: Int64[np.ndarray, "n"]
    widths: Int64[np.ndarray, "n"]
    captions: Texts
    captions_of: Groups
    categories: Sequence[Category]
    instance_category: "array[int]"
    instances_of: Groups
    mask_category: "array[int]"
    offsets: "array[int]"
    sizes: "array[int]"
    masks_of: Groups
    rejected: Sequence[Rejected]

    def categories_of(self, row: int) -> list[int]:
        """A picture's categories, each once, ascending."""
        return sorted({self.instance_category[member] for member in self.instances_of[row]})

    def row_of_file(self, name: str) -> int | None:
        """The row of a picture by its file's name."""
        return self._rows.get(name)

    @cached_property
    def _rows(self) -> dict[str, int]:
        rows: dict[str, int] = {}
        for row, name in enumerate(self.files):
            rows.setdefault(name, row)
        return rows


def read_index(captions: _File | None, instances: _File | None) -> CocoIndex:
    """Read the annotation files, of which either may be missing.

    Raises:
        InputError: A file is no JSON object.
    """
    return _Reading(captions, instances).index()


class _Reading:
    """The files as read, before what refers to unknown pictures or categories is told apart."""

    def __init__(self, captions: _File | None, instances: _File | None) -> None:
        self.rejected: list[Rejected] = []
        self.pictures: dict[int, tuple[str, int, int]] = {}
        self.categories: dict[int, tuple[str, str]] = {}
        self.captions, self.caption_picture = Texts(), array("q")
        self.instance_picture, self.instance_category = array("q"), array("q")
        self.mask_instance, self.offsets, self.sizes = array("q"), array("q"), array("q")
        self.mask_height, self.mask_width = array("q"), array("q")
        for file, read in ((captions, self._caption), (instances, self._instance)):
            if file is not None:
                storage, name = file
                with storage.open(name) as opened:
                    for element in read_arrays(opened, storage.path(name)):
                        self._element(element, name, read)

    def _element(self, element: Element, name: str, read_annotation: Any) -> None:
        value = element.value
        if element.key not in _SINGULAR:
            return
        number = value.get("id") if isinstance(value, dict) else None
        where = f"{name}, {_SINGULAR[element.key]} {number}"
        why = "it is no object" if not isinstance(value, dict) else ""
        if not why and element.key == "images":
            why = self._image(value)
        elif not why and element.key == "categories":
            why = self._category(value)
        elif not why:
            why = read_annotation(value, element)
        if why:
            self.rejected.append(Rejected("", "", f"{where}: {why}"))

    def _image(self, value: dict[str, Any]) -> str:
        number, name = value.get("id"), value.get("file_name")
        if not _is_whole(number):
            return "its id is no whole number"
        below = name_below(Storage("/nowhere"), name) if isinstance(name, str) else None
        if below is None:
            return f"its file_name is {name!r}, a path below the folder of pictures is expected"
        height, width = (value[key] if _is_whole(value.get(key)) else 0 for key in ("height", "width"))
        known = self.pictures.get(number)
        if known is None or known == (below, 0, 0):
            known = self.pictures[number] = (below, height, width)
        return "" if known[0] == below else f'"{below}" has the id of "{known[0]}"'

    def _category(self, value: dict[str, Any]) -> str:
        number, name = value.get("id"), value.get("name")
        if not _is_whole(number) or not isinstance(name, str) or not one_line(name):
            return "it needs a whole number as id and a name"
        group = value.get("supercategory")
        self.categories.setdefault(number, (one_line(name), one_line(group) if isinstance(group, str) else ""))
        return ""

    def _caption(self, value: dict[str, Any], _: Element) -> str:
        picture, text = value.get("image_id"), value.get("caption")
        if not _is_whole(picture) or not isinstance(text, str):
            return "it needs a whole number as image_id and a caption"
        self.captions.append(text)
        self.caption_picture.append(picture)
        return ""

    def _instance(self, value: dict[str, Any], element: Element) -> str:
        picture, category = value.get("image_id"), value.get("category_id")
        if not _is_whole(picture) or not _is_whole(category):
            return "it needs whole numbers as image_id and category_id"
        self.instance_picture.append(picture)
        self.instance_category.append(category)
        segmentation = value.get("segmentation")
        if not segmentation:
            return ""  # a box alone
        height, width = _size_of(segmentation)
        if height < 0:
            return "its segmentation is neither polygons nor RLE: it gives a label but no mask"
        self.mask_instance.append(len(self.instance_picture) - 1)
        for column, number in (
            (self.offsets, element.offset),
            (self.sizes, element.size),
            (self.mask_height, height),
            (self.mask_width, width),
        ):
            column.append(number)
        return ""

    def index(self) -> CocoIndex:
        """Everything by picture; what refers to nothing is rejected."""
        ids = np.array(sorted(self.pictures), np.int64)
        files = Texts()
        for number in ids.tolist():
            files.append(self.pictures[number][0])
        heights, widths = (np.array([self.pictures[i][axis] for i in ids.tolist()], np.int64) for axis in (1, 2))
        numbers = sorted(self.categories)
        captions = self._known(self.caption_picture, ids, "a caption", "picture")
        known_picture = self._known(self.instance_picture, ids, "an instance", "picture")
        known_category = self._known(self.instance_category, np.array(numbers, np.int64), "an instance", "category")
        instances = np.where(known_category >= 0, known_picture, -1)
        of_instance = np.asarray(self.mask_instance, np.int64)
        masks = self._fitting(instances[of_instance], heights, widths, ids)
        category = array("q", known_category.tolist())
        return CocoIndex(
            ids=ids,
            files=files,
            heights=heights,
            widths=widths,
            captions=self.captions,
            captions_of=Groups(captions, len(ids)),
            categories=_named([self.categories[number] for number in numbers], numbers),
            instance_category=category,
            instances_of=Groups(instances, len(ids)),
            mask_category=array("q", known_category[of_instance].tolist()),
            offsets=self.offsets,
            sizes=self.sizes,
            masks_of=Groups(masks, len(ids)),
            rejected=self.rejected,
        )

    def _known(
        self, wanted: Sequence[int], known: Int64[np.ndarray, "n"], what: str, of_what: str
    ) -> Int64[np.ndarray, "m"]:
        """Positions of ids among the known ones; -1, and a reason, where one is unknown."""
        numbers = np.asarray(wanted, np.int64)
        places = np.searchsorted(known, numbers)
        found = np.full(len(numbers), -1, np.int64)
        if len(known):
            right = known[np.minimum(places, len(known) - 1)] == numbers
            found = np.where(right, places, -1)
        for number in numbers[found < 0].tolist():
            self.rejected.append(Rejected("", "", f"{what} refers to the unknown {of_what} {number}"))
        return found

    def _fitting(
        self,
        pictures: Int64[np.ndarray, "m"],
        heights: Int64[np.ndarray, "n"],
        widths: Int64[np.ndarray, "n"],
        ids: Int64[np.ndarray, "n"],
    ) -> Int64[np.ndarray, "m"]:
        """The pictures of masks; -1, and a reason, for an RLE of another size than its picture."""
        height, width = np.asarray(self.mask_height, np.int64), np.asarray(self.mask_width, np.int64)
        sized = (height > 0) & (pictures >= 0)
        wrong = sized.copy()
        wrong[sized] = (height[sized] != heights[pictures[sized]]) | (width[sized] != widths[pictures[sized]])
        for mask in np.flatnonzero(wrong).tolist():
            number = ids[pictures[mask]]
            self.rejected.append(Rejected("", "", f"a mask of picture {number} has another size than the picture"))
        unsized = (pictures >= 0) & ~sized
        unsized[unsized] = heights[pictures[unsized]] * widths[pictures[unsized]] == 0
        for mask in np.flatnonzero(unsized).tolist():
            number = ids[pictures[mask]]
            self.rejected.append(Rejected("", "", f"picture {number} has masks but no width and height"))
        return np.where(wrong | unsized, -1, pictures)


def _named(categories: Sequence[tuple[str, str]], numbers: Sequence[int]) -> list[Category]:
    """Categories with names that no other label has."""
    counts = Counter(name for name, _ in categories)
    names = [name if counts[name] == 1 else f"{name} ({n})" for (name, _), n in zip(categories, numbers, strict=True)]
    taken = set(names)
    groups = {group: f"{group} (group)" if group in taken else group for _, group in categories}
    return [Category(name, groups[group]) for name, (_, group) in zip(names, categories, strict=True)]


def _size_of(segmentation: Any) -> tuple[int, int]:
    """Height and width of an RLE, (0, 0) of polygons, (-1, -1) of what is neither."""
    wrong = (-1, -1)
    if isinstance(segmentation, list):
        return (0, 0) if all(map(_is_polygon, segmentation)) else wrong
    if not isinstance(segmentation, dict):
        return wrong
    size, counts = segmentation.get("size"), segmentation.get("counts")
    if not isinstance(size, list) or len(size) != 2 or not all(_is_whole(side) and side > 0 for side in size):
        return wrong
    if isinstance(counts, list):
        fits = all(_is_whole(count) and count >= 0 for count in counts) and sum(counts) == size[0] * size[1]
        return (size[0], size[1]) if fits else wrong
    return (size[0], size[1]) if isinstance(counts, str) and _decoded_length(counts) == size[0] * size[1] else wrong


def _decoded_length(counts: str) -> int:
    """Pixels that a compressed RLE covers: pycocotools trusts it and would write past its buffer; -1 if damaged."""
    lengths: list[int] = []
    for number in _numbers(counts):
        length = number + (lengths[-2] if len(lengths) > 2 else 0)
        if length < 0:
            return -1
        lengths.append(length)
    return sum(lengths)


def _numbers(counts: str) -> Iterator[int]:
    """Signed numbers in groups of five bits, lowest first, as COCO writes them; -1 << 62 where a group is missing."""
    value, shift = 0, 0
    for character in counts:
        group = ord(character) - 48
        if not 0 <= group < 64:
            yield -1 << 62
            return
        value |= (group & 31) << shift
        shift += 5
        if not group & 32:
            yield value - (1 << shift) if group & 16 else value
            value, shift = 0, 0
    if shift:
        yield -1 << 62


def _is_polygon(points: Any) -> bool:
    if not isinstance(points, list) or len(points) < 6 or len(points) % 2:
        return False
    return all(type(p) in (int, float) and math.isfinite(p) and abs(p) < 1e6 for p in points)


def _is_whole(value: Any) -> TypeGuard[int]:
    return type(value) is int and abs(value) < 1 << 62
