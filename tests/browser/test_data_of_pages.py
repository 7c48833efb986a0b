"""Data of this page: files of what is shown, the calls of the API behind it, and where it comes from."""

import csv
import io
import json
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.browser.looking import keep

pytestmark = pytest.mark.browser


def opened(page: Any, path: str, ready: str) -> Any:
    """The section of a page, unfolded."""
    page.goto(path)
    page.wait_for_selector(ready)
    page.locator("#data summary").click()
    return page.locator("#data")


def downloaded(page: Any, button: Any) -> bytes:
    """The file that a button hands over."""
    with page.expect_download() as download:
        button.click()
    return download.value.path().read_bytes()


def test_json_is_the_answer_of_the_call_that_is_named(page: Any, address: str) -> None:
    data = opened(page, "/latents/3", "#columns img")
    call = data.locator(".data__call", has_text="The latent").first
    path = call.locator("code").inner_text().removeprefix("GET ")
    assert path == "/api/v1/latents/3"
    answer = json.loads(downloaded(page, call.get_by_role("button", name="JSON")))
    assert answer == httpx.get(address + path).json()
    keep(page, "08-data-of-the-page")


def test_the_call_that_is_named_follows_what_is_shown(page: Any) -> None:
    data = opened(page, "/", "#latents > li")
    page.select_option("select[name=sort]", "id")
    data.locator("code", has_text="sort=id").wait_for()


def test_csv_has_a_line_for_each_row_and_the_columns_of_nested_values(page: Any, address: str) -> None:
    data = opened(page, "/latents/3", "#columns img")
    call = data.locator(".data__call", has_text="Items in CLIP text")
    path = call.locator("code").inner_text().removeprefix("GET ")
    rows = list(csv.DictReader(io.StringIO(downloaded(page, call.get_by_role("button", name="CSV")).decode())))
    items = httpx.get(address + path).json()["items"]
    assert [row["caption"] for row in rows] == [item["caption"] for item in items]
    assert [row["labels"] for row in rows] == ["; ".join(item["labels"]) for item in items]
    assert [float(row["activation"]) for row in rows] == [item["activation"] for item in items]


def test_the_cards_in_sight_are_a_picture(page: Any) -> None:
    data = opened(page, "/", "#latents > li")
    png = downloaded(page, data.get_by_role("button", name="PNG: The cards in sight"))
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    assert picture.width > 1500, "three columns"
    assert len(picture.getcolors(2**24) or []) > 500, "it shows pictures"


def test_the_picture_of_cards_waits_for_those_that_are_on_their_way(page: Any) -> None:
    page.goto("/")
    page.wait_for_selector("#latents > li")
    held: list[Any] = []
    page.route("**/api/v1/latents?*", lambda route: held.append(route))
    page.locator("#data summary").click()  # which scrolls to cards that nobody has asked for yet
    with page.expect_download() as download:
        page.get_by_role("button", name="PNG: The cards in sight").click()
        page.wait_for_timeout(300)
        assert held, "the last cards are asked for"
        while held:
            held.pop().continue_()
            page.wait_for_timeout(100)
    picture = Image.open(io.BytesIO(download.value.path().read_bytes())).convert("RGB")
    assert picture.height > 800, "whole cards, not their heads alone"
    assert len(picture.getcolors(2**24) or []) > 500, "it shows pictures"


def test_a_plot_is_a_picture(page: Any) -> None:
    page.goto("/evaluation")
    page.locator("[data-plot=density]").scroll_into_view_if_needed()
    page.wait_for_selector("[data-plot=density] .main-svg")
    page.locator("#data summary").click()
    png = downloaded(page, page.locator("#data").get_by_role("button", name="PNG: Plot: density"))
    assert Image.open(io.BytesIO(png)).size[0] > 800


@pytest.mark.parametrize("path", ["/", "/latents/3", "/items/s000001", "/compare", "/evaluation", "/collection"])
def test_the_foot_says_where_everything_comes_from(page: Any, address: str, path: str) -> None:
    page.goto(path)
    info = httpx.get(f"{address}/api/v1/info").json()
    foot = page.locator("footer.provenance").inner_text()
    said = [info["bundle_id"], "64 latents", "k = 6", "selection", "global", "storybook, 200 items", "features exact"]
    said += [stream["backbone"] for stream in info["streams"]]
    assert [one for one in said if one not in foot] == []
