"""The caption page in a real browser: heatmaps, how they are shown, one latent alone, and whether to believe them."""

import copy
import io
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

from tests.browser.looking import keep

pytestmark = pytest.mark.browser

PATIENCE_MS = 240_000  # heatmaps with trust on a machine that is busy otherwise
N_PICTURES = 12
ALL_MAPS = 2 * N_PICTURES
CAT = "/caption?q=a+cat+in+the+snow"
WORDS = {
    "clear": "Finds what the score depends on",
    "unspecific": "What stands out: random latents point here too",
    "weak": "Only a little better than chance",
    "chance": "No better than chance: do not read anything into it",
}
LEAST_PANE = 448  # pixels of a pane in a file
# Of all heatmaps: how many pixels are there, how many of them are painted at all, and a text that says what they are.
PIXELS = """[...document.querySelectorAll('#pictures canvas')].map(canvas => {
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  const alphas = data.filter((_, i) => i % 4 === 3);
  return { all: alphas.length, painted: alphas.filter(alpha => alpha > 0).length, image: canvas.toDataURL() };
})"""


def picture() -> bytes:
    out = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").resize((300, 200)).save(out, "PNG")
    return out.getvalue()


def await_answer(page: Any, text: str = f"{N_PICTURES} pictures in") -> None:
    page.wait_for_selector(f"#status:has-text('{text}')")


def requests_of(page: Any) -> list[dict[str, Any]]:
    """The bodies of the page's heatmap requests, as they are sent."""
    sent: list[dict[str, Any]] = []

    def note(request: Any) -> None:
        if request.url.endswith("/heatmaps"):
            sent.append(request.post_data_json)

    page.on("request", note)
    return sent


def answer_with(page: Any, answers: dict[str, list[Any]], change: Callable[[list[Any]], list[Any]]) -> None:
    """Let the page see the server's lines, changed; each request is put to the server once per run."""

    def answer(route: Any) -> None:
        asked = route.request.post_data
        if asked not in answers:
            response = route.fetch(timeout=PATIENCE_MS)
            answers[asked] = [json.loads(line) for line in response.text().splitlines()]
        lines = change(copy.deepcopy(answers[asked]))
        route.fulfill(body="".join(json.dumps(line) + "\n" for line in lines), content_type="application/x-ndjson")

    page.unroute_all()
    page.route("**/api/v1/heatmaps", answer)


@pytest.fixture(scope="module")
def answers() -> dict[str, list[Any]]:
    """The lines of answers that the server gave, by request."""
    return {}


@pytest.fixture
def page(page: Any, answers: dict[str, list[Any]]) -> Any:
    """A page whose answers are the server's, kept: trust takes seconds, and most tests ask for the same."""
    page.set_default_timeout(PATIENCE_MS)
    answer_with(page, answers, lambda lines: lines)
    return page


@pytest.fixture
def streaming(page: Any) -> Any:
    """A page that hears the server itself, line by line."""
    page.unroute_all()
    return page


def set_range(page: Any, name: str, value: int) -> None:
    """Move a slider, and wait until the page has followed."""
    page.fill(f"input[name={name}]", str(value))
    page.wait_for_selector(f"output[name={name}-now]:has-text('{value}%')")


def tab_to(page: Any, selector: str) -> None:
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    pytest.fail(f"{selector} cannot be reached with Tab")


def test_a_caption_shows_two_heatmaps_a_picture_and_a_newer_caption_wins(streaming: Any) -> None:
    page = streaming
    page.goto("/caption")
    page.fill("#q", "a cat in the snow")
    page.keyboard.press("Enter")
    page.wait_for_selector("#pictures canvas")
    page.fill("#q", "a red balloon qzxv")
    page.keyboard.press("Enter")
    await_answer(page)
    assert page.locator("#pictures canvas").count() == ALL_MAPS
    words = [word.inner_text().split("\n")[0] for word in page.locator(".words > *").all()]
    assert words == ["a", "red", "balloon", "qzxv"]
    assert "unknown word" in page.locator(".words > *").last.inner_text()
    painted = page.evaluate(
        "[...document.querySelectorAll('#pictures canvas')].filter(c => new Set(c.getContext('2d')"
        ".getImageData(0, 0, c.width, c.height).data).size > 20).length"
    )
    assert painted >= ALL_MAPS // 2, "most heatmaps have something to show"
    page.go_back()
    await_answer(page)
    assert page.input_value("#q") == "a cat in the snow"


