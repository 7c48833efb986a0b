"""The page Compare in a real browser: two bundles side by side, and every latent in two streams to point at."""

import csv
import json
import math
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import SERVER_DEADLINE_S, listening
from tests.browser.looking import keep

pytestmark = pytest.mark.browser

SCATTER = "/compare?by=streams&first=dino&second=clip_txt"


@pytest.fixture(scope="module")
def pairs(address: str) -> dict[str, Any]:
    """Every latent in DINO and CLIP text, as the API says it."""
    with urllib.request.urlopen(f"{address}/api/v1/latents/pairs?first=dino&second=clip_txt") as answer:
        found: dict[str, Any] = json.load(answer)
    return found


@pytest.fixture(scope="module")
def alone(tiny_bundle: Path) -> Iterator[str]:
    """Where a service listens that has nothing beside its bundle."""
    from server.app import create_app
    from server.settings import Settings

    settings = Settings(bundle=tiny_bundle, device="cpu", deadline_s=SERVER_DEADLINE_S)
    with listening(create_app(settings)) as address:
        yield address


def points(page: Any) -> Any:
    """Where points lie, when they are there."""
    field = page.locator(".scatter__field")
    field.wait_for()
    field.evaluate("field => scrollTo(0, field.getBoundingClientRect().top + scrollY - 90)")
    return field


def walk_to(page: Any, latent: int) -> dict[str, float]:
    """Lead the mark to a latent by keys; returns where it lies on the screen."""
    mark = page.locator(".scatter__mark")
    mark.focus()
    for key in ["ArrowLeft"] * 64 + ["ArrowRight"] * 64:
        if mark.get_attribute("href") == f"/latents/{latent}":
            break
        page.keyboard.press(key)
    assert mark.get_attribute("href") == f"/latents/{latent}"
    box = mark.bounding_box()
    mark.evaluate("mark => mark.blur()")
    return {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}


def drag(page: Any, start: tuple[float, float], end: tuple[float, float]) -> None:
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*end, steps=5)
    page.mouse.up()


# Two bundles


def test_two_bundles_are_compared_from_top_to_bottom(page: Any) -> None:
    page.goto("/")
    page.keyboard.press("g")
    page.keyboard.press("m")
    page.wait_for_url("**/compare")
    assert page.locator(".tabs a[aria-current]").inner_text() == "Bundles"
    assert page.locator(".glance__row").count() > 5
    assert page.locator(".spread__outline--second").count() == 3
    assert page.locator(".twin").count() == 24
    keep(page, "07-1-compare-bundles", full=True)


def test_latents_are_ordered_and_paged_by_links(page: Any) -> None:
    page.goto("/compare")
    page.locator(".orders a", has_text="by number").click()
    page.wait_for_url("**order=number**")
    assert page.locator(".twin__number").all_inner_texts() == [str(i) for i in range(24)]
    heading = page.locator("#heading-latents").bounding_box()
    assert 0 < heading["y"] < 300, "the address leads to the latents"
    page.locator(".pages a", has_text="More latents").click()
    page.wait_for_url("**start=24**")
    assert page.locator(".twin__number").all_inner_texts() == [str(i) for i in range(24, 48)]
    keep(page, "07-2-compare-same-latents")
    page.go_back()
    assert page.locator(".twin__number").first.inner_text() == "0"


def test_a_row_leads_to_the_latent_in_both(page: Any) -> None:
    page.goto("/compare?order=number")
    other = page.evaluate("JSON.parse(document.querySelector('#info').textContent).beside[0].bundle_id")
    strip = page.locator(".twin").nth(3).locator(".twin__strip").first
    strip.scroll_into_view_if_needed()
    box = strip.bounding_box()
    page.mouse.click(box["x"] + 20, box["y"] + 20)  # the whole row is the link
    page.wait_for_url(f"**/latents/3?beside={other}")


def test_tables_unfold_sort_and_are_files(page: Any, tmp_path: Path) -> None:
    page.goto("/compare")
    fold = page.locator(".fold", has=page.locator("#title-reconstruction"))
    fold.locator("summary").click()
    table = fold.locator("table")
    table.locator("th button").nth(1).click()
    values = [float(text) for text in table.locator("tbody td:nth-child(2)").all_inner_texts()]
    assert values == sorted(values, reverse=True)
    with page.expect_download() as download:
        fold.locator("a", has_text="CSV").click()
    assert download.value.suggested_filename == "comparison-reconstruction.csv"
    download.value.save_as(tmp_path / "table.csv")
    with (tmp_path / "table.csv").open(newline="") as file:
        assert len(list(csv.reader(file))) == 1 + len(values)
    keep(page, "07-3-compare-table")


def test_the_histograms_are_a_picture_to_keep(page: Any) -> None:
    page.goto("/compare")
    page.locator("#data summary").click()
    assert "GET /api/v1/evaluation/comparison?other=" in page.locator("#data").inner_text()
    with page.expect_download() as download:
        page.locator("#data button[aria-label='PNG: Histograms over latents']").click()
    assert download.value.suggested_filename == "compare-bundles-sparc-explorer_histograms-over-latents.png"
    assert Path(download.value.path()).read_bytes().startswith(b"\x89PNG")


