"""A latent's page in a real browser: its head, heatmaps on demand, tests of one's own, and another bundle beside it."""

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.browser.conftest import listening
from tests.browser.looking import keep

pytestmark = pytest.mark.browser

N_IMAGES = 36  # 18 of each image stream
SETTLED = "#status:not([data-busy])"


def png(width: int = 300, height: int = 200) -> bytes:
    out = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").resize((width, height)).save(out, "PNG")
    return out.getvalue()


def mine(content: bytes) -> dict[str, Any]:
    return {"name": "mine.png", "mimeType": "image/png", "buffer": content}


def ndjson(*lines: dict[str, Any]) -> dict[str, Any]:
    return {"body": "".join(json.dumps(line) + "\n" for line in lines), "content_type": "application/x-ndjson"}


def asked(page: Any, path: str, body: dict[str, Any]) -> Any:
    return page.request.post(f"/api/v1/{path}", data=body).json()


def heatmaps_of(page: Any, body: dict[str, Any]) -> list[dict[str, Any]]:
    """What the API says of the first stream asked for, picture by picture."""
    lines = page.request.post("/api/v1/heatmaps", data=body).text().splitlines()
    pictures = [json.loads(line) for line in lines]
    return [line["heatmaps"][0] for line in pictures if line["kind"] == "picture"]


def await_canvases(page: Any, place: str, n: int) -> None:
    page.wait_for_selector(f"{place} canvas >> nth={n - 1}")
    assert page.locator(f"{place} canvas").count() == n


def await_heatmaps(page: Any, n: int) -> None:
    await_canvases(page, "#columns", n)
    page.wait_for_selector(SETTLED, state="attached")


def items_of(page: Any) -> list[str]:
    return page.eval_on_selector_all("#columns li", "all => all.map(one => one.dataset.item)")


def calls_of(page: Any) -> dict[str, str]:
    """What "Data of this page" lists, by title."""
    return page.eval_on_selector_all(
        "#data-calls li",
        "all => Object.fromEntries(all.map(li => [...li.children].slice(0, 2).map(part => part.textContent)))",
    )


def answer_at_once(page: Any, window: tuple[float, float, float, float] = (0, 0, 1, 1)) -> None:
    """Heatmaps of four patches, without a model: for tests that are about something else."""

    def answer(route: Any) -> None:
        body = route.request.post_data_json
        place = dict(zip(("left", "top", "right", "bottom"), window, strict=True))
        heatmap = {"stream": body["streams"][0], "rows": 2, "columns": 2, "window": place, "values": [0, 0.1, 0.2, 0.1]}
        heatmap |= {"score": 0.4, "layers": 1, "contributions": [], "words": None, "note": None}
        ids = body["item_ids"]
        pictures = [{"kind": "picture", "item_id": one, "caption": "", "heatmaps": [heatmap]} for one in ids]
        route.fulfill(**ndjson(*pictures, {"kind": "done", "milliseconds": {}, "scale": {}}))

    page.route("**/api/v1/heatmaps", answer)


@pytest.fixture
def tolerant(chromium: Any, address: str) -> Iterator[Any]:
    """A page whose failed requests the browser may report."""
    context = chromium.new_context(base_url=address, viewport={"width": 1280, "height": 860})
    yield context.new_page()
    context.close()


def test_the_head_says_what_the_latent_is_and_leaves_room(page: Any) -> None:
    page.goto("/latents/3")
    top = page.locator("#columns .tile img").first.bounding_box()["y"]
    assert top < 345, "the first picture comes soon"
    hint = page.locator(".badges .hint").last
    assert not hint.locator(".hint__text").is_visible()
    hint.locator("summary", has_text="global selection").click()
    assert "Alignment and co-active latents" in hint.inner_text()
    keep(page, "03-latent-head")
    page.keyboard.press("Escape")
    assert not hint.locator(".hint__text").is_visible()
    star = page.locator(".latent-head .star")
    star.click()
    assert star.get_attribute("aria-pressed") == "true"
    page.keyboard.press("]")
    page.wait_for_url("**/latents/4")
    page.keyboard.press("[")
    page.wait_for_url("**/latents/3")
    assert page.locator(".latent-head .star").get_attribute("aria-pressed") == "true"
    assert page.locator(".latent-head a", has_text="Random").get_attribute("href") == "/latents/random"


