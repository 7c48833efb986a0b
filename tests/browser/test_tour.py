"""The guided tour in a real browser: four clicks, each with a ring around what it speaks of."""

from typing import Any

import pytest

from tests.browser.looking import keep

pytestmark = pytest.mark.browser

HIGHEST_COVER = 0.35  # of what a step speaks of, as far as it is on the screen
# Which share of the visible part of an element another one lies over.
COVERED = """([over, under]) => {
  const [a, b] = [over, under].map((one) => document.querySelector(one).getBoundingClientRect());
  const seen = { left: Math.max(b.left, 0), right: Math.min(b.right, innerWidth), top: Math.max(b.top, 0) };
  seen.bottom = Math.min(b.bottom, innerHeight);
  const width = Math.max(0, Math.min(a.right, seen.right) - Math.max(a.left, seen.left));
  const height = Math.max(0, Math.min(a.bottom, seen.bottom) - Math.max(a.top, seen.top));
  return (width * height) / ((seen.right - seen.left) * (seen.bottom - seen.top));
}"""


def ringed(page: Any) -> Any:
    """What has the ring, once it has it."""
    page.wait_for_selector(".tour-ring")
    return page.locator(".tour-ring")


@pytest.mark.parametrize("width", [390, 1280])
def test_four_clicks_from_the_gallery(page: Any, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 860})
    page.emulate_media(reduced_motion="reduce")  # scrolls at once
    page.goto("/")
    page.locator("a.tool", has_text="Tour").click()
    headings, rings = [], []
    for number in (1, 2, 3, 4):
        page.wait_for_url(f"**tour={number}")
        ring = ringed(page)
        rings.append(ring.evaluate("one => one.id || one.dataset.name || Object.keys(one.dataset)[0]"))
        headings.append(page.locator("#tour-title").inner_text())
        assert page.evaluate("document.activeElement.id") == "tour", "the next Tab leads to its links"
        box, panel = ring.bounding_box(), page.locator("#tour").bounding_box()
        assert 0 <= box["y"] <= panel["y"] - min(box["height"], 120), "it is in sight, above the panel"
        assert page.evaluate(COVERED, ["#tour", ".tour-ring"]) < HIGHEST_COVER
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        keep(page, f"11-tour-{number}-{width}")
        if number < 4:
            page.locator("#tour a", has_text="Next").click()
    assert rings == ["columns", "dino", "why", "beside"]
    assert headings == [
        "One latent in three streams",
        "DINO finds a word it never read",
        "Why a hit is a hit",
        "Without global selection",
    ]
    page.locator("#tour a", has_text="Back").click()
    page.wait_for_url("**tour=3")


def test_why_can_be_read_while_the_tour_goes_on(page: Any) -> None:
    page.goto("/tour")
    for number in (2, 3):
        page.locator("#tour a", has_text="Next").click()
        page.wait_for_url(f"**tour={number}")
    ringed(page).click()
    page.wait_for_selector("#why:not([hidden])")
    assert page.evaluate(COVERED, ["#tour", "#why"]) == 0
    keep(page, "11-tour-why")
    page.keyboard.press("Escape")
    assert page.locator("#tour").count() == 1, "Escape closed what lay above it first"
    page.locator("#tour a", has_text="Next").click()
    page.wait_for_url("**tour=4")


@pytest.mark.parametrize("how", ["key", "link"])
def test_the_tour_can_be_left(page: Any, how: str) -> None:
    page.goto("/tour")
    ringed(page)
    if how == "key":
        page.keyboard.press("Escape")
    else:
        page.locator(".tour__leave").click()
    assert page.locator("#tour, .tour-ring").count() == 0
    assert "tour" not in page.url
    page.reload()
    assert page.locator("#tour").count() == 0


def test_the_invitation_is_for_newcomers(page: Any) -> None:
    page.goto("/")
    assert page.locator("#invitation").is_visible()
    keep(page, "11-invitation")
    page.locator("#invitation button").click()
    assert page.locator("#invitation").count() == 0
    page.reload()
    assert not page.locator("#invitation").is_visible()
    page.evaluate("localStorage.clear()")
    page.reload()
    page.locator("#invitation a").click()
    page.wait_for_selector("#tour")
    page.goto("/")
    assert not page.locator("#invitation").is_visible(), "who took the tour is no newcomer"


def test_the_tour_is_links_and_text_without_script(chromium: Any, address: str) -> None:
    context = chromium.new_context(base_url=address, java_script_enabled=False)
    page = context.new_page()
    page.goto("/")
    page.locator("#invitation a").click()
    for number in (2, 3, 4):
        page.locator("#tour a", has_text="Next").click()
        page.wait_for_url(f"**tour={number}")
    assert page.locator("#beside").count() == 1
    page.locator(".tour__leave").click()
    assert page.locator("#tour").count() == 0
    assert page.locator("#beside").count() == 1, "the same page"
    context.close()
