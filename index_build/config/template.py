"""`sparc-build init`: a commented `sparc.toml` for each kind of corpus, with sizes that suit the corpus at hand."""

import json
import os
import textwrap
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from index_build.config.guess import guess_places
from index_build.config.tables import BundleTable, EngineTable, EvaluationTable, IndexTable, MediaTable, first_problem
from index_build.corpora import KINDS, open_corpus
from index_build.corpora.base import CorpusItem
from sparc_core.errors import InputError

_COUNTED = 200_000
_FEW = 4_000
_STREAMS = """\
# The models whose concepts are compared: one table each, any number of them (docs/backbones.md).
# A spec is FAMILY:NAME; weights come from the hub, a mirror (HF_ENDPOINT) or a local folder.
[streams.dino]
backbone = "transformers:facebook/dinov2-with-registers-base"
modality = "image"
# features = "features/dino.h5"  # use features that are there already

[streams.clip_img]
backbone = "open_clip:ViT-B-16/datacomp_xl_s13b_b90k#image"
"""
_TEXT_STREAM = """
[streams.clip_txt]
backbone = "open_clip:ViT-B-16/datacomp_xl_s13b_b90k#text"
"""
_STORYBOOK_STREAMS = """\
[streams.dino]
backbone = "storybook:dino"

[streams.clip_img]
backbone = "storybook:clip_img"
"""
_STORYBOOK_TEXT_STREAM = """
[streams.clip_txt]
backbone = "storybook:clip_txt"
"""
Backbones = Literal["hub", "storybook"]


@dataclass(frozen=True)
class ModelSize:
    """Sizes of a model."""

    n_latents: int
    k: int
    batch_size: int

    @classmethod
    def for_items(cls, n_items: int) -> "ModelSize":
        """About five items a latent, as a power of two from 64 to 8192 (the published size), and k a 128th to an 8th.

        More latents than that stay dead or learn single items by heart. Small corpora have small batches: 50 epochs of
        a thousand items are otherwise too few steps.
        """
        n_latents = 64
        while n_latents < 8192 and n_latents * 2 * 5 <= n_items:
            n_latents *= 2
        return cls(n_latents, max(8, min(64, n_latents // 64)), 256 if n_items >= _FEW else 64)


def config_text(kind: str, place: str, base: Path, backbones: Backbones = "hub") -> str:
    """A `sparc.toml`, checked against the corpus that it names.

    Args:
        kind: Of the corpus.
        place: Its folder, table, annotation file or shards; "" for storybook.
        base: The folder that the file will be in.
        backbones: Of the streams: DINOv2 and CLIP from the hub, or the storybook's towers, which need no network and
            know drawn pictures only. A storybook corpus has the latter in any case.

    Raises:
        InputError: There is no such kind, or no usable corpus at that place.
    """
    if kind not in KINDS:
        raise InputError(f"corpus kind is {kind!r}: choose from {', '.join(KINDS)}")
    model: type[BaseModel] = KINDS[kind]
    if kind != "storybook" and not place:
        raise InputError(f"a {kind} corpus needs its place: sparc-build init {kind} PATH")
    places = guess_places(kind, place) if place and kind != "storybook" else {}
    given = {name: _relative(path, base) for name, path in places.items()}
    n_items, with_captions = _look_at(_checked(model, {"kind": kind, **given}), base)
    chosen: Backbones = "storybook" if kind == "storybook" else backbones
    models = _streams(chosen, with_captions) + "\n" + _training(kind, chosen, n_items)
    return _text(model, kind, given, models)


def _streams(backbones: Backbones, with_captions: bool) -> str:
    """The tables of the streams; one that reads captions only where there are some."""
    images, text = (_STREAMS, _TEXT_STREAM) if backbones == "hub" else (_STORYBOOK_STREAMS, _STORYBOOK_TEXT_STREAM)
    return images + (text if with_captions else "")


def _checked(model: type[BaseModel], settings: dict[str, str]) -> BaseModel:
    try:
        return model.model_validate(settings)
    except ValidationError as error:
        raise InputError(f"the corpus cannot be described: {first_problem(error)}") from None


def _relative(place: str, base: Path) -> str:
    """A local path as seen from the file; anything else as it is."""
    return os.path.relpath(place, base) if Path(place).exists() and not Path(place).is_absolute() else place


def _look_at(settings: Any, base: Path) -> tuple[int, bool]:
    """How many items there are (up to a limit), and whether any has a caption."""
    n_items, with_captions = 0, False
    for entry in open_corpus(settings, base).items():
        if isinstance(entry, CorpusItem):
            n_items, with_captions = n_items + 1, with_captions or bool(entry.caption)
        if n_items >= _COUNTED:
            break
    if not n_items:
        raise InputError("the corpus has no item that can be used: look at its path and files")
    return n_items, with_captions


def _text(model: type[BaseModel], kind: str, given: dict[str, str], models: str) -> str:
    name = (given and Path(next(iter(given.values())).rstrip("/")).stem) or kind
    out, work = f"bundles/{name}", f"work/{name}"
    parts = [
        "# What to build. Check it with `sparc-build doctor`, build it with `sparc-build run`, then `sparc-serve`.\n"
        "# Paths are relative to this file. Lines that are commented out show the defaults.\n",
        "[bundle]\n" + _fields(BundleTable, {"out": out, "work": work}),
        "[corpus]\n" + _fields(model, {"kind": kind, **given}),
        models,
        "[media]\n" + _fields(MediaTable, {}),
        "[index]\n" + _fields(IndexTable, {}),
        "[evaluation]\n" + _fields(EvaluationTable, {}),
        "[engine]\n" + _fields(EngineTable, {}),
    ]
    return "\n".join(parts)


def _training(kind: str, backbones: Backbones, n_items: int) -> str:
    """The table of training: the backbones' recipe, and sizes that suit the corpus (the storybook's has its own)."""
    recipe = "storybook" if backbones == "storybook" else "default"
    table = (
        '[training]\n# "default" is ours, "published" the paper\'s; any option of docs/reference-cli.md can follow.\n'
        f'recipe = "{recipe}"\n'
    )
    if kind == "storybook":
        return table
    size, seen = ModelSize.for_items(n_items), f"{n_items:,}" if n_items < _COUNTED else f"more than {_COUNTED:,}"
    return table + (
        f"# Chosen for the {seen} items of this corpus; the paper has 8192, 64, 64 and 256.\n"
        f"n_latents = {size.n_latents}\nk = {size.k}\nauxk = {size.k}\nbatch_size = {size.batch_size}\n"
    )


def _fields(model: type[BaseModel], given: dict[str, Any]) -> str:
    lines = []
    for name, field in sorted(model.model_fields.items(), key=lambda named: named[0] not in given):
        lines += [f"# {line}" for line in textwrap.wrap(field.description or "", 110)]
        value = given.get(name, _default(field))
        written = (
            f"{name} = {json.dumps(value, ensure_ascii=False)}" if value is not None else f"{name} = {_example(field)}"
        )
        lines.append(written if name in given else f"# {written}")
    return "\n".join(lines) + "\n"


def _default(field: FieldInfo) -> Any:
    value = None if field.is_required() else field.get_default(call_default_factory=True)
    return str(value) if isinstance(value, Path) else list(value) if isinstance(value, tuple) else value


def _example(field: FieldInfo) -> str:
    """A value of the field's type, where there is no default to show."""
    kinds = get_args(field.annotation) if get_origin(field.annotation) in (Union, UnionType) else (field.annotation,)
    if any(get_origin(kind) is list for kind in kinds):
        return "[]"
    return "0" if int in kinds else "0.0" if float in kinds else '"..."'