def test_heatmaps_come_on_demand_and_share_one_scale(page: Any) -> None:
    bodies: list[dict[str, Any]] = []
    page.on("request", lambda r: bodies.append(r.post_data_json) if r.url.endswith("/heatmaps") else None)
    page.goto("/latents/3")
    assert page.locator("#columns canvas").count() == 0
    assert not page.locator("#heat-bar").is_visible()
    page.click("#heat")
    page.wait_for_url("**/latents/3?heat=1")
    await_heatmaps(page, N_IMAGES)
    assert [body["streams"] for body in bodies] == [["dino"], ["clip_img"]]
    shown = items_of(page)
    assert bodies[0] == {"latents": [3], "item_ids": shown[:18], "streams": ["dino"]}
    assert bodies[1]["item_ids"] == shown[18:N_IMAGES]
    found = [heatmap for body in bodies for heatmap in heatmaps_of(page, body)]
    scale = max(max(one["values"]) * one["rows"] * one["columns"] / 100 for one in found)
    assert float(page.inner_text("#heat-bar [data-scale]")) == pytest.approx(scale, rel=0.006)
    assert page.locator("#columns [data-waiting]").count() == 0
    said = calls_of(page)
    assert json.loads(said["Heatmaps in CLIP image"].removeprefix("POST /api/v1/heatmaps ")) == bodies[1]
    keep(page, "03-latent-heatmaps")
    # A logit is what a heatmap adds up to.
    label = page.locator("#columns canvas").first.get_attribute("aria-label")
    assert label == f"DINO heatmap, logit {found[0]['score']:.2f}"


def test_the_address_holds_whether_heatmaps_are_on(page: Any) -> None:
    answer_at_once(page)
    page.goto("/latents/3")
    page.click("#heat")
    page.wait_for_url("**/latents/3?heat=1")
    await_heatmaps(page, N_IMAGES)
    page.reload()
    await_heatmaps(page, N_IMAGES)
    page.go_back()
    page.wait_for_selector("#columns canvas", state="detached")
    assert not page.locator("#heat-bar").is_visible()
    assert "Heatmaps in DINO" not in calls_of(page)
    page.go_forward()
    await_heatmaps(page, N_IMAGES)
    opacity = page.locator("#heat-bar input[name=opacity]")
    opacity.fill("30")
    opacities = "all => [...new Set(all.map(one => getComputedStyle(one).getPropertyValue('--opacity')))]"
    assert page.eval_on_selector_all("#columns canvas", opacities) == ["0.3"]
    page.click("#heat")
    page.wait_for_url("**/latents/3")
    page.wait_for_selector("#columns canvas", state="detached")


def test_the_brightest_place_of_all_has_the_brightest_colour(page: Any) -> None:
    """Two pictures, one in each stream: 4 patches, 1 patch; their values are per patch, the scale is per area."""

    def answer(route: Any) -> None:
        body = route.request.post_data_json
        is_dino = body["streams"] == ["dino"]
        side = 2 if is_dino else 1
        values = [0.0, 0.0, 0.0, 0.02] if is_dino else [0.04]
        window = {"left": 0, "top": 0, "right": 1, "bottom": 1}
        heatmap = {"stream": body["streams"][0], "rows": side, "columns": side, "window": window, "values": values}
        heatmap |= {"score": sum(values), "layers": 1, "contributions": [], "words": None, "note": None}
        picture = {"kind": "picture", "item_id": body["item_ids"][0], "caption": "", "heatmaps": [heatmap]}
        route.fulfill(**ndjson(picture, {"kind": "done", "milliseconds": {}, "scale": {}}))

    page.route("**/api/v1/heatmaps", answer)
    page.goto("/latents/3?heat=1")
    await_heatmaps(page, 2)
    # 0.02 on a quarter of the area is 0.0008 on each hundredth; 0.04 on all of it is 0.0004: half as bright.
    assert page.inner_text("#heat-bar [data-scale]") == "0.0008"
    corner, middle = page.eval_on_selector_all(
        "#columns canvas",
        """all => all.map(canvas => {
          const { width, height } = canvas, at = canvas === all[0] ? [width - 1, height - 1] : [width / 2, height / 2];
          return [...canvas.getContext("2d").getImageData(...at, 1, 1).data];
        })""",
    )
    stops = page.evaluate(
        "['--heat-8', '--heat-4'].map(name => getComputedStyle(document.documentElement).getPropertyValue(name).trim())"
    )
    for pixel, stop in zip((corner, middle), stops, strict=True):
        assert pixel[:3] == pytest.approx([int(stop[i : i + 2], 16) for i in (1, 3, 5)], abs=4)


