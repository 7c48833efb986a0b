"""The explorer in a real browser: what a visitor does, with the mouse, with keys alone, and on a narrow screen."""

import re
from typing import Any

import pytest

pytestmark = pytest.mark.browser

LONG_WORD = 400 * "w"
PATHS = [
    "/",
    "/?min_purity=0.5",
    "/?view=map&min_purity=0.5&lasso=-1,-1;1,-1;1,1",
    "/find",
    "/find?text=a+cat",
    "/find?by=picture&item=s000001&region=0.1,0.1,0.6,0.6",
    "/find?by=examples&item=s000001&item=s000002",
    "/mismatches?kind=different",
    "/evaluation",
    "/latents/3?interval=near_miss",
    "/caption?q=a+cat",
    f"/caption?q=a+cat+{LONG_WORD}",
    "/retrieve?q=a+cat",
    f"/retrieve?term=-1+text:a+cat+{LONG_WORD}",
    "/items/s000001",
]


def test_the_gallery_searches_filters_and_goes_back(page: Any) -> None:
    page.goto("/")
    assert page.locator("#status").inner_text() == "64 latents"
    assert 3 < page.locator("#latents > li").count() < 64, "those around the window"
    first = page.locator("#latents > li").first
    assert first.locator(".strip--image img").count() >= 2
    page.select_option("select[name=sort]", "id")
    page.wait_for_url("**sort=id**")
    page.wait_for_selector("#latents > li[data-latent='0']:first-child")
    page.fill("input[name=query]", "#5")
    page.wait_for_url("**query=**")
    page.wait_for_selector("#latents > li[data-latent='5']:only-child")
    page.go_back()
    page.wait_for_selector("#latents > li[data-latent='0']:first-child")
    assert page.input_value("input[name=query]") == ""


def test_a_latent_shows_three_columns_and_histograms(page: Any) -> None:
    page.goto("/")
    name = page.locator("#latents h2 a").first.inner_text()
    page.locator("#latents h2 a").first.click()
    page.wait_for_url("**/latents/*")
    assert page.locator("h1").inner_text() == name
    titles = page.locator("main").inner_text()
    assert all(title in titles for title in ("DINO", "CLIP image", "CLIP text"))
    page.locator("#histograms").scroll_into_view_if_needed()
    page.wait_for_selector("#histograms .js-plotly-plot")
    assert page.locator("main img").count() > 6


def test_histograms_stay_without_plotly(chromium: Any, address: str) -> None:
    context = chromium.new_context(base_url=address)
    page = context.new_page()
    page.route("**/plotly.min.js", lambda route: route.abort())
    page.goto("/latents/3")
    page.locator("#histograms").scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    assert page.locator("#histograms svg rect").count() > 3
    context.close()


def test_with_keys_alone(page: Any) -> None:
    page.goto("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent").strip().lower().startswith("skip")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "search-box"
    page.keyboard.type("#7")
    page.wait_for_selector("#search-options a[href='/latents/7']")
    page.keyboard.press("Escape")
    page.focus("input[name=query]")
    page.keyboard.type("#7")
    page.wait_for_selector("#latents > li[data-latent='7']:only-child")
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.getAttribute('href')") == "/latents/7":
            break
    else:
        pytest.fail("the latent cannot be reached with Tab")
    # the card's link draws its outline on its ::after, which covers the card
    outlines = "[null, '::after'].map(part => getComputedStyle(document.activeElement, part).outlineStyle)"
    assert "solid" in page.evaluate(outlines), "focus can be seen"
    page.keyboard.press("Enter")
    page.wait_for_url("**/latents/7")
    page.keyboard.press("?")
    assert page.evaluate("document.querySelector('dialog').open")
    page.keyboard.press("Escape")
    assert not page.evaluate("document.querySelector('dialog').open")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("width", [390, 1280, 1920])
def test_pages_fit_their_screen(page: Any, path: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    page.goto(path)
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("h1").is_visible()
    assert re.fullmatch(r".*[0-9a-f]{16}.*", page.locator("footer").inner_text(), re.DOTALL), (
        "the footer names the bundle"
    )


def test_gallery_and_latent_are_useful_without_script(chromium: Any, address: str) -> None:
    context = chromium.new_context(base_url=address, java_script_enabled=False)
    page = context.new_page()
    page.goto("/?alive=alive&sort=purity")
    assert page.locator("#latents > li").count() > 3
    page.locator("#latents h2 a").first.click()
    assert page.locator("main img").count() > 6
    context.close()
