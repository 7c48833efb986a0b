"""What a reader has before a document begins: folders of pictures, features, a checkout, bundles."""

import json
import random
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from tests.docs.blocks import ROOT

N_PHOTOS = 32
WIDTHS = {"dino": 24, "clip_img": 16, "clip_txt": 16}  # of the models in `stand_in_hub`
_VENV_BIN = Path(sys.executable).parent
_MADE = ("bundles", "work", "runs", "node_modules", "artefacts", "dist")  # by those who work in a checkout
_BIN = Path(__file__).parent / "bin"


_FIXTURES = ROOT / "tests" / "corpora" / "fixtures"
_CAPTIONS = ("A cat on the moon, number", "Two dogs at a table for", "The sea at night with boats, all")


@dataclass(frozen=True)
class Shelf:
    """Things that take long to make: made once, and taken by those who need them."""

    storybook: Path
    storybook_local: Path
    hub: Path
    packages: Path


Belonging = Callable[[Path, Shelf], None]
"""Puts something into the reader's folder."""


def photos(folder: Path, shelf: Shelf) -> None:
    """`photos/`: pictures in two folders, captions beside them."""
    drawn = random.Random(0)
    for number in range(N_PHOTOS):
        kind = ("cat", "dog")[number % 2]
        place = folder / "photos" / kind
        place.mkdir(parents=True, exist_ok=True)
        picture = Image.new("RGB", (120, 90), _colour(drawn))
        corner = (drawn.randrange(60), drawn.randrange(40))
        ImageDraw.Draw(picture).ellipse((*corner, corner[0] + 50, corner[1] + 40), fill=_colour(drawn))
        picture.save(place / f"{number:04}.jpg")
        (place / f"{number:04}.txt").write_text(f"a {kind} on the moon\n")


def cat(folder: Path, shelf: Shelf) -> None:
    """`cat.png`, a picture."""
    Image.new("RGB", (80, 60), (200, 120, 40)).save(folder / "cat.png")


def storybook(folder: Path, shelf: Shelf) -> None:
    """`bundles/storybook` and its twin, built."""
    bundles = folder / "bundles"
    bundles.mkdir(exist_ok=True)
    (bundles / "storybook").symlink_to(shelf.storybook)
    (bundles / "storybook-local").symlink_to(shelf.storybook_local)


def features(n_items: int) -> Belonging:
    """`dino.h5`, `img.h5` and `features/`: for every stream a file, rows aligned."""

    def put(folder: Path, shelf: Shelf) -> None:
        import h5py

        (folder / "features").mkdir(exist_ok=True)
        generator = np.random.default_rng(0)
        for stream, d in WIDTHS.items():
            rows = generator.standard_normal((n_items, d)).astype(np.float32)
            np.save(folder / "features" / f"{stream}.npy", rows)
            with h5py.File(folder / "features" / f"{stream}.h5", "w") as file:
                file["features"], file["indices"] = rows, np.arange(n_items)

    return put


def published_run(folder: Path, shelf: Shelf) -> None:
    """`runs/published`: what the published training code leaves."""
    import torch

    n_latents, run = 64, folder / "runs" / "published"
    run.mkdir(parents=True)
    arguments = {"n_latents": n_latents, "k": 8, "topk_type": "global"}
    (run / "run_config.json").write_text(json.dumps({"args": arguments}))
    state = {}
    for stream, d in WIDTHS.items():
        weights = torch.nn.functional.normalize(torch.randn(d, n_latents, generator=torch.manual_seed(0)), dim=0)
        state |= {f"encoders.{stream}.weight": weights.T.contiguous(), f"decoders.{stream}.weight": weights}
        state |= {f"pre_biases.{stream}": torch.zeros(d), f"latent_biases.{stream}": torch.zeros(n_latents)}
    torch.save(state, run / "msae_checkpoint.pth")


