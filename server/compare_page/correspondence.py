"""What a latent's number means across two bundles: what their manifests say, and what is measured."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from server.compare_page.differences import same_corpus
from server.compare_page.marks import listed, shared_streams
from server.page_rendering import decimal

if TYPE_CHECKING:
    from server.explorer import Explorer

# What decides, beside the features, which direction a latent begins with (index_build.training.start).
_OF_THE_START = ("seed", "dictionary_init", "pre_bias_init")


class Correspondence(NamedTuple):
    """What numbers mean.

    Attributes:
        is_shown: Whether latents of one number can be set side by side at all.
        text: Why, or what they have in common.
        measured: How alike their directions are, as a sentence; "" where that is not to be had.
    """

    is_shown: bool
    text: str
    measured: str


def correspondence(first: "Explorer", second: "Explorer") -> Correspondence:
    """What latents of one number have to do with each other in two bundles."""
    one, other = first.info(), second.info()
    if one.n_latents != other.n_latents:
        text = f"the dictionaries have {one.n_latents:,} and {other.n_latents:,} latents."
        return Correspondence(False, f"Latents cannot be set side by side: {text}", "")
    if not same_corpus(one, other):
        return Correspondence(False, "Latents cannot be set side by side: the corpora differ.", "")
    recipes = [explorer.bundle.manifest.sparc.recipe for explorer in (first, second)]
    if recipes[0].get("seed") is None or recipes[1].get("seed") is None:
        text = "A number is the same latent only where two models began with the same dictionary, which these bundles "
        return Correspondence(True, f"{text}do not say: take the two sides for unrelated.", _measured(first, second))
    if any(recipes[0].get(name) != recipes[1].get(name) for name in _OF_THE_START):
        seeds = f"{recipes[0]['seed']} and {recipes[1]['seed']}"
        how = f"seeds {seeds}" if recipes[0]["seed"] != recipes[1]["seed"] else "other first dictionaries"
        text = (
            f"The two models began with {how}: numbers do not correspond at all, the two sides are unrelated latents."
        )
        return Correspondence(True, text, _measured(first, second))
    text = (
        f"Numbers correspond by position in the dictionary only: both models began with the same directions (seed "
        f"{recipes[0]['seed']}) and were then trained apart. Models of other seeds would have nothing in common here."
    )
    return Correspondence(True, text, _measured(first, second))


def _measured(first: "Explorer", second: "Explorer") -> str:
    """The mean cosine of directions with one number, stream by stream."""
    said = []
    for stream in shared_streams(first.info(), second.info()):
        one, other = (explorer.latents.dictionary(stream.name) for explorer in (first, second))
        if one.shape == other.shape:
            said.append(f"{decimal(float(np.mean(np.sum(one * other, axis=1))))} in {stream.title}")
    if not said:
        return ""
    return f"Measured: directions of one number have a mean cosine of {listed(said)}; unrelated ones about 0."
