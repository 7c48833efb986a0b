"""The page Evaluation in a real browser: plots, sorting, links and files, with an evaluation that has every table."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import ANSWER_MS, SERVER_DEADLINE_S, listening
from tests.server.evaluated import N_CLASSES, full_evaluation, showing

pytestmark = pytest.mark.browser

PLOTS = ["profiles", "density", "probes", "retrieval"]


@pytest.fixture(scope="module")
def address(tiny_bundle: Path) -> Iterator[str]:
    """The service with that evaluation."""
    from server.app import create_app, open_all
    from server.settings import Settings

    settings = Settings(bundle=tiny_bundle, device="cpu", deadline_s=SERVER_DEADLINE_S)
    resources, explorer = open_all(settings)
    with (
        showing(explorer, full_evaluation()),
        listening(create_app(settings, (resources, explorer))) as address,
    ):
        yield address


def plotted(page: Any, name: str) -> Any:
    """The place of a plot, when it has been drawn."""
    place = page.locator(f"[data-plot={name}] .plot__place")
    place.scroll_into_view_if_needed()
    page.wait_for_selector(f"[data-plot={name}] .js-plotly-plot .main-svg")
    return place


def column(page: Any, table: str, number: int) -> list[str]:
    found: list[str] = page.locator(f"[data-table={table}] tbody td:nth-child({number})").all_inner_texts()
    return found


def test_it_is_reached_by_keys_and_is_the_current_page(page: Any) -> None:
    page.goto("/")
    page.keyboard.press("g")
    page.keyboard.press("e")
    page.wait_for_url("**/evaluation")
    assert page.locator(".nav a[aria-current=page]").inner_text() == "Evaluation"
    page.keyboard.press("?")
    assert "Evaluation" in page.locator("#keys").inner_text()


def test_plots_arrive_without_moving_the_page_and_follow_the_theme(page: Any) -> None:
    page.goto("/evaluation")
    height = page.evaluate("document.documentElement.scrollHeight")
    assert page.locator(".js-plotly-plot").count() < len(PLOTS), "those out of sight wait"
    for name in PLOTS:
        assert plotted(page, name).bounding_box()["height"] > 150
    assert page.evaluate("document.documentElement.scrollHeight") == height
    bar = page.locator("[data-plot=density] .bars .point path").first
    before = bar.evaluate("bar => getComputedStyle(bar).fill")
    for _ in range(2):
        page.keyboard.press("t")
    page.wait_for_function(
        f"() => getComputedStyle(document.querySelector('[data-plot=density] .bars .point path')).fill !== '{before}'"
    )


def test_a_bar_leads_to_its_latents_and_a_point_to_its_latent(page: Any) -> None:
    page.goto("/evaluation")
    plotted(page, "density")
    click(page, "[data-plot=density] .bars .point path")
    page.wait_for_url("**/?sort=density&min_density=*&max_density=*")
    page.goto("/evaluation")
    plotted(page, "probes")
    click(page, "[data-plot=probes] .scatterlayer .point")
    page.wait_for_url("**/latents/0")


def click(page: Any, selector: str) -> None:
    """With the mouse, where the thing is: Plotly listens on what lies above it."""
    box = page.locator(selector).first.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x - 2, y)
    page.mouse.move(x, y)
    page.wait_for_selector(".hoverlayer .hovertext")
    page.mouse.click(x, y)


def test_the_corpus_of_the_recalls_can_be_chosen(page: Any) -> None:
    page.goto("/evaluation")
    place = plotted(page, "retrieval")
    assert place.locator(".annotation").count() == 3
    page.select_option("select[name=corpus]", "coco")
    page.wait_for_function("() => document.querySelectorAll('[data-plot=retrieval] .annotation').length === 1")
    assert place.locator(".annotation").text_content() == "CLIP image → CLIP text"


def test_tables_sort_by_their_heads(page: Any) -> None:
    page.goto("/evaluation")
    page.locator(".fold summary").first.click()
    head = page.locator("[data-table=probe-classes] thead th").nth(2)
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "ascending", "less cross-entropy is better: the best first"
    values = [float(text) for text in column(page, "probe-classes", 3)]
    assert values == sorted(values)
    assert len(values) == N_CLASSES
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    assert [float(text) for text in column(page, "probe-classes", 3)] == sorted(values, reverse=True)
    page.locator("[data-table=probe-classes] thead th").first.locator("button").press("Enter")
    assert head.get_attribute("aria-sort") is None
    assert column(page, "probe-classes", 1)[:3] == ["class 0", "class 1", "class 2"]
    assert page.locator("#status").inner_text() == "Sorted by Class, ascending"


def test_what_is_missing_comes_last_either_way(page: Any) -> None:
    page.goto("/evaluation")
    button = page.locator("[data-table=probes] thead th").nth(3).locator("button")
    for _ in range(2):
        button.click()
        assert column(page, "probes", 4) == ["0.900", "–"]


def test_links_lead_behind_the_numbers(page: Any) -> None:
    page.goto("/evaluation")
    page.locator("[data-table=active-items] tbody a").first.click()
    page.wait_for_url("**/mismatches?strong=dino&weak=clip_img")
    page.go_back()
    page.locator(".headline a", has_text="Names").click()
    page.wait_for_url("**/evaluation#names")
    page.locator("[data-table=weakest-names] tbody a").first.click()
    page.wait_for_url("**/latents/11")


def test_download_links_give_files(page: Any, tmp_path: Path) -> None:
    page.goto("/evaluation")
    with page.expect_download() as csv_file:
        page.locator("#segmentation a", has_text="CSV").click()
    assert csv_file.value.suggested_filename == "segmentation.csv"
    csv_file.value.save_as(tmp_path / "segmentation.csv")
    with (tmp_path / "segmentation.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["method"], row["blocks"], row["iou"]) for row in rows] == [
        ("dino_sparc_sum", "last", "0.2"),
        ("dino_sparc_sum", "all", "0.25"),
    ]
    with page.expect_download() as latex_file:
        page.locator("#stability a", has_text="LaTeX").click()
    assert latex_file.value.suggested_filename == "stability.tex"


def test_without_plotly_the_tables_stand_alone(chromium: Any, address: str) -> None:
    context = chromium.new_context(base_url=address)
    page = context.new_page()
    page.set_default_timeout(ANSWER_MS)
    page.route("**/plotly.min.js", lambda route: route.abort())
    page.goto("/evaluation")
    for name in PLOTS:
        page.locator(f"#title-{'probes' if name == 'probes' else name}").scroll_into_view_if_needed()
        page.wait_for_selector(f"[data-plot={name}]", state="hidden")
    assert page.locator("table.grid").first.is_visible()
    page.locator("[data-table=probes] thead th").nth(2).locator("button").click()
    assert page.locator("[data-table=probes] th[aria-sort]").count() == 1
    context.close()


def test_without_scripts_there_are_tables_and_no_empty_plots(chromium: Any, address: str) -> None:
    context = chromium.new_context(base_url=address, java_script_enabled=False)
    page = context.new_page()
    page.goto("/evaluation")
    assert page.locator("figure.plot:visible").count() == 0
    assert page.locator("table.grid:visible").count() > 10
    assert page.locator("table.grid button").count() == 0
    context.close()


@pytest.mark.parametrize("width", [390, 1280, 1920])
def test_the_page_fits_its_screen_and_wide_tables_scroll_in_their_boxes(page: Any, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    page.goto("/evaluation")
    for fold in page.locator(".fold").all():
        fold.evaluate("fold => fold.open = true")
    for name in PLOTS:
        plotted(page, name)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if width == 390:
        box = page.locator("#segmentation .grid-box")
        assert box.evaluate("box => box.scrollWidth > box.clientWidth")
        box.focus()
        page.keyboard.press("ArrowRight")
        page.wait_for_function("() => document.querySelector('#segmentation .grid-box').scrollLeft > 0")


def test_a_section_that_is_led_to_is_not_under_what_sticks(page: Any) -> None:
    page.goto("/evaluation")
    page.locator(".contents a", has_text="Segmentation").click()
    heading = page.locator("#heading-segmentation")
    page.wait_for_function("() => document.querySelector('.contents a[data-read]')?.hash === '#segmentation'")
    contents = page.locator(".contents").bounding_box()
    assert heading.bounding_box()["y"] > contents["y"] + contents["height"]
