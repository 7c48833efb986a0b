"""Names of latents: from the labels that their strongest items share, else from the words that their captions share."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from sparc_core.metrics import purity

if TYPE_CHECKING:
    from index_build.indexing.statistics import CorpusFacts

SHARED = 0.6
"""A label counts when this share of a latent's strongest items carry it, averaged over streams."""
_QUALIFIERS = ("colour",)
"""Kinds of labels that go before another label: "red car"."""
_MIN_Z = 1.96
_PRIOR = 50.0  # pseudo-captions: how much evidence a word needs against its usual frequency
_FUNCTION_WORDS = frozenset(
    "a an the this that these those and or but of in on at by to for from with without near under over above below "
    "behind beside between next into onto is are was were be been being there here it its as".split()
)
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")


class Name(NamedTuple):
    """A latent's name and what it was made from: "labels", "caption words" or "none"."""

    text: str
    source: str


def name_latents(
    from_labels: Sequence[str],
    facts: "CorpusFacts",
    top: Sequence[Sequence[Int[np.ndarray, "m"]]],
    density: Float[np.ndarray, "l"],
) -> list[Name]:
    """Name every latent; latents that would share a name are numbered, the densest first: "cat", "cat (2)".

    Args:
        from_labels: A name for each latent from labels; empty where they give none (see `names_from_labels`).
        facts: Captions and labels.
        top: Strongest items per latent, for each stream whose captions may name it.
        density: Orders latents of one name.
    """
    from_words = names_from_words(facts.captions, [np.unique(np.concatenate(rows)) for rows in zip(*top, strict=True)])
    names = []
    for latent, (labels, words) in enumerate(zip(from_labels, from_words, strict=True)):
        if labels:
            names.append(Name(labels, "labels"))
        else:
            names.append(Name(words, "caption words") if words else Name(f"latent {latent}", "none"))
    return _numbered(names, density)


def names_from_labels(shares: Float[np.ndarray, "l c"], facts: "CorpusFacts") -> list[str]:
    """Per latent, the label that is shared most beyond its frequency, after a shared qualifier; empty without one.

    Args:
        shares: Share of each latent's strongest items that carry each label, averaged over streams.
        facts: Captions and labels.
    """
    qualifies = np.array([kind in _QUALIFIERS for kind in facts.label_kinds], bool)
    qualifier, noun = (_best_label(shares, facts, columns) for columns in (qualifies, ~qualifies))
    return [" ".join(filter(None, pair)) for pair in zip(qualifier, noun, strict=True)]


def names_from_words(captions: Sequence[str], top: Sequence[Int[np.ndarray, "m"]]) -> list[str]:
    """Per latent, the one or two words that most set its top captions apart from all captions; empty without any.

    Log-odds with an informative Dirichlet prior over captions that contain the word (Monroe et al. 2008); a second
    word joins when most of the top captions contain both.
    """
    everywhere = Counter(word for caption in captions for word in words_of(caption))
    return [_distinctive([captions[item] for item in items], everywhere, len(captions)) for items in top]


def _best_label(
    shares: Float[np.ndarray, "l c"], facts: "CorpusFacts", columns: Bool[np.ndarray, "c"]
) -> list[str | None]:
    names = [name for name, kept in zip(facts.label_names, columns, strict=True) if kept]
    if not names:
        return [None] * len(shares)
    best = purity(shares[:, columns], facts.frequency[columns], SHARED)
    return [names[label] if share >= SHARED else None for label, share in zip(best.label, best.share, strict=True)]


def words_of(caption: str) -> set[str]:
    """The words that a caption says something with, lower case."""
    return set(_WORD.findall(caption.lower())) - _FUNCTION_WORDS


def _distinctive(top: Sequence[str], everywhere: Mapping[str, int], n_captions: int) -> str:
    """The words that set some captions apart; a word that none of them contains never does.

    Args:
        top: The captions.
        everywhere: How many of all captions contain each word.
        n_captions: Of all.
    """
    in_top = Counter(word for caption in top for word in words_of(caption))
    if not in_top:
        return ""
    words, n_top = sorted(in_top), len(top)
    here, anywhere = (np.array([counts[word] for word in words], float) for counts in (in_top, everywhere))
    prior = _PRIOR * (anywhere + 0.5) / (n_captions + 1)
    odds_here = (here + prior) / (n_top - here + _PRIOR - prior)
    odds_elsewhere = (anywhere - here + prior) / (n_captions - n_top - anywhere + here + _PRIOR - prior)
    z = np.log(odds_here / odds_elsewhere) / np.sqrt(1 / (here + prior) + 1 / (anywhere - here + prior))
    order = np.argsort(-z, kind="stable")
    if z[order[0]] < _MIN_Z:
        return ""
    common = [word for word in order[:2] if z[word] >= _MIN_Z and here[word] >= SHARED * n_top]
    return " ".join(words[word] for word in common or order[:1])


def _numbered(names: Sequence[Name], density: Float[np.ndarray, "l"]) -> list[Name]:
    numbered, seen = list(names), Counter[str]()
    for latent in np.argsort(-density, kind="stable"):
        text, source = names[latent]
        seen[text] += 1
        if seen[text] > 1:
            numbered[latent] = Name(f"{text} ({seen[text]})", source)
    return numbered