def test_heatmaps_over_an_uploaded_picture(page: Any) -> None:
    page.goto("/caption?q=a+sun")
    await_answer(page)
    page.set_input_files("#file", {"name": "mine.png", "mimeType": "image/png", "buffer": picture()})
    await_answer(page, "1 picture in")
    assert page.locator("#pictures canvas").count() == 2
    assert "upload=" in page.url
    page.reload()
    await_answer(page, "1 picture in")
    assert page.evaluate("document.querySelector('.pane img').decode().then(() => 1)") == 1, "the server still has it"
    page.locator("#reading .isolate").first.click()
    page.wait_for_url("**latent=**")
    await_answer(page, "1 picture in")
    with page.expect_download() as download:
        page.locator("[data-save]").click()
    with Image.open(download.value.path()) as image:
        width, height = image.size
    assert width >= 2 * LEAST_PANE
    assert height >= LEAST_PANE * 200 / 300


def test_a_text_file_as_picture_is_refused_in_place(chromium: Any, address: str) -> None:
    context = chromium.new_context(base_url=address)
    page = context.new_page()
    page.goto("/caption")
    page.set_input_files("#file", {"name": "x.txt", "mimeType": "text/plain", "buffer": b"hello"})
    page.wait_for_selector("[role=alert]", timeout=30_000)
    assert "not a picture" in page.inner_text("[role=alert]")
    context.close()


def test_a_caption_that_cannot_be_read_is_answered_in_place(chromium: Any, address: str) -> None:
    context = chromium.new_context(base_url=address, viewport={"width": 390, "height": 844})
    page = context.new_page()
    for caption in ("qzxv wvut", 400 * "w"):
        page.goto(f"/caption?q={caption.replace(' ', '+')}")
        page.wait_for_selector("[role=alert]", timeout=PATIENCE_MS)
        assert caption[:60] in page.inner_text("[role=alert]")
        assert not page.locator("#viewer").is_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
    context.close()


def test_the_threshold_hides_what_is_faint(page: Any) -> None:
    page.goto(CAT)
    await_answer(page)
    whole = page.evaluate(PIXELS)
    assert all(pixels["painted"] == pixels["all"] for pixels in whole), "without a threshold, everything is painted"
    set_range(page, "threshold", 60)
    page.wait_for_url("**threshold=60**")
    some = page.evaluate(PIXELS)
    assert all(pixels["painted"] < pixels["all"] for pixels in some)
    assert any(pixels["painted"] for pixels in some), "the scale's own picture stays"
    set_range(page, "threshold", 100)
    assert sum(pixels["painted"] for pixels in page.evaluate(PIXELS)) < sum(pixels["painted"] for pixels in some)
    page.reload()
    await_answer(page)
    assert page.input_value("input[name=threshold]") == "100"


def test_opacity_is_that_of_the_heatmaps(page: Any) -> None:
    page.emulate_media(reduced_motion="reduce")
    page.goto(CAT)
    await_answer(page)
    set_range(page, "opacity", 25)
    frames = page.locator(".pane__frame:not([data-verdict=chance]) canvas")
    assert frames.first.evaluate("canvas => getComputedStyle(canvas).opacity") == "0.25"


def test_without_the_same_scale_every_picture_is_bright_and_a_warning_says_so(page: Any) -> None:
    page.goto(CAT)
    await_answer(page)
    shared = [pixels["image"] for pixels in page.evaluate(PIXELS)]
    warning = page.locator("[data-warning=own]")
    assert not warning.is_visible()
    page.uncheck("input[name=same]")
    page.wait_for_url("**scale=own**")
    warning.wait_for()
    assert "noise" in warning.inner_text()
    assert "own max." in page.inner_text("#legends")
    own = [pixels["image"] for pixels in page.evaluate(PIXELS)]
    changed = sum(a != b for a, b in zip(shared, own, strict=True))
    assert 0 < changed <= ALL_MAPS - 2, "each stream's brightest picture set the scale already"
    page.check("input[name=same]")
    warning.wait_for(state="hidden")
    assert [pixels["image"] for pixels in page.evaluate(PIXELS)] == shared


