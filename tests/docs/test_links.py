"""Every link inside the documentation leads somewhere, and every file that the code map names is there."""

import re
import unicodedata
from collections import Counter
from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.docs.blocks import ROOT, documents, tokens_of

_ALL = [*documents(), *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs/decisions").glob("*.md"))]
_HTML_SOURCE = re.compile(r'(?:src|srcset|href)="([^"]+)"')
_WRITTEN_BY_READERS = {"sparc.toml"}
_MAPPED = ("sparc_core", "index_build", "server", "frontend")  # folders of code, below which the map names files


def _links(document: str) -> list[str]:
    """What a document's links, pictures and HTML elements point to."""
    found = []
    for token in tokens_of(document):
        for inner in [token, *(token.children or [])]:
            found += [str(inner.attrs[name]) for name in ("href", "src") if name in inner.attrs]
            if inner.type in ("html_block", "html_inline"):
                found += _HTML_SOURCE.findall(inner.content)
    return found


@lru_cache
def _anchors(document: str) -> frozenset[str]:
    """The anchors that GitHub gives to the headings of a document."""
    tokens = tokens_of(document)
    titles = [tokens[i + 1] for i, token in enumerate(tokens) if token.type == "heading_open"]
    seen: Counter[str] = Counter()
    anchors = []
    for title in titles:
        text = "".join(inner.content for inner in title.children or [] if inner.type in ("text", "code_inline"))
        slug = _slug(text)
        anchors.append(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return frozenset(anchors)


def _slug(title: str) -> str:
    """Letters, digits, dashes and underscores in lower case; a dash for each space."""
    kept = [c for c in title.strip().lower() if c in " -_" or unicodedata.category(c)[0] in "LNM"]
    return "".join(kept).replace(" ", "-")


@pytest.mark.parametrize("document", _ALL)
def test_links_lead_somewhere(document: str) -> None:
    for link in _links(document):
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        target = (ROOT / document).parent / unquote(parts.path) if parts.path else ROOT / document
        assert target.exists(), f"{document} links to {link}, which is not there"
        assert target.resolve().is_relative_to(ROOT), f"{document} links to {link}, outside the project"
        if parts.fragment:
            anchors = _anchors(target.resolve().relative_to(ROOT).as_posix())
            assert parts.fragment in anchors, f"{document} links to {link}: headings there are {sorted(anchors)}"


@pytest.mark.parametrize(
    ("title", "slug"), [("`sparc.toml`", "sparctoml"), ("10 & 1 billion, *items*", "10--1-billion-items")]
)
def test_anchors_are_githubs(title: str, slug: str) -> None:
    """As seen on GitHub: marks go, letters stay, spaces become dashes one by one."""
    assert _slug(re.sub("[`*]", "", title)) == slug


def _mapped_names() -> list[str]:
    """Files and folders of code that docs/index.md names in backquotes."""
    names = set()
    for token in tokens_of("docs/index.md"):
        for inner in token.children or []:
            if inner.type == "code_inline" and re.fullmatch(r"[\w./-]+(\.(py|js|css|html|toml)|/)", inner.content):
                names.add(inner.content)
    return sorted(names - _WRITTEN_BY_READERS)


def _places(name: str) -> list[Path]:
    """Where a name of the map may be: at the root, or in any folder of the code (the map says `pages.py` for short)."""
    stripped = name.rstrip("/")
    return [ROOT / stripped, *(path for folder in _MAPPED for path in (ROOT / folder).rglob(stripped))]


@pytest.mark.parametrize("name", _mapped_names())
def test_the_code_map_names_what_is_there(name: str) -> None:
    assert any(path.exists() for path in _places(name)), f"docs/index.md names {name}, which is nowhere"