def test_a_heatmap_lies_over_the_part_of_the_picture_that_its_tower_saw(page: Any) -> None:
    """Pictures of 3:2; a tile shows their middle square, and the tower saw their left two thirds, all of a square."""

    content = png(300, 200)
    page.route("**/image?size=224**", lambda route: route.fulfill(body=content, content_type="image/png"))
    answer_at_once(page, window=(0, 0, 2 / 3, 1))
    page.goto("/latents/3?heat=1")
    await_heatmaps(page, N_IMAGES)
    page.wait_for_selector(".tile__frame canvas[style*=width]")
    frame = page.locator("#columns .tile__frame").first.bounding_box()
    canvas = page.locator("#columns canvas").first.bounding_box()
    side = frame["width"]
    assert frame["height"] == pytest.approx(side, abs=0.5)
    # Covering the square, the picture is 1.5 squares wide and begins a quarter to its left.
    expected = [frame["x"] - side / 4, frame["y"], side, side]
    assert [canvas["x"], canvas["y"], canvas["width"], canvas["height"]] == pytest.approx(expected, abs=1)


def test_another_interval_keeps_heatmaps_on_and_gives_up_those_under_way(page: Any) -> None:
    held: list[Any] = []
    page.route("**/api/v1/heatmaps", lambda route: held.append(route))
    page.goto("/latents/3?heat=1")
    page.wait_for_selector("#columns [data-waiting]")
    page.wait_for_timeout(100)
    assert len(held) == 2
    page.unroute("**/api/v1/heatmaps")
    with page.expect_request_finished(lambda request: "interval=low" in request.url):
        page.locator("[data-interval=low]").click()
    page.wait_for_url("**/latents/3?interval=low&heat=1")
    page.wait_for_selector("#columns:not([aria-busy])")
    n = page.locator("#columns .tile").count()
    await_heatmaps(page, n)
    assert page.locator("#columns [data-waiting]").count() == 0
    # Each canvas lies in a tile of what is shown now.
    expected = page.request.get("/api/v1/latents/3/items?stream=dino&interval=low&limit=18").json()["items"]
    drawn = page.eval_on_selector_all(
        "#columns section:first-child li:has(canvas)", "all => all.map(one => one.dataset.item)"
    )
    assert drawn == [item["item_id"] for item in expected]
    assert "interval=low" in calls_of(page)["Items in DINO"]
    keep(page, "03-latent-low-heatmaps")


def test_heatmaps_that_fail_say_so_in_place_and_can_be_tried_again(tolerant: Any) -> None:
    page = tolerant
    page.route("**/api/v1/heatmaps", lambda route: route.abort())
    page.goto("/latents/3?heat=1")
    page.wait_for_selector("#heat-trouble .trouble")
    assert "cannot be reached" in page.inner_text("#heat-trouble")
    assert page.locator("#columns [data-waiting]").count() == 0
    keep(page, "03-latent-heatmaps-error")
    page.unroute("**/api/v1/heatmaps")
    page.locator("#heat-trouble button").click()
    await_heatmaps(page, N_IMAGES)
    assert page.locator("#heat-trouble .trouble").count() == 0


def test_items_that_fail_say_so_in_place_and_can_be_tried_again(tolerant: Any) -> None:
    page = tolerant
    page.goto("/latents/3")
    before = items_of(page)
    page.route("**/items?**interval=low**", lambda route: route.abort())
    page.locator("[data-interval=low]").click()
    page.wait_for_selector("#trouble .trouble")
    assert items_of(page) == before
    page.unroute("**/items?**interval=low**")
    page.locator("#trouble button").click()
    page.wait_for_selector("#trouble .trouble", state="detached")
    page.wait_for_selector("#columns:not([aria-busy])")
    assert items_of(page) != before