# Two streams


def test_pointing_at_a_latent_names_it_and_a_click_opens_it(page: Any, pairs: dict[str, Any]) -> None:
    page.goto(SCATTER)
    points(page)
    at = max(range(64), key=lambda i: pairs["second_density"][i])
    place = walk_to(page, pairs["ids"][at])
    page.mouse.move(5, 300)
    page.wait_for_selector(".scatter__tip", state="hidden")
    page.mouse.move(place["x"] + 3, place["y"] + 2)
    tip = page.locator(".scatter__tip")
    tip.wait_for()
    name, *numbers = tip.inner_text().split("\n")
    assert name == f"{pairs['names'][at]} {pairs['ids'][at]}"
    assert numbers[2] == f"Jaccard {pairs['alignment'][at]:.2f}"
    keep(page, "07-4-streams-scatter")
    page.mouse.click(place["x"] + 9, place["y"] + 9)
    page.wait_for_url(f"**/latents/{pairs['ids'][at]}")


def test_arrows_walk_from_latent_to_latent_and_enter_opens_one(page: Any, pairs: dict[str, Any]) -> None:
    page.goto(SCATTER)
    points(page)
    order = sorted(range(64), key=lambda i: (pairs["first_density"][i], i))
    mark = page.locator(".scatter__mark")
    assert mark.get_attribute("href") == f"/latents/{pairs['ids'][order[32]]}", "they begin in the middle"
    mark.focus()
    page.keyboard.press("ArrowRight")
    here = order[33]
    assert mark.get_attribute("href") == f"/latents/{pairs['ids'][here]}"
    assert (
        page.locator("#status").inner_text().startswith(f"{pairs['names'][here]}, latent {pairs['ids'][here]}: DINO ")
    )
    page.keyboard.press("ArrowUp")
    upwards = sorted(range(64), key=lambda i: (pairs["second_density"][i], i))
    above = upwards[upwards.index(here) + 1]
    assert mark.get_attribute("href") == f"/latents/{pairs['ids'][above]}"
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/latents/{pairs['ids'][above]}")


def test_a_box_lists_the_latents_in_it_and_leads_to_the_gallery(page: Any, pairs: dict[str, Any]) -> None:
    page.goto(SCATTER)
    box = points(page).bounding_box()
    middle, end = (box["x"] + box["width"] * 0.55, box["y"] + box["height"] * 0.02), box["x"] + box["width"] * 0.98
    drag(page, (end, box["y"] + box["height"] * 0.5), middle)
    page.wait_for_url("**box=**")
    x0, x1, y0, y1 = (float(value) for value in parse_qs(urlsplit(page.url).query)["box"][0].split(","))
    inside = {
        pairs["ids"][i]
        for i in range(64)
        if x0 <= pairs["first_density"][i] <= x1 and y0 <= pairs["second_density"][i] <= y1
    }
    assert 0 < len(inside) < 64
    assert page.locator(".inside__head h3").inner_text() == f"{len(inside)} latent{'s' * (len(inside) != 1)} in the box"
    shown = page.locator(".inside__rows tbody .mono").all_inner_texts()
    assert {int(text) for text in shown} == inside
    overlaps = [float(text) for text in page.locator(".inside__rows tbody td:last-child").all_inner_texts()]
    assert overlaps == sorted(overlaps, reverse=True)
    keep(page, "07-5-streams-box")
    page.reload()
    page.wait_for_selector(".inside__rows")
    assert page.locator(".inside__rows tbody tr").count() == len(inside), "the address holds the box"
    page.locator(".inside__head a").click()
    page.wait_for_url("**/?ids=**")
    assert {int(value) for value in parse_qs(urlsplit(page.url).query)["ids"]} == inside
    page.go_back()
    page.wait_for_selector(".inside__rows")
    page.locator(".inside__head button", has_text="Clear").click()
    page.wait_for_selector(".inside__rows", state="detached")
    page.go_back()
    page.wait_for_selector(".inside__rows")


def test_a_drag_opens_nothing_and_a_click_beside_all_points_lets_go_of_the_box(page: Any) -> None:
    page.goto(SCATTER)
    box = points(page).bounding_box()
    corner = (box["x"] + box["width"] - 12, box["y"] + box["height"] - 60)
    drag(page, (box["x"] + 90, box["y"] + 30), corner)
    page.wait_for_url("**box=**")
    assert page.locator(".scatter__box").is_visible()
    page.mouse.click(*corner)
    page.wait_for_selector(".scatter__box", state="hidden")
    assert urlsplit(page.url).path == "/compare"
    assert "box" not in page.url


def lean(first: float, second: float) -> str | None:
    """Where a latent is at least twice as often active."""
    if first == second == 0:
        return None
    return "first" if first >= 2 * second else "second" if second >= 2 * first else "even"