def test_a_latent_alone_is_asked_for_in_the_same_pictures_and_every_way_leads_back(page: Any) -> None:
    sent = requests_of(page)
    page.goto(CAT)
    await_answer(page)
    ids = page.eval_on_selector_all("[data-save]", "buttons => buttons.map(button => button.dataset.save)")
    maps = [pixels["image"] for pixels in page.evaluate(PIXELS)]
    button = page.locator("#pictures li[data-latent] button.isolate").first
    latent, name = button.get_attribute("data-isolate"), button.inner_text().strip()
    button.click()
    page.wait_for_url(f"**latent={latent}**")
    await_answer(page)
    assert sent[-1]["latents"] == [int(latent)]
    assert sent[-1]["item_ids"] == ids
    assert f"Only {name}" in page.inner_text("#isolation")
    assert {name} == set(page.locator("#pictures button.isolate").all_inner_texts())
    assert page.locator(f"#reading button[data-isolate='{latent}']").get_attribute("aria-pressed") == "true"
    assert [pixels["image"] for pixels in page.evaluate(PIXELS)] != maps

    page.reload()
    await_answer(page)
    assert sent[-1]["item_ids"] == ids, "a reload shows the same pictures"
    page.keyboard.press("Escape")
    page.wait_for_url(lambda url: "latent" not in url)
    await_answer(page)
    assert not page.locator("#isolation").is_visible()
    assert [pixels["image"] for pixels in page.evaluate(PIXELS)] == maps
    page.go_back()
    page.wait_for_url(f"**latent={latent}**")
    await_answer(page)
    page.locator("#isolation button").click()
    page.wait_for_url(lambda url: "latent" not in url)
    await_answer(page)
    page.locator("#pictures .stack [data-latent]").first.click()
    page.wait_for_url("**latent=**")


def test_a_latent_alone_with_keys(page: Any) -> None:
    page.goto(CAT)
    await_answer(page)
    page.focus("#q")
    tab_to(page, "#reading button.isolate")
    latent = page.evaluate("document.activeElement.dataset.isolate")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**latent={latent}**")
    await_answer(page)
    assert page.evaluate("document.activeElement.dataset.isolate") == latent, "the focus stays where it was"
    page.keyboard.press("Escape")
    page.wait_for_url(lambda url: "latent" not in url)
    await_answer(page)
    tab_to(page, "#pictures button.isolate")
    latent = page.evaluate("document.activeElement.dataset.isolate")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**latent={latent}**")
    assert page.evaluate("document.activeElement.closest('#isolation') !== null"), "the focus is on the way back"
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "latent" not in url)
    assert page.evaluate("document.activeElement.dataset.isolate") == latent


def test_every_heatmap_says_how_far_to_believe_it(streaming: Any) -> None:
    page = streaming
    page.goto(CAT)
    page.wait_for_selector(".trust:has-text('checking…')")
    await_answer(page)
    lines = page.locator("#pictures .trust")
    assert lines.count() == ALL_MAPS
    for line in lines.all():
        assert line.inner_text() == WORDS[line.get_attribute("data-verdict")]
    details = page.locator(".evidence").first
    details.locator("summary").click()
    assert details.locator("svg.curves").count() == 2
    assert details.locator("svg.curves").first.locator("polyline").count() == 2
    assert re.search(r"\d+% of the score is left on average \(\d+% where random latents", details.inner_text())


def test_a_heatmap_that_is_no_better_than_chance_steps_back_and_nothing_moves(
    page: Any, answers: dict[str, list[Any]]
) -> None:
    def without_trust(lines: list[Any]) -> list[Any]:
        return [line for line in lines if line["kind"] != "trust"]

    def all_chance(lines: list[Any]) -> list[Any]:
        for line in lines:
            for stream in line["streams"] if line["kind"] == "trust" else ():
                stream["verdict"] = "chance"
        return lines

    page.emulate_media(reduced_motion="reduce")
    heights = "[...document.querySelectorAll('.picture')].map(picture => picture.getBoundingClientRect().height)"
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 860})
        answer_with(page, answers, without_trust)
        page.goto(CAT)
        await_answer(page)
        assert page.locator(".trust:has-text('not checked')").count() == ALL_MAPS
        before = page.evaluate(heights)
        answer_with(page, answers, all_chance)
        page.reload()
        await_answer(page)
        assert page.locator(f".trust:has-text('{WORDS['chance']}')").count() == ALL_MAPS
        assert page.evaluate(heights) == before
    assert float(page.locator("#pictures canvas").first.evaluate("e => getComputedStyle(e).opacity")) < 0.4


