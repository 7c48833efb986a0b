"""What our pages never do: take text for markup, run strings, ask another host."""

import re
from pathlib import Path

import pytest

FRONTEND = Path(__file__).parents[2] / "frontend"
MARKUP = re.compile(
    r"\b(?:innerHTML|outerHTML|insertAdjacentHTML|createContextualFragment|setHTMLUnsafe|parseHTMLUnsafe|srcdoc)\b"
    r"|\bdocument\.write|\beval\(|\bnew Function\b|\bDOMParser\b|\bset(?:Timeout|Interval)\(\s*[\"'`]|javascript:"
    r"|\bpostMessage\b|\bsetAttribute\(\s*[\"'`]on"
)
HOSTS = re.compile(
    r"(?:\b[a-z]{2,}:)?//[a-z0-9-]+(?:\.[a-z0-9-]+)+|\b(?:WebSocket|EventSource|sendBeacon)\b|@import", re.IGNORECASE
)
ASKS = re.compile(r"\bfetch\(|XMLHttpRequest|(?<!#)\bimport\((?!\"\.)")
NAMESPACE = "http://www.w3.org/2000/svg"
# `| safe` is for words of the template itself; none of them comes from a bundle or an address.
SAFE = {
    "parts.html": ["""' loading="lazy"' | safe"""],
    "compare_bundles.html": ["""' class="mono"' | safe"""],
}


def files(*patterns: str) -> list[Path]:
    return sorted(path for pattern in patterns for path in FRONTEND.rglob(pattern))


def without_comments(text: str) -> str:
    """A script without what follows `//` on its own or behind a blank, and without `/* */`."""
    return re.sub(r"/\*.*?\*/|(?:(?<=\s)|^)//[^\n]*", "", text, flags=re.DOTALL | re.MULTILINE)


def test_scripts_write_text_and_elements_only() -> None:
    scripts = files("*.js")
    assert len(scripts) > 50
    found = {p.name: MARKUP.findall(without_comments(p.read_text("utf-8"))) for p in scripts}
    assert {name: wrong for name, wrong in found.items() if wrong} == {}


def test_nothing_is_asked_of_another_host() -> None:
    found = {}
    for path in files("*.js", "*.css", "*.html", "*.svg"):
        text = without_comments(path.read_text("utf-8")).replace(NAMESPACE, "")
        if wrong := HOSTS.findall(text):
            found[path.name] = wrong
    assert found == {}


def test_only_one_module_asks() -> None:
    asking = [path.name for path in files("*.js") if ASKS.search(without_comments(path.read_text("utf-8")))]
    assert asking == ["api.js"]


def test_templates_escape_everything() -> None:
    from server.page_rendering import templates

    assert templates.env.autoescape is True
    unescaped = re.compile(r"[^{%]*\|\s*safe\b|autoescape|Markup")
    for path in files("*.html", "*.svg"):
        found = [match[0] for match in unescaped.finditer(path.read_text("utf-8"))]
        expected = SAFE.get(path.name, [])
        assert len(found) == len(expected), f"{path.name}: {found}"
        for one, wanted in zip(found, expected, strict=True):
            assert one.endswith(wanted)


def test_templates_hold_no_script_of_their_own() -> None:
    """Scripts are files: the policy forbids others, and data among them is JSON, which `tojson` makes safe."""
    for path in files("*.html"):
        text = path.read_text("utf-8")
        for attributes, inside in re.findall(r"<script([^>]*)>(.*?)</script>", text, re.DOTALL):
            is_data = 'type="application/json"' in attributes and re.fullmatch(r"\{\{.*\| tojson \}\}", inside)
            assert is_data or ('src="/static/' in attributes and not inside), f"{path.name}: <script{attributes}>"
        assert not re.search(r"""\son[a-z]+=["'{]""", text), f"{path.name} has an inline handler"
        assert not re.search(r"\s[a-z-]+=\{\{", text), f"{path.name} has an attribute without quotes"


@pytest.mark.parametrize(
    "line",
    ["a.innerHTML = b;", "el.setAttribute('onclick', x)", "setTimeout('f()', 1)", "location = 'javascript:1'"],
)
def test_the_laws_can_be_broken(line: str) -> None:
    assert MARKUP.search(without_comments(line))


def test_another_host_would_be_seen() -> None:
    for line in ('fetch("https://cdn.example.org/x.js")', "background: url(//fonts.example.com/a)", "new WebSocket(x)"):
        assert HOSTS.search(without_comments(line))