def test_a_text_of_ones_own_is_tested(page: Any) -> None:
    page.goto("/latents/3")
    page.fill("#test-form input[name=try]", "a cat in the snow")
    page.keyboard.press("Enter")
    page.wait_for_url("**/latents/3?try=a+cat+in+the+snow")
    page.wait_for_selector("#tested .gauge")
    body = {"text": "a cat in the snow"}
    (expected,) = asked(page, "latents/3/activation", body)["streams"]
    said = page.inner_text("#tested").replace("\u2212", "-")
    value = expected["activation"] or expected["logit"]
    for number in (value, expected["threshold"], expected["max_activation"]):
        assert f"{number:.2f}" in said
    assert ("Not active" in said) is (expected["activation"] == 0)
    words = page.eval_on_selector_all(
        "#tested .word", "all => all.map(one => [one.firstChild.data, +one.style.getPropertyValue('--relevance')])"
    )
    assert words == [[word["text"], pytest.approx(word["relevance"], abs=0.001)] for word in expected["words"]]
    assert calls_of(page)["Your text, tested"].endswith(json.dumps(body, separators=(",", ":")))
    page.locator("#tested").scroll_into_view_if_needed()
    keep(page, "03-latent-test-text")
    page.locator("#test-tries a").first.click()
    page.wait_for_url("**/latents/3?try=*")
    page.wait_for_selector("#tested .gauge")
    page.reload()
    page.wait_for_selector("#tested .gauge")
    page.go_back()
    page.wait_for_url("**/latents/3?try=a+cat+in+the+snow")
    page.wait_for_selector("#tested .word:has-text('snow')")
    page.go_back()
    page.wait_for_selector("#tested", state="hidden")
    assert page.input_value("#test-form input[name=try]") == ""


@pytest.mark.parametrize(
    ("tried", "words", "key"),
    [
        (
            {"activation": 0.41, "logit": 0.41, "threshold": 0.12, "rank": 1, "share_below": 0.979},
            "Active: more than 97% of the corpus. Its logit is the largest of 64 latents.",
            "activation 0.41 needed to be selected 0.12 largest of the corpus 0.50",
        ),
        (
            {"activation": 0.6, "logit": 0.6, "threshold": 0.12, "rank": 2, "share_below": 1.0},
            "Active: more than any item of the corpus. Its logit is the 2nd largest of 64 latents.",
            "activation 0.60 needed to be selected 0.12 largest of the corpus 0.50",
        ),
        (
            {"activation": 0.0, "logit": -0.03, "threshold": 0.12, "rank": 23, "share_below": 0.0},
            "Not active: its logit of −0.03 is the 23rd largest of 64 latents, and 0.12 was needed to be one of the 6.",
            "logit, not active −0.03 needed to be selected 0.12 largest of the corpus 0.50",
        ),
        (
            {"activation": 0.0, "logit": -0.03, "threshold": -0.1, "rank": 6, "share_below": 0.0},
            "Its logit is the 6th largest of 64 latents, but not above 0, so its activation is 0.",
            "logit, not active −0.03 needed to be selected −0.10 largest of the corpus 0.50",
        ),
    ],
)
def test_what_came_out_is_said_in_words(page: Any, tried: dict[str, Any], words: str, key: str) -> None:
    one = {"stream": "clip_txt", "max_activation": 0.5, "words": [], **tried}
    page.route("**/activation", lambda route: route.fulfill(json={"latent": 3, "streams": [one], "milliseconds": 1}))
    page.goto("/latents/3?try=a+cat")
    page.wait_for_selector("#tested .gauge")
    assert page.inner_text("#tested .try__said") == words
    assert " ".join(page.inner_text("#tested .gauge__key").split()) == key
    # The bar ends at the largest of the three, and each mark stands at its share of that.
    top = max(tried["activation"], tried["logit"], tried["threshold"], 0.5)
    shares = page.eval_on_selector_all(
        "#tested .gauge > *", "all => all.map(part => +part.style.getPropertyValue('--share'))"
    )
    values = [tried["activation"] or tried["logit"], tried["threshold"], 0.5]
    assert shares == pytest.approx([max(value / top, 0) for value in values], abs=1e-4)


def test_a_stale_test_never_overwrites_a_newer_one(page: Any) -> None:
    held: list[Any] = []

    def hold_cats(route: Any) -> None:
        if route.request.post_data_json["text"] == "a cat":
            held.append(route)
        else:
            route.continue_()

    page.route("**/activation", hold_cats)
    page.goto("/latents/3?try=a+cat")
    page.wait_for_selector("#tested .skeleton")
    page.fill("#test-form input[name=try]", "a penguin")
    page.locator("#test-form button").click()
    page.wait_for_selector("#tested .word:has-text('penguin')")
    assert len(held) == 1
    held[0].continue_()
    page.wait_for_timeout(300)
    assert page.locator("#tested .word").all_text_contents() == ["a", "penguin"]


