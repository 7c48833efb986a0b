"""`sparc-build verify`: beyond hashes, that the parts of a bundle open and fit together."""

from pathlib import Path

import numpy as np
from jaxtyping import Int64

from sparc_core.bundle import Bundle
from sparc_core.bundle.codes import Codes
from sparc_core.bundle.postings import Posting, Postings
from sparc_core.errors import BundleError, SparcError
from sparc_core.metrics import active_counts

_ROWS_AT_A_TIME = 1 << 16


def verify_bundle(path: Path) -> Bundle:
    """Open a bundle, hash all of it, and open and compare every part.

    Raises:
        BundleError: Something is missing, altered, or does not fit; the message names it.
    """
    bundle = Bundle.open(path, verify=True)
    _check_model(bundle)
    _check_items(bundle)
    assert len(bundle.latents) == bundle.manifest.sparc.n_latents, "reading the table compares its length"
    _check_evaluation(bundle)
    for stream in (stream.name for stream in bundle.manifest.streams):
        bundle.vectors(stream)
        _check_postings(path / "postings" / stream, bundle.codes(stream), bundle.postings(stream))
        _check_postings(path / "postings_local" / stream, bundle.codes(stream, "local"), bundle.local_postings(stream))
    return bundle


def _check_model(bundle: Bundle) -> None:
    from sparc_core.checkpoint import load_sparc

    try:
        config = load_sparc(bundle.sparc_path).config
    except SparcError as error:
        raise BundleError(str(error)) from None
    manifest = bundle.manifest
    expected = ({s.name: s.d for s in manifest.streams}, manifest.sparc.n_latents, manifest.sparc.k)
    if (config.streams, config.n_latents, config.k) != expected:
        raise BundleError(f"{bundle.sparc_path} is not the model that the manifest describes: rebuild the bundle")


def _check_evaluation(bundle: Bundle) -> None:
    n_latents = len(bundle.latent_evaluation.name_auroc)
    assert n_latents == bundle.manifest.sparc.n_latents, "reading the table compares its length"
    if bundle.evaluation.headline != bundle.manifest.metrics:
        raise BundleError(
            f"{bundle.path / 'evaluation.json'} has another headline than the manifest's metrics: "
            f'run "sparc-build evaluate {bundle.path}"'
        )


def _check_items(bundle: Bundle) -> None:
    items, ids = bundle.items, set()
    for row in range(len(items)):
        item = items[row]
        if item.item_id in ids:
            raise BundleError(f'{bundle.path / "items.parquet"} has item "{item.item_id}" twice: rebuild the bundle')
        ids.add(item.item_id)
        if not bundle.media_path(row).is_file():
            raise BundleError(f"{bundle.media_path(row)} is missing: rebuild the bundle")


def _check_postings(path: Path, codes: Codes, postings: Postings) -> None:
    """A list of the right size, in strict order, whose every entry is in the codes, is the right list."""
    sizes = _list_sizes(codes, postings.n_latents)
    for latent, posting in enumerate(postings.in_order()):
        if len(posting.items) != sizes[latent] or not _is_sorted(posting) or not _is_in(codes, latent, posting):
            raise BundleError(f"{path}.faiss: the posting list of latent {latent} does not match the codes: rebuild it")


def _list_sizes(codes: Codes, n_latents: int) -> Int64[np.ndarray, "l"]:
    """On how many items each latent is active."""
    sizes = np.zeros(n_latents, np.int64)
    for start in range(0, len(codes.latents), _ROWS_AT_A_TIME):
        latents, activations = (array[start : start + _ROWS_AT_A_TIME] for array in codes)
        sizes += active_counts(latents, activations, n_latents)
    return sizes


def _is_sorted(posting: Posting) -> bool:
    """Whether the strongest come first, equal ones by item, none twice."""
    items, activations = posting
    weaker, equal = activations[1:] < activations[:-1], activations[1:] == activations[:-1]
    return bool((weaker | (equal & (items[1:] > items[:-1]))).all())


def _is_in(codes: Codes, latent: int, posting: Posting) -> bool:
    """Whether the codes hold every entry of a list."""
    for start in range(0, len(posting.items), _ROWS_AT_A_TIME):
        items, activations = (array[start : start + _ROWS_AT_A_TIME] for array in posting)
        if not ((items >= 0) & (items < len(codes.latents)) & (activations > 0)).all():
            return False
        same = (codes.latents[items] == latent) & (codes.activations[items] == activations[:, None])
        if not same.any(1).all():
            return False
    return True
