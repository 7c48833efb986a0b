"""Pages over a bundle of a stranger: its texts are shown, and none of them becomes a part of the page."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import ANSWER_MS, SERVER_DEADLINE_S, listening
from tests.browser.every_page import BY_NAME, OPEN_ALL, Visit
from tests.security.hostile_bundle import hostile, write_hostile

pytestmark = pytest.mark.browser

# Heatmaps of one picture only: what is looked for here is in the page, not in the colours.
OWN = (
    Visit("latent", "/latents/3?try=a+cat&beside={beside}", "#beside img", OPEN_ALL),
    Visit("caption", "/caption?q=a+cat&item=s000003", "#status:has-text('picture in')", OPEN_ALL),
)
SHARED = (
    *("gallery", "gallery-map", "find-meaning", "mismatches", "item", "retrieve-why"),
    *("compare-bundles", "compare-streams", "evaluation", "collection-filled", "error"),
)
PAGES = {visit.name: visit for visit in (*OWN, *(BY_NAME[name] for name in SHARED))}
# Elements that only a hostile text could have brought.
BROUGHT = "img[src=x], img[onerror], svg[onload], script:not([src]):not([type])"


@pytest.fixture(scope="module")
def hostile_address(tiny_bundle: Path, twin_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    from server.app import create_app
    from server.settings import Settings

    bundle = write_hostile(tiny_bundle, tmp_path_factory.mktemp("hostile") / "bundle")
    settings = Settings(bundle=bundle, beside=(twin_bundle,), device="cpu", threads=1, deadline_s=SERVER_DEADLINE_S)
    with listening(create_app(settings)) as address:
        yield address


@pytest.fixture
def page(chromium: Any, hostile_address: str) -> Iterator[Any]:
    """A page that notes what is asked of other hosts, what runs, and what opens."""
    context = chromium.new_context(base_url=hostile_address, viewport={"width": 1280, "height": 860})
    page = context.new_page()
    page.set_default_timeout(ANSWER_MS)
    seen: list[str] = []
    ours = (f"{hostile_address}/", "data:", "blob:")
    page.on("request", lambda request: None if request.url.startswith(ours) else seen.append(request.url))
    page.on("dialog", lambda dialog: seen.append(dialog.message))
    yield page
    context.close()
    assert not seen


@pytest.mark.parametrize("name", PAGES)
def test_texts_of_a_bundle_stay_texts(page: Any, name: str) -> None:
    PAGES[name].go(page)
    page.wait_for_timeout(150)  # an event handler that was let in would run now
    assert page.evaluate("() => window.pwned") is None
    assert page.locator(BROUGHT).count() == 0
    assert "1337" not in page.locator("body").inner_text(), "a text was rendered as a template"


def test_hostile_texts_are_seen_as_they_are(page: Any) -> None:
    """The other tests mean something: the texts are on the pages."""
    page.goto("/items/s000001")
    assert hostile("")[:40] in page.locator("main").inner_text()
    page.goto("/")
    page.wait_for_selector("#latents > li")
    assert '<img src=x onerror="window.pwned=1">' in page.locator("main").inner_text()


def test_a_row_of_a_hostile_id_has_a_page(page: Any) -> None:
    listed = page.request.get("/api/v1/items?limit=6").json()["items"]
    item_id = listed[5]["item_id"]
    assert "<script>" in item_id
    page.goto("/")
    page.evaluate("(id) => (location.href = `/items/${encodeURIComponent(id)}`)", item_id)
    page.wait_for_url("**/items/**")
    page.wait_for_selector("h1")
    assert page.evaluate("() => window.pwned") is None
    assert page.locator(BROUGHT).count() == 0


def test_a_table_for_spreadsheets_holds_no_formula(page: Any) -> None:
    page.goto("/collection")
    row = {"a": "=1+cmd()", "b": "+1 cat", "c": "-2.5", "d": -3, "e": "@x", "f": "- a cat", "g": [-1, 2.5], "h": "\tx"}
    ask = 'async (rows) => (await import("/static/js/parts/csv.js")).csvOf(JSON.stringify({ rows }))'
    csv = page.evaluate(ask, [row | {"i": "a=b"}])
    assert csv == "a,b,c,d,e,f,g,h,i\r\n'=1+cmd(),'+1 cat,-2.5,-3,'@x,'- a cat,-1; 2.5,'\tx,a=b\r\n"