def test_a_test_that_fails_can_be_tried_again(tolerant: Any) -> None:
    page = tolerant
    page.route("**/activation", lambda route: route.abort())
    page.goto("/latents/3?try=a+cat")
    page.wait_for_selector("#test-trouble .trouble")
    assert not page.locator("#tested").is_visible()
    page.unroute("**/activation")
    page.locator("#test-trouble button").click()
    page.wait_for_selector("#tested .gauge")
    page.goto("/latents/3?upload=gone")
    page.wait_for_selector("#test-trouble .trouble:has-text('Choose it again')")
    assert page.locator("#test-trouble button").count() == 0, "asking again would not help"


def test_a_picture_of_ones_own_is_tested_and_shows_where(page: Any) -> None:
    page.goto("/latents/3")
    page.set_input_files("#test-file", mine(png(300, 200)))
    page.wait_for_url("**/latents/3?upload=*")
    await_canvases(page, "#tested .pane__frame", 2)
    upload = page.url.partition("upload=")[2]
    expected = asked(page, "latents/3/activation", {"upload_id": upload})["streams"]
    assert [one["stream"] for one in expected] == ["dino", "clip_img"]
    keys = page.locator("#tested .gauge__key").all_inner_texts()
    for key, one in zip(keys, expected, strict=True):
        assert f"{one['activation'] or one['logit']:.2f}".replace("-", "−") in key
    frame, img = (page.locator(f"#tested {part}").first.bounding_box() for part in (".pane__frame", "img"))
    assert frame["width"] / frame["height"] == pytest.approx(1.5, abs=0.02), "it is shown whole"
    assert img["width"] == pytest.approx(frame["width"], abs=1)
    body = {"latents": [3], "upload_id": upload, "streams": ["dino"]}
    (heatmap,) = heatmaps_of(page, body)
    canvas = page.locator("#tested canvas").first.bounding_box()
    window = heatmap["window"]
    assert canvas["x"] == pytest.approx(frame["x"] + window["left"] * frame["width"], abs=1)
    assert canvas["width"] == pytest.approx((window["right"] - window["left"]) * frame["width"], abs=1)
    page.locator("#tested").scroll_into_view_if_needed()
    keep(page, "03-latent-test-picture")
    page.reload()
    await_canvases(page, "#tested .pane__frame", 2)
    page.fill("#test-form input[name=try]", "a cat")
    page.keyboard.press("Enter")
    page.wait_for_url("**/latents/3?try=a+cat")
    page.wait_for_selector("#tested .word")
    assert page.locator("#tested img").count() == 0, "a text takes the picture's place"


def test_a_picture_can_be_pasted_or_dropped(page: Any) -> None:
    land = """([type, selector, bytes]) => {
      const data = new DataTransfer();
      data.items.add(new File([new Uint8Array(bytes)], "mine.png", { type: "image/png" }));
      const how = type === "paste" ? new ClipboardEvent(type, { clipboardData: data, bubbles: true, cancelable: true })
        : new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true });
      document.querySelector(selector).dispatchEvent(how);
    }"""
    for type_, selector, size in (("paste", "#test-form input", (30, 20)), ("drop", "#columns", (20, 30))):
        page.goto("/latents/3")
        page.evaluate(land, [type_, selector, list(png(*size))])
        page.wait_for_url("**/latents/3?upload=*")
        await_canvases(page, "#tested .pane__frame", 2)


def test_the_same_number_in_another_bundle(page: Any) -> None:
    page.goto("/latents/3")
    page.locator("[data-interval=mid]").click()
    page.wait_for_url("**interval=mid")
    page.wait_for_selector("#columns:not([aria-busy])")
    page.locator(".beside a", has_text="Show it with local selection, no cross loss").click()
    page.wait_for_url(re.compile(r"interval=mid&beside=[0-9a-f]{16}#beside$"))
    twin = page.url.partition("beside=")[2].removesuffix("#beside")
    assert page.locator(".beside__row").count() == 2
    assert page.locator(".beside__said span").count() == 2
    page.locator(".beside img").last.scroll_into_view_if_needed()
    page.wait_for_load_state("networkidle")
    keep(page, "03-latent-before-and-after")
    compare = page.locator(".beside a", has_text="Compare").get_attribute("href")
    assert compare == f"/compare?other={twin}"
    for stream in ("DINO", "CLIP image", "CLIP text"):
        said = calls_of(page)[f"Items in {stream} with local selection, no cross loss"]
        assert said.endswith(f"&bundle={twin}")
    page.locator("[data-interval=low]").click()
    page.wait_for_url(f"**interval=low&beside={twin}")
    page.wait_for_selector("#columns:not([aria-busy])")
    page.locator(".beside a", has_text="Hide").click()
    page.wait_for_url("**/latents/3?interval=low#beside")
    assert page.locator(".beside__row").count() == 0


