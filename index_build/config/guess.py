"""Where the parts of a corpus are, guessed from its folder's usual layout; `sparc-build init` writes them down."""

from collections.abc import Callable, Iterable
from pathlib import Path

from sparc_core.errors import InputError


def guess_places(kind: str, place: str) -> dict[str, str]:
    """Path settings of a corpus of several parts, from the one folder that a person names.

    Args:
        kind: Of the corpus.
        place: Its folder, or for kinds of one part whatever that is.

    Returns:
        Settings by name.

    Raises:
        InputError: The folder is not there or lacks what such a corpus needs.
    """
    guess = _GUESSES.get(kind)
    if guess is None:
        return {"path": place}
    if not Path(place).is_dir():
        raise InputError(f"there is no folder {place}: name the folder of the {kind} corpus")
    return guess(Path(place))


def _coco(folder: Path) -> dict[str, str]:
    """COCO as it is unpacked: `val2017/`, `annotations/captions_val2017.json`, `annotations/instances_val2017.json`."""
    for captions in sorted((folder / "annotations").glob("captions_*.json")):
        part = captions.stem.removeprefix("captions_")
        if (folder / part).is_dir():
            found = {"images": str(folder / part), "caption_annotations": str(captions)}
            instances = folder / "annotations" / f"instances_{part}.json"
            return found | ({"instance_annotations": str(instances)} if instances.is_file() else {})
    raise InputError(
        f"{folder} is not laid out as COCO is (val2017/ and annotations/captions_val2017.json): "
        "write images and caption_annotations into a sparc.toml yourself"
    )


def _open_images(folder: Path) -> dict[str, str]:
    """Open Images under the names of its downloads, pictures in `images/` or in the folder itself."""
    images = folder / "images"
    found = {"images": str(images if images.is_dir() else folder)}
    patterns = {
        "narratives": ("*localized_narratives*.jsonl", "*narratives*.jsonl", "*captions*.jsonl"),
        "image_labels": ("*imagelabels*.csv", "*image-labels*.csv", "*image_labels*.csv"),
        "class_descriptions": ("*class-descriptions*.csv", "*class_descriptions*.csv"),
        "hierarchy": ("*hierarchy*.json",),
    }
    for name, globs in patterns.items():
        file = _first(path for pattern in globs for path in sorted(folder.rglob(pattern)))
        found |= {name: str(file)} if file else {}
    if "narratives" not in found and "image_labels" not in found:
        raise InputError(
            f"{folder} has neither localized narratives (*.jsonl) nor image labels (*imagelabels*.csv) of Open Images: "
            "write their paths into a sparc.toml yourself"
        )
    return found


def _first(paths: Iterable[Path]) -> Path | None:
    return next(iter(paths), None)


_GUESSES: dict[str, Callable[[Path], dict[str, str]]] = {"coco": _coco, "open_images": _open_images}