def items_table(folder: Path, shelf: Shelf) -> None:
    """`items.csv`: a row for each of the photos."""
    names = sorted(path.relative_to(folder / "photos").as_posix() for path in (folder / "photos").rglob("*.jpg"))
    rows = [f"{number},{name},a {name.partition('/')[0]} on the moon" for number, name in enumerate(names)]
    (folder / "items.csv").write_text("\n".join(["item_id,image,caption", *rows, ""]))


def sources(folder: Path, shelf: Shelf) -> None:
    """The project's files, as a checkout or an archive has them: those at the top, which commands write, as copies."""
    for path in ROOT.iterdir():
        if path.is_dir() and not (path.name.startswith(".") or path.name in _MADE):
            (folder / path.name).symlink_to(path)
        elif path.is_file() and (path.name == ".env" or not path.name.startswith(".")):
            shutil.copy(path, folder / path.name)


def installed(folder: Path, shelf: Shelf) -> None:
    """`.venv/`, as `make setup` leaves it."""
    venv, commands = folder / ".venv", folder / ".venv" / "bin"
    commands.mkdir(parents=True)
    for path in _VENV_BIN.parent.iterdir():
        if path.name not in ("bin", ".installed"):
            (venv / path.name).symlink_to(path)
    for path in _VENV_BIN.iterdir():
        stands_in = _BIN / path.name
        (commands / path.name).symlink_to(stands_in if stands_in.exists() else path)
    activate = (_VENV_BIN / "activate").read_text().replace(str(_VENV_BIN.parent), str(venv))
    (commands / "activate").unlink()
    (commands / "activate").write_text(activate)
    (venv / ".installed").touch()


def bundle_copies(*names: str) -> Belonging:
    """Bundles of other names: copies of the storybook's, for what is written into them."""

    def put(folder: Path, shelf: Shelf) -> None:
        for name in names:
            shutil.copytree(shelf.storybook, folder / "bundles" / name)

    return put


def coco(folder: Path, shelf: Shelf) -> None:
    """`coco/`: a dozen pictures as COCO has them, with captions, categories and a mask each."""
    pictures, captions, instances = [], [], []
    for number in range(12):
        name = f"{number:012}.jpg"
        pictures.append({"id": number, "file_name": name, "width": 80, "height": 60})
        captions.append({"id": number, "image_id": number, "caption": f"{_CAPTIONS[number % 3]} {number}."})
        corners = [10, 10, 50, 10, 50, 40, 10, 40]
        instances.append(
            {"id": number, "image_id": number, "category_id": 17, "iscrowd": 0, "area": 1200, "segmentation": [corners]}
            | {"bbox": [10, 10, 40, 30]}
        )
        _picture(folder / "coco" / "val2017" / name, number)
    categories = [{"id": 17, "name": "cat", "supercategory": "animal"}]
    annotations = folder / "coco" / "annotations"
    annotations.mkdir()
    for kind, rows in {"captions": captions, "instances": instances}.items():
        content = {"images": pictures, "annotations": rows, "categories": categories}
        (annotations / f"{kind}_val2017.json").write_text(json.dumps(content))


def open_images(folder: Path, shelf: Shelf) -> None:
    """`openimages/`: labels and classes in the published formats; a narrative and a picture for each of a dozen ids."""
    place = folder / "openimages"
    shutil.copytree(_FIXTURES / "open_images", place, ignore=shutil.ignore_patterns("*.jsonl"))
    narratives = []
    for number in range(12):
        name = f"{number:016x}"
        _picture(place / "images" / f"{name}.jpg", number)
        narratives.append({"image_id": name, "annotator_id": 1, "caption": f"{_CAPTIONS[number % 3]} {number}."})
    lines = [json.dumps({"dataset_id": "open_images_test"} | narrative) for narrative in narratives]
    (place / "open_images_test_captions.jsonl").write_text("\n".join([*lines, ""]))


def _picture(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (60, 80, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def _colour(drawn: random.Random) -> tuple[int, int, int]:
    return (drawn.randrange(256), drawn.randrange(256), drawn.randrange(256))