def test_pictures_for_slides(page: Any) -> None:
    answer_at_once(page)
    page.goto("/latents/3")
    page.locator(".beside a", has_text="Show it").click()
    page.wait_for_url("**beside=**")
    page.locator("#heat").click()
    await_heatmaps(page, N_IMAGES)
    page.locator("#data summary").click()
    sheets = {}
    for name in ("The columns", "Before and after"):
        with page.expect_download() as download:
            page.locator(f"#data button[aria-label='PNG: {name}']").click()
        sheets[name] = Image.open(download.value.path()).convert("RGB")
    columns, beside = sheets.values()
    # Three columns of three tiles and four, their distances and the margins (parts/contactsheet.js).
    assert columns.width == 3 * (3 * 180 - 12 + 32) - 32 + 72
    assert beside.width == 3 * (4 * 180 - 12 + 32) - 32 + 72
    colours = {colour for _, colour in columns.getcolors(1 << 24) or []}
    assert {(0x03, 0x74, 0x65), (0x38, 0x60, 0xAC), (0xA4, 0x4C, 0x1D)} <= colours, "the streams have their colours"


@pytest.fixture(scope="module")
def with_a_dead_one(tiny_bundle: Path) -> Iterator[str]:
    """Where a service listens whose latents all say that they are dead."""
    from server.app import create_app, open_all
    from server.schemas import Alive
    from server.settings import Settings

    settings = Settings(bundle=tiny_bundle, device="cpu")
    resources, explorer = open_all(settings)
    alive = explorer.latents.latent
    explorer.latents.latent = lambda number: alive(number).model_copy(update={"alive": Alive.dead})  # type: ignore[method-assign]
    with listening(create_app(settings, (resources, explorer))) as address:
        yield address


def test_a_dead_latent_says_so_and_can_be_tested(page: Any, with_a_dead_one: str) -> None:
    page.goto(f"{with_a_dead_one}/latents/3")
    assert page.locator("h2", has_text="This latent is dead").is_visible()
    assert page.locator("#heat, #intervals, #columns").count() == 0
    assert page.locator("#nearest ~ ol li").count() == 8
    page.fill("#test-form input[name=try]", "a cat")
    page.keyboard.press("Enter")
    page.wait_for_selector("#tested .gauge")
    assert "needed to be selected" in page.inner_text("#tested")
    keep(page, "03-latent-dead")


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1280, "dark"), (1920, "light")])
def test_the_page_fits_its_screen(page: Any, width: int, scheme: str) -> None:
    page.set_viewport_size({"width": width, "height": 860})
    page.emulate_media(color_scheme=scheme)
    answer_at_once(page)
    page.goto("/latents/3")
    href = page.locator(".beside a", has_text="Show it").get_attribute("href")
    page.goto(href.replace("#beside", "") + "&heat=1&try=a+penguin+" + 80 * "w")
    await_heatmaps(page, N_IMAGES)
    page.wait_for_selector("#tested .gauge")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    keep(page, f"03-latent-{width}-{scheme}", full=True)


def test_nothing_moves_when_pictures_arrive(page: Any) -> None:
    held: list[Any] = []
    waits = [True]

    def hold(route: Any) -> None:
        if waits[0]:
            held.append(route)
        else:
            route.continue_()

    page.route("**/image?size=**", hold)
    page.goto("/latents/3", wait_until="domcontentloaded")
    places = "['#columns', '#test', '.below'].map(one => document.querySelector(one).getBoundingClientRect().top)"
    before = page.evaluate(places)
    assert held
    waits[0] = False
    for route in held:
        route.continue_()
    page.wait_for_load_state("networkidle")
    assert page.evaluate(places) == before