def test_buttons_choose_without_dragging(page: Any, pairs: dict[str, Any]) -> None:
    page.goto(SCATTER)
    points(page)
    leans = [lean(*both) for both in zip(pairs["first_density"], pairs["second_density"], strict=True)]
    buttons = page.locator(".leans[role=group] button")
    counts = [int(text.split()[-1]) for text in buttons.all_inner_texts()]
    assert counts == [leans.count(name) for name in ("first", "even", "second")]
    buttons.nth(1).click()
    page.wait_for_url("**lean=even")
    assert buttons.nth(1).get_attribute("aria-pressed") == "true"
    assert page.locator(".inside__rows tbody tr").count() == counts[1]
    buttons.nth(1).click()
    page.wait_for_selector(".inside__rows", state="detached")
    page.go_back()
    page.wait_for_selector(".inside__rows")


def test_other_streams_are_chosen_at_once_and_never_one_twice(page: Any) -> None:
    page.goto(SCATTER)
    page.select_option("select[name=first]", "clip_img")
    page.wait_for_url("**first=clip_img&second=clip_txt")
    page.select_option("select[name=second]", "clip_img")
    page.wait_for_url("**first=clip_txt&second=clip_img")
    assert page.locator(".facts thead th").all_inner_texts() == ["CLIP text", "CLIP image"]
    page.locator("#choice a", has_text="Swap").click()
    page.wait_for_url("**first=clip_img&second=clip_txt")


def test_the_scatter_is_a_picture_to_keep(page: Any) -> None:
    page.goto(SCATTER)
    points(page)
    page.locator("#data summary").click()
    assert "GET /api/v1/latents/pairs?first=dino&second=clip_txt" in page.locator("#data").inner_text()
    with page.expect_download() as download:
        page.locator("#data button[aria-label='PNG: Every latent in both streams']").click()
    assert Path(download.value.path()).read_bytes().startswith(b"\x89PNG")


def test_an_answer_that_does_not_come_can_be_asked_for_again(chromium: Any, address: str) -> None:
    context = chromium.new_context(base_url=address)
    page = context.new_page()
    page.route(
        "**/latents/pairs?**",
        lambda route: route.fulfill(status=503, json={"error": {"code": "busy", "message": "The service is busy."}}),
    )
    page.goto(SCATTER)
    trouble = page.locator(".scatter__place .trouble")
    trouble.wait_for()
    assert "busy" in trouble.inner_text()
    assert page.locator(".agreed").count() > 0, "the lists do not need it"
    page.unroute("**/latents/pairs?**")
    trouble.locator("button").click()
    page.wait_for_selector(".scatter__field")
    context.close()


def test_the_scatter_follows_the_theme(page: Any) -> None:
    page.goto(SCATTER)
    points(page)
    canvas = "document.querySelector('.scatter__place canvas')"
    area = f"{canvas}.getContext('2d').getImageData(60, 20, 400, 400).data"
    pixel = f"() => {area}.reduce((sum, value) => sum + value, 0)"
    before = page.evaluate(pixel)
    for _ in range(2):
        page.keyboard.press("t")
    page.wait_for_function(f"({pixel})() !== {before}")


# Without scripts, without another bundle, and on every screen


def test_without_scripts_there_are_figures_lists_and_a_button(chromium: Any, address: str) -> None:
    context = chromium.new_context(base_url=address, java_script_enabled=False)
    page = context.new_page()
    page.goto("/compare")
    assert page.locator(".glance__row:visible").count() > 5
    assert page.locator(".spread svg:visible").count() == 3
    page.locator(".pages a", has_text="More latents").click()
    page.wait_for_load_state()  # the page comes in pieces, and each is visible as it comes
    expect(page.locator(".twin:visible")).to_have_count(24)
    page.locator(".fold summary").first.click()
    assert page.locator("table.grid--figures:visible").count() == 1
    page.goto(SCATTER)
    assert page.locator("#scatter:visible").count() == 0
    assert page.locator(".agreed:visible").count() > 3
    page.select_option("select[name=second]", "clip_img")
    page.locator("#choice button").click()
    page.wait_for_url("**second=clip_img")
    keep(page, "07-6-streams-without-scripts", full=True)
    context.close()


def test_alone_it_says_how_to_serve_another_bundle(chromium: Any, alone: str) -> None:
    context = chromium.new_context(base_url=alone)
    page = context.new_page()
    page.goto("/compare")
    assert page.locator(".tabs a[aria-current]").inner_text() == "Streams"
    page.locator(".tabs a", has_text="Bundles").click()
    assert "sparc-serve --bundle THIS --beside PATH" in page.locator(".notice").inner_text()
    keep(page, "07-7-compare-alone")
    page.locator(".notice a").click()
    page.wait_for_url("**/compare?by=streams")
    context.close()


@pytest.mark.parametrize("width", [390, 1280, 1920])
def test_both_tabs_fit_their_screen(page: Any, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    for name, path in (("bundles", "/compare"), ("streams", SCATTER)):
        page.goto(path)
        if name == "streams":
            side = points(page).bounding_box()
            assert math.isclose(side["width"], side["height"], abs_tol=1), "one scale for both streams"
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        keep(page, f"07-8-compare-{name}-{width}")
