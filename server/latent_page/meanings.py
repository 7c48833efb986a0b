"""What a latent means in each stream, in one sentence that says no more than its numbers."""

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from server.page_rendering import decimal
from server.schemas import Alive, Info, Latent, LatentStream

SHARED = 0.6
"""A label that this share of the strongest items carries is what they have in common (docs/bundle.md)."""
_WORDS = ("", "the only stream", "both streams", "all three streams", "all four streams", "all five streams")


class _Finding(NamedTuple):
    """What is found of one stream or several: verbs for one and for many, and what follows."""

    one: str
    many: str
    rest: str


_SILENT = _Finding("never fires", "never fire", "")
_FEW = _Finding("fires on too few items to tell", "fire on too few items to tell", "")
_UNSHARED = _Finding("fires on items without a shared label", "fire on items without a shared label", "")


def meaning_sentence(title: str, latent: Latent, titles: Sequence[str]) -> str:
    """What a latent means in one bundle.

    Args:
        title: The bundle's.
        latent: With its streams in the bundle's order.
        titles: Of the streams, in that order.

    Returns:
        "With global selection, all three streams mean sun (alignment 0.53)."
    """
    known = "" if latent.alignment is None else f" (alignment {decimal(latent.alignment)})"
    return f"With {title}, {_said(latent, titles)}{known}."


def mismatch_sentence(here: Info, there: Info) -> str:
    """Why the numbers of latents of two bundles do not correspond; "" where nothing speaks against it."""
    reasons = []
    if (here.corpus, here.n_items) != (there.corpus, there.n_items):
        reasons.append(f"is of another corpus ({there.corpus}, {there.n_items:,} items)")
    if here.n_latents != there.n_latents:
        reasons.append(f"has {there.n_latents:,} latents, and this one has {here.n_latents:,}")
    return f"The numbers do not correspond: the other bundle {' and '.join(reasons)}." if reasons else ""


def _said(latent: Latent, titles: Sequence[str]) -> str:
    if latent.alive is Alive.dead:
        return "it is dead"
    if all(stream.purity is None for stream in latent.streams):  # a corpus without labels, or items too few to tell
        return (
            "it has no name"
            if latent.name_source == "none"
            else f"it is named “{latent.name}” from {latent.name_source}"
        )
    findings = [_finding(stream) for stream in latent.streams]
    if len(set(findings)) == 1:
        return _clause(_together(titles), findings[0], len(titles))
    clauses, before = [], ""
    for finding, run in groupby(zip(findings, titles, strict=True), key=lambda pair: pair[0]):
        named = [title for _, title in run]
        # "DINO means whale, CLIP image penguin": a verb need not be said twice.
        said_before = bool(finding.rest) and finding.one == before
        clauses.append(_clause(_listed(named), finding, 0 if said_before else len(named)))
        before = finding.one
    return ", ".join(clauses)


def _clause(who: str, finding: _Finding, n: int) -> str:
    """What `n` streams do; 0 leaves the verb out."""
    verb = "" if n == 0 else f" {finding.one if n == 1 else finding.many}"
    return f"{who}{verb}{finding.rest}"


def _finding(stream: LatentStream) -> _Finding:
    if stream.density == 0:
        return _SILENT
    if stream.purity is None:
        return _FEW
    return _Finding("means", "mean", f" {stream.label}") if _has_shared_label(stream) else _UNSHARED


def _has_shared_label(stream: LatentStream) -> bool:
    """Whether its strongest items have a label in common."""
    return stream.label is not None and stream.purity is not None and stream.purity >= SHARED


def _together(titles: Sequence[str]) -> str:
    return _WORDS[len(titles)] if len(titles) < len(_WORDS) else f"all {len(titles)} streams"


def _listed(names: Sequence[str]) -> str:
    return " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)