def test_an_empty_heatmap_says_why(page: Any, answers: dict[str, list[Any]]) -> None:
    why = "dead in this stream: no item activates it here"

    def emptied(lines: list[Any]) -> list[Any]:
        heatmap = next(line for line in lines if line["kind"] == "picture")["heatmaps"][0]
        heatmap.update(values=[0.0] * len(heatmap["values"]), score=0.0, contributions=[], note=why)
        return lines

    answer_with(page, answers, emptied)
    page.goto(CAT)
    await_answer(page)
    pane = page.locator(".pane").first
    assert why in pane.inner_text()
    assert pane.locator(".trust").inner_text() == "", "there is nothing to believe"


def test_a_picture_can_be_kept_as_a_file(page: Any) -> None:
    page.goto(CAT)
    await_answer(page)
    save = page.locator("[data-save]").first
    item = save.get_attribute("data-save")
    with page.expect_download() as download:
        save.click()
    assert download.value.suggested_filename == f"a-cat-in-the-snow_{item}.png"
    with Image.open(download.value.path()) as image:
        assert image.format == "PNG"
        width, height = image.size
        assert width >= 2 * LEAST_PANE
        assert height >= LEAST_PANE
        assert len(image.convert("RGB").getcolors(1 << 24)) > 1000, "picture and heatmap are in it"
        assert image.convert("RGB").getpixel((2, 2)) == (255, 255, 255), "on white, whatever the theme"


def test_the_page_says_its_call_and_gives_all_pictures_as_one_file(page: Any) -> None:
    page.goto(CAT)
    await_answer(page)
    keep(page, "05-caption")
    page.locator("#data summary").click()
    assert 'POST /api/v1/heatmaps {"caption":"a cat in the snow"' in page.inner_text("#data-calls")
    with page.expect_download() as download:
        page.get_by_role("button", name="PNG: All pictures with heatmaps").click()
    with Image.open(download.value.path()) as image:
        assert image.format == "PNG"
        assert len(image.convert("RGB").getcolors(1 << 24)) > 1000


def test_pictures_are_starred_under_their_captions(page: Any) -> None:
    page.goto(CAT)
    await_answer(page)
    star = page.locator(".picture .star").first
    item, caption = (star.get_attribute(name) for name in ("data-id", "data-name"))
    assert caption == page.locator(".picture figcaption a").first.inner_text()
    star.click()
    assert star.get_attribute("aria-pressed") == "true"
    page.goto("/collection")
    page.wait_for_selector(f".entry[data-id='{item}']")


def test_how_it_is_computed_is_in_the_address_and_survives_a_reload(page: Any) -> None:
    sent = requests_of(page)
    page.goto(CAT)
    await_answer(page)
    assert (sent[0]["method"], sent[0]["target"]) == ("glances", "match")
    assert sent[0]["trust"] is True
    page.locator("#method summary").click()
    chosen = {"method": "relevance", "target": "cross_modal", "layers": "1"}
    for name, value in chosen.items():
        page.select_option(f"select[name={name}]", value)
        page.wait_for_url(f"**{name}={value}**")
    await_answer(page)
    page.reload()
    await_answer(page)
    assert {name: page.input_value(f"select[name={name}]") for name in chosen} == chosen
    assert {name: sent[-1][name] for name in chosen} == {**chosen, "layers": 1}
    assert page.locator("[data-isolate]:visible").count() == 0, "only a match of codes is made of single latents"
    page.locator("#method summary").click()
    page.select_option("select[name=target]", "match")
    page.wait_for_url(lambda url: "target" not in url)
    await_answer(page)
    assert page.locator("#reading .isolate").count() > 0


def test_similarity_is_asked_of_the_streams_that_have_it(page: Any) -> None:
    sent = requests_of(page)
    page.goto(f"{CAT}&target=similarity")
    await_answer(page)
    assert sent[-1]["streams"] == ["clip_img"]
    assert page.locator("#pictures canvas").count() == N_PICTURES


def test_the_value_under_the_pointer_is_a_share_of_the_score(page: Any) -> None:
    page.goto(CAT)
    await_answer(page)
    page.locator(".pane__frame").first.hover()
    readout = page.locator(".pane__readout").first
    assert re.fullmatch(r"[\d.e-]+, [\d.]+% of the score", readout.inner_text())


@pytest.mark.parametrize("width", [390, 1280])
def test_an_answer_fits_its_screen(page: Any, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    page.goto(f"{CAT}&scale=own")
    await_answer(page)
    page.locator("#method summary").click()
    page.locator(".evidence summary").first.click()
    page.locator("#reading .isolate").first.click()
    page.wait_for_url("**latent=**")
    await_answer(page)
    assert page.locator("#isolation button").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
