"""`sparc-build doctor`: does everything that a build would take in fit together? Asked of a sample, before hours go by.

Each check looks at one thing and says in plain words what it found; a check that another one's failure makes pointless
is left out. `index_build.commands.doctor` shows the findings.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float32

from index_build.corpora.base import Corpus
from index_build.doctor.sample import Sample, take_sample
from index_build.features.extraction import BackboneLoader, compute_features
from index_build.features.given import rows_of_items
from index_build.features.store import FeatureStore
from index_build.given_model import check_widths, load_given_model
from index_build.recipe import Recipe, StreamRecipe
from index_build.training.validation import Validation, validate
from sparc_core.errors import SparcError
from sparc_core.model import Sparc

Level = Literal["ok", "odd", "wrong"]
_SAMPLE_ROWS = 1000
_ALIKE = 0.98
"""Cosine of a given and a computed feature of one item, from the same tower and the same pixels, but for rounding."""
_RELATED = 0.7
_POOR_NMSE = 0.8


@dataclass(frozen=True)
class Finding:
    """What a check found: fine, odd (a build would run), or wrong (it would fail or mean nothing)."""

    level: Level
    about: str
    text: str


def examine(corpus: Corpus, recipe: Recipe, loader: BackboneLoader) -> Iterator[Finding]:
    """All findings, in the order in which a build would meet their causes."""
    sample = take_sample(corpus)
    yield from _corpus_findings(sample, recipe)
    widths: dict[str, int] = {}
    computed: dict[str, Float32[np.ndarray, "m d"]] = {}
    for name, stream in recipe.streams.items():
        if stream.backbone:
            yield from _backbone_findings(name, stream, loader, sample, computed)
    rows: dict[str, np.ndarray] = {}
    for name, path in recipe.given.items():
        yield from _given_findings(name, path, sample, rows, widths)
        if name in computed and name in rows:
            yield _agreement(name, path, computed[name], sample, rows[name])
    widths |= {name: x.shape[1] for name, x in computed.items() if name not in widths}
    if len(widths) < len(recipe.streams):
        return
    if recipe.model is not None:
        yield from _model_findings(recipe, recipe.model, widths, rows, computed)
    else:
        yield from _training_findings(recipe, sample)


def _corpus_findings(sample: Sample, recipe: Recipe) -> Iterator[Finding]:
    about = "corpus"
    yield Finding("ok", about, f"{sample.n_items:,} items, {sample.n_pictures:,} pictures, {sample.n_test:,} held out")
    if sample.rejected:
        some = "; ".join(f'"{r.picture or r.item_id}": {r.reason}' for r in sample.rejected[:3])
        yield Finding("odd", about, f"{sample.n_rejected:,} entries cannot be items, for example {some}")
    if sample.unreadable:
        some = "; ".join(f'"{o.picture}": {o.reason}' for o in sample.unreadable[:3])
        n, m = len(sample.unreadable), len(sample.unreadable) + len(sample.pictures)
        yield Finding(
            "odd" if sample.pictures else "wrong", about, f"{n} of {m} sampled pictures cannot be used: {some}"
        )
    if not sample.n_test:
        yield Finding("odd", about, "nothing is held out, so nothing can be measured: raise test_share")
    texts = [name for name, stream in recipe.streams.items() if stream.modality == "text"]
    if texts and not sample.n_captions:
        yield Finding("wrong", about, f"no item has a caption, but stream {texts[0]} reads captions: leave it out")
    elif texts and sample.n_captions < sample.n_items:
        n = sample.n_items - sample.n_captions
        yield Finding("odd", about, f"{n:,} items have no caption: stream {texts[0]} reads an empty text for them")


def _backbone_findings(
    name: str,
    stream: StreamRecipe,
    loader: BackboneLoader,
    sample: Sample,
    computed: dict[str, Float32[np.ndarray, "m d"]],
) -> Iterator[Finding]:
    about = f"stream {name}"
    try:
        backbone = loader(stream.backbone)
        if backbone.modality != stream.modality:
            text = f"{stream.backbone} takes {backbone.modality}s, the stream is of modality {stream.modality}"
            yield Finding("wrong", about, f"{text}: correct modality, or name the other tower with #{stream.modality}")
            return
        inputs = sample.pictures if stream.modality == "image" else sample.captions
        if not inputs:
            return
        features = compute_features(backbone, inputs)
    except SparcError as error:
        yield Finding("wrong", about, str(error))
        return
    computed[name] = features
    shape = " x ".join(map(str, backbone.preprocess(inputs[:1]).shape[1:]))
    yield Finding("ok", about, f"{stream.backbone}: d {backbone.d}, takes {shape}")
    spread = 1 - float(np.mean(features @ features.mean(0) / max(float(np.linalg.norm(features.mean(0))), 1e-9)))
    if len(inputs) > 3 and spread < 1e-3:
        yield Finding("wrong", about, "all inputs get the same features: are the weights loaded, are pictures blank?")


def _given_findings(
    name: str, path: Path, sample: Sample, rows: dict[str, np.ndarray], widths: dict[str, int]
) -> Iterator[Finding]:
    about = f"stream {name}"
    try:
        store = FeatureStore.open({name: path})
        found = rows_of_items(name, path, sample.listed, sample.n_items + sample.n_rejected)
    except SparcError as error:
        yield Finding("wrong", about, str(error))
        return
    widths[name], rows[name] = store.widths[name], found
    n_missing = int((found < 0).sum())
    yield Finding("ok", about, f"{path}: {store.n_rows:,} rows of width {store.widths[name]}")
    if n_missing:
        text = f"{n_missing:,} of {len(found):,} items have no usable row in {path}: they are left out"
        yield Finding("odd", about, text)


def _agreement(
    name: str, path: Path, computed: Float32[np.ndarray, "m d"], sample: Sample, rows: np.ndarray
) -> Finding:
    """Whether a given file holds what the backbone computes."""
    about = f"stream {name}"
    chosen = rows[sample.sampled]
    present = chosen >= 0
    stored = FeatureStore.open({name: path}).rows(torch.from_numpy(chosen[present]))[name].numpy()
    if stored.shape[1] != computed.shape[1]:
        text = f"{path} has width {stored.shape[1]}, the backbone gives {computed.shape[1]}: another tower made it"
        return Finding("wrong", about, text)
    cosines = computed[present] @ stored.T
    own = float(np.mean(np.diag(cosines)))
    if own >= _ALIKE:
        return Finding("ok", about, f"the file's features are the backbone's (mean cosine {own:.4f})")
    best = float(np.mean(cosines.argmax(1) == np.arange(len(cosines))))
    if len(cosines) > 3 and float(cosines.max(1).mean()) >= _ALIKE and best < 0.5:
        return Finding("wrong", about, f"{path} is out of order: items' features are found at other items' rows")
    if own >= _RELATED:
        text = f"the file's features resemble the backbone's (mean cosine {own:.3f}) but are not equal"
        return Finding("odd", about, f"{text}: preprocessing, picture size or precision differ")
    text = f"the file's features are not the backbone's (mean cosine {own:.3f})"
    return Finding("wrong", about, f"{text}: another tower or preprocessing made them, or rows belong to other items")


def _training_findings(recipe: Recipe, sample: Sample) -> Iterator[Finding]:
    options, n_train = recipe.training, sample.n_items - sample.n_test
    yield Finding("ok", "training", f"{options.n_latents:,} latents, k {options.k}, {n_train:,} items to train on")
    if options.n_latents * 2 > n_train:
        text = (
            f"{options.n_latents:,} latents for {n_train:,} items is many: most would stay dead or stand for one item"
        )
        yield Finding("odd", "training", f"{text}; n_latents = {_power_of_two_below(n_train // 5)} fits")
    if options.batch_size > n_train:
        yield Finding(
            "odd", "training", f"batch_size {options.batch_size} is more than the {n_train:,} items: lower it"
        )


def _model_findings(
    recipe: Recipe,
    path: Path,
    widths: dict[str, int],
    rows: Mapping[str, np.ndarray],
    computed: Mapping[str, Float32[np.ndarray, "m d"]],
) -> Iterator[Finding]:
    try:
        model = load_given_model(path)
        check_widths(model, widths, path)
    except SparcError as error:
        yield Finding("wrong", "model", str(error))
        return
    config = model.config
    text = f"{config.n_latents:,} latents, k {config.k}, {config.selection} selection, streams {', '.join(widths)}"
    yield Finding("ok", "model", text)
    yield from _error_findings(model, _sample_features(recipe, rows, computed))


def _sample_features(
    recipe: Recipe, rows: Mapping[str, np.ndarray], computed: Mapping[str, Float32[np.ndarray, "m d"]]
) -> dict[str, Float32[np.ndarray, "m d"]]:
    """Aligned features of some items: from the given files where all streams have one, else as just computed."""
    if rows.keys() != recipe.streams.keys():
        n = min(len(x) for x in computed.values()) if computed else 0
        return {name: computed[name][:n] for name in recipe.streams if name in computed}
    known = np.flatnonzero(np.all([found >= 0 for found in rows.values()], axis=0))
    chosen = (
        known[np.linspace(0, len(known) - 1, min(len(known), _SAMPLE_ROWS)).astype(np.int64)] if len(known) else known
    )
    return {
        name: FeatureStore.open({name: path}).rows(torch.from_numpy(rows[name][chosen]))[name].numpy()
        for name, path in recipe.given.items()
    }


def _error_findings(model: Sparc, features: Mapping[str, Float32[np.ndarray, "m d"]]) -> Iterator[Finding]:
    """NMSE on a sample against what it should be: below that of the mean, and below that of shuffled partners."""
    n = min((len(x) for x in features.values()), default=0)
    if n < 8 or features.keys() != model.config.streams.keys():
        yield Finding("odd", "model", f"only {n} aligned items could be looked at: too few to tell its errors")
        return
    measured = validate(model, FeatureStore.of({name: np.array(x) for name, x in features.items()}))
    for name, error in measured.nmse.items():
        x = features[name]
        of_the_mean = float(((x - x.mean(0)) ** 2).mean(1).mean() / (x**2).mean())
        said = f"NMSE {error:.3f} on {n:,} items (the mean feature alone: {of_the_mean:.3f})"
        if error >= of_the_mean or error >= 1:
            text = f"{said}: worse than knowing nothing; these are not the features that it was trained on"
            yield Finding("wrong", f"model, {name}", f"{text} (another tower, preprocessing or normalisation)")
        else:
            yield Finding("odd" if error > _POOR_NMSE * of_the_mean else "ok", f"model, {name}", said)
    if len(features) > 1:
        yield _pairing(model, features, measured)


def _pairing(model: Sparc, features: Mapping[str, Float32[np.ndarray, "m d"]], measured: Validation) -> Finding:
    """Cross-reconstruction needs partners: with other items' rows it must be clearly worse."""
    first, *others = features
    shifted = {first: np.array(features[first])} | {name: np.roll(features[name], 1, axis=0) for name in others}
    apart = validate(model, FeatureStore.of(shifted)).mean_cross_nmse
    together = measured.mean_cross_nmse
    text = f"cross-NMSE {together:.3f}, with items paired wrongly {apart:.3f}"
    if together < 0.97 * apart:
        return Finding("ok", "item alignment", text)
    return Finding("wrong", "item alignment", f"{text}: no better, so the streams' rows belong to different items")


def _power_of_two_below(n: int) -> int:
    return 1 << max(n, 8).bit_length() - 1
