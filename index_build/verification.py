"""`sparc-build verify`: beyond hashes, that the parts of a bundle open and fit together."""

from pathlib import Path

import numpy as np

from sparc_core.bundle import Bundle
from sparc_core.bundle.codes import Codes
from sparc_core.bundle.postings import Postings, invert
from sparc_core.errors import BundleError, SparcError


def verify_bundle(path: Path) -> Bundle:
    """Open a bundle, hash all of it, and open and compare every part.

    Raises:
        BundleError: Something is missing, altered, or does not fit; the message names it.
    """
    bundle = Bundle.open(path, verify=True)
    _check_model(bundle)
    _check_items(bundle)
    assert len(bundle.latents) == bundle.manifest.sparc.n_latents, "reading the table compares its length"
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
    for latent, expected in enumerate(invert(codes, postings.n_latents)):
        found = postings.of(latent)
        same_items = np.array_equal(found.items, expected.items)
        if not same_items or not np.array_equal(found.activations, expected.activations):
            raise BundleError(f"{path}.faiss: the posting list of latent {latent} does not match the codes: rebuild it")
