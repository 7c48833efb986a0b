"""COCO: pictures with captions, instances of categories, and their masks; `coco_index` reads the files."""

import importlib
import json
import warnings
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from jaxtyping import Bool
from PIL import Image
from pydantic import Field, model_validator

from index_build.corpora.base import Label, Mask, Rejected
from index_build.corpora.coco_index import CocoIndex, read_index
from index_build.corpora.listed import PATH_NOTE, ListedCorpus, ListedSettings, Record
from index_build.corpora.pictures import StoredPictures, is_picture, stem_of, wrong_suffix
from index_build.corpora.storage import FileStat, Storage, fingerprint, locate, locate_file
from sparc_core.errors import InputError

_EXIF_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class CocoSettings(ListedSettings):
    """Settings of a COCO data set."""

    kind: Literal["coco"] = Field("coco", description="COCO: pictures with JSON annotations.")
    images: str = Field(min_length=1, description=f"Folder of the pictures, say val2017. {PATH_NOTE}")
    caption_annotations: str = Field("", description='Captions, say annotations/captions_val2017.json; "" for none.')
    instance_annotations: str = Field(
        "", description='Labels and masks, say annotations/instances_val2017.json; "" for none.'
    )

    @model_validator(mode="after")
    def _has_annotations(self) -> Self:
        if not self.caption_annotations and not self.instance_annotations:
            raise ValueError("name caption_annotations, instance_annotations or both")
        return self


class CocoCorpus(ListedCorpus):
    """Pictures that the annotations list, by their ids; an item's id is the file's name without suffix.

    Raises:
        InputError: A file or folder is missing.
    """

    def __init__(self, options: CocoSettings, base: Path) -> None:
        self._images = Storage(locate(base, options.images))
        super().__init__(options, self._images.location, '"images" in the annotation files')
        given = {"captions": options.caption_annotations, "instances": options.instance_annotations}
        self._files = {kind: locate_file(base, text) for kind, text in given.items() if text}
        self._stats = [storage.require(name) for storage, name in self._files.values()]
        self._listing = fingerprint(stat for stat in self._images.list() if is_picture(stat.name))

    @cached_property
    def reader(self) -> StoredPictures:
        """Reads by file name."""
        return StoredPictures(self._images)

    def masks(self, picture: str) -> list[Mask]:
        """One mask per annotated thing (a crowd is one), in the file's order, as the upright picture shows it.

        Raises:
            InputError: pycocotools is not installed, or the annotations are of another size than the picture.
            OSError: The picture cannot be read.
        """
        row = self._index.row_of_file(picture)
        members = self._index.masks_of[row] if row is not None else []
        if row is None or not members:
            return []
        size = int(self._index.heights[row]), int(self._index.widths[row])
        orientation = self._orientation(picture, size)
        storage, name = self._files["instances"]
        masks = []
        with storage.open(name) as file:
            for member in members:
                file.seek(self._index.offsets[member])
                annotation = json.loads(file.read(self._index.sizes[member]))
                category = self._index.categories[self._index.mask_category[member]]
                pixels = _pixels(annotation["segmentation"], size)
                masks.append(Mask(category.name, _upright(pixels, orientation)))
        return masks

    @cached_property
    def _index(self) -> CocoIndex:
        return read_index(self._files.get("captions"), self._files.get("instances"))

    def _records(self) -> Iterator[Record | Rejected]:
        index = self._index
        yield from index.rejected
        for row, name in enumerate(index.files):
            if why := wrong_suffix(name):
                yield Rejected(stem_of(name), name, why)
                continue
            captions = tuple(index.captions[member] for member in index.captions_of[row])
            labels = tuple(index.categories[category].name for category in index.categories_of(row))
            yield Record(stem_of(name), name, captions, labels)

    def _label_tree(self, used: frozenset[str]) -> tuple[Label, ...]:
        """All categories, used or not, and their supercategories."""
        groups = dict.fromkeys(category.group for category in self._index.categories if category.group)
        objects = (Label(category.name, "object", category.group) for category in self._index.categories)
        return (*(Label(group, "group") for group in groups), *objects)

    def _fingerprint(self) -> str:
        return fingerprint([*self._stats, FileStat("images", 0, self._listing)])

    def _orientation(self, picture: str, size: tuple[int, int]) -> int:
        """How to turn masks so that they fit the upright picture: its EXIF orientation, or 1 where they fit already."""
        with self._images.open(picture) as file:
            try:
                with Image.open(file) as image:
                    width, height = image.size
                    orientation = _exif_orientation(image)
            except (OSError, ValueError, SyntaxError) as error:
                raise OSError(f"{picture} cannot be read ({error})") from None
        if (height, width) == size:
            return orientation
        if (width, height) == size and orientation >= 5:
            return 1  # annotated on the upright picture
        raise InputError(
            f"the annotations of {picture} are for {size[1]} x {size[0]} pixels, the picture has {width} x {height}: "
            "use the pictures that were annotated"
        )


def _exif_orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_EXIF_ORIENTATION, 1))
    except Exception:  # broken EXIF fails in many ways, and the pixels are fine without it
        return 1


def _pixels(segmentation: Any, size: tuple[int, int]) -> Bool[np.ndarray, "h w"]:
    """Polygons or RLE as pixels."""
    coder = _mask_coder()
    if isinstance(segmentation, list):
        encoded = coder.merge(coder.frPyObjects(segmentation, *size))
    elif isinstance(segmentation["counts"], list):
        encoded = coder.frPyObjects(segmentation, *size)
    else:
        encoded = segmentation
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # how it hands its memory to numpy 2
        return np.asarray(coder.decode(encoded)).astype(bool)


def _upright(pixels: Bool[np.ndarray, "h w"], orientation: int) -> Bool[np.ndarray, "h w"]:
    if orientation not in _UPRIGHT:
        return pixels
    return np.asarray(Image.fromarray(pixels.astype(np.uint8)).transpose(_UPRIGHT[orientation])).astype(bool)


def _mask_coder() -> Any:
    try:
        return importlib.import_module("pycocotools.mask")
    except ImportError:
        raise InputError(
            'masks of a COCO corpus need pycocotools, which is not installed: pip install "sparc-explorer[coco]"'
        ) from None
