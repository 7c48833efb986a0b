"""The item page in a real browser: latents light up their patches, regions have latents, streams share latents."""

import json
from typing import Any

import pytest

from tests.browser.looking import keep

pytestmark = pytest.mark.browser

ITEM = "s000003"
ADDRESS = f"/items/{ITEM}"
DINO_FRAME = ".pane[data-name=dino] .pane__frame"


@pytest.fixture
def asked(page: Any) -> dict[str, list[dict[str, Any]]]:
    """The bodies of the page's questions, by the last part of their path."""
    bodies: dict[str, list[dict[str, Any]]] = {"heatmaps": [], "search": []}

    def note(request: Any) -> None:
        name = request.url.rpartition("/")[2]
        if name in bodies and request.method == "POST":
            bodies[name].append(request.post_data_json)

    page.on("request", note)
    return bodies


def codes_of(page: Any) -> dict[str, list[dict[str, Any]]]:
    codes: dict[str, list[dict[str, Any]]] = page.request.get(f"/api/v1/items/{ITEM}").json()["codes"]
    return codes


def heatmaps_of(page: Any, latent: int) -> dict[str, dict[str, Any]]:
    """What the API says of a latent in this item, by stream."""
    body = {"latents": [latent], "item_ids": [ITEM]}
    lines = page.request.post("/api/v1/heatmaps", data=body).text().splitlines()
    picture = json.loads(lines[1])
    return {heatmap["stream"]: heatmap for heatmap in picture["heatmaps"]}


def row(latent: int) -> str:
    return f"#codes li[data-latent='{latent}']"


def drag(page: Any, left: float, top: float, right: float, bottom: float) -> None:
    box = page.locator(DINO_FRAME).bounding_box()
    at = lambda x, y: (box["x"] + x * box["width"], box["y"] + y * box["height"])  # noqa: E731
    page.mouse.move(*at(left, top))
    page.mouse.down()
    page.mouse.move(*at(right, bottom), steps=4)
    page.mouse.up()


def await_shown(page: Any, latent: int) -> None:
    page.wait_for_selector(f"#status:has-text('latent {latent}:')")


def test_a_latent_that_is_pointed_at_lights_up_in_both_panes_on_one_scale(
    page: Any, asked: dict[str, list[dict[str, Any]]]
) -> None:
    page.goto(ADDRESS)
    strongest, second = (entry["latent"] for entry in codes_of(page)["dino"][:2])
    assert page.locator(".pane canvas").count() == 0
    page.locator(row(strongest)).first.hover()
    await_shown(page, strongest)
    assert asked["heatmaps"] == [{"latents": [strongest], "item_ids": [ITEM]}]
    expected = heatmaps_of(page, strongest)
    for stream, heatmap in expected.items():
        pane = page.locator(f".pane[data-name={stream}]")
        assert pane.locator(".pane__score .number").inner_text() == f"activation {heatmap['score']:.2f}"
        assert pane.locator("canvas").is_visible()
    largest = max(max(heatmap["values"]) for heatmap in expected.values())
    assert float(page.inner_text("#scale .number")) == pytest.approx(largest, rel=5e-3)
    keep(page, "04-item-latent")
    page.locator(row(second)).first.hover()
    await_shown(page, second)
    page.locator(row(strongest)).first.hover()
    await_shown(page, strongest)
    assert len(asked["heatmaps"]) == 2, "what is known is not asked for again"
    page.mouse.move(2, 2)
    page.wait_for_selector("#scale", state="hidden")
    assert not page.locator(".pane canvas").first.is_visible()


def test_a_pointer_that_passes_by_asks_for_nothing(page: Any, asked: dict[str, list[dict[str, Any]]]) -> None:
    page.goto(ADDRESS)
    latents = [entry["latent"] for entry in codes_of(page)["dino"][:4]]
    page.evaluate(
        "async rows => { for (const row of rows) { document.querySelector(row).dispatchEvent("
        "new PointerEvent('pointerover', { bubbles: true, pointerType: 'mouse' })); "
        "await new Promise(done => setTimeout(done, 10)); } }",
        [row(latent) for latent in latents],
    )
    await_shown(page, latents[-1])
    assert [body["latents"] for body in asked["heatmaps"]] == [latents[-1:]]


def test_a_pinned_latent_is_in_the_address_until_escape(page: Any) -> None:
    page.goto(ADDRESS)
    latent = codes_of(page)["clip_txt"][0]["latent"]
    n_streams = page.locator(row(latent)).count()
    page.locator(f"{row(latent)} .pick").first.click()
    page.wait_for_url(f"**{ADDRESS}?latent={latent}")
    page.wait_for_selector("#status:has-text('Pinned')")
    page.mouse.move(2, 2)
    assert page.locator(".pick[aria-pressed=true]").count() == n_streams, "in every stream that has it"
    page.reload()
    await_shown(page, latent)
    assert page.locator("#scale").is_visible()
    page.keyboard.press("Escape")
    page.wait_for_url(f"**{ADDRESS}")
    page.wait_for_selector("#scale", state="hidden")
    assert page.locator(".pick[aria-pressed=true]").count() == 0
    page.go_back()
    await_shown(page, latent)
    page.locator("#unpin").click()
    page.wait_for_url(f"**{ADDRESS}")
    page.locator(f"{row(latent)} a").first.click()
    page.wait_for_url(f"**/latents/{latent}")


def test_latents_light_up_and_are_pinned_with_keys(page: Any) -> None:
    page.goto(ADDRESS)
    latent = codes_of(page)["dino"][0]["latent"]
    page.locator("#codes .sift a").last.focus()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "pick"
    await_shown(page, latent)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**latent={latent}")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{ADDRESS}")


def test_a_region_keeps_to_patches_and_says_which_latents_they_have(
    page: Any, asked: dict[str, list[dict[str, Any]]]
) -> None:
    page.goto(ADDRESS)
    drag(page, 0.11, 0.31, 0.52, 0.73)
    page.wait_for_selector("#seen li[data-latent]")
    (body,) = asked["search"]
    assert (body["item_id"], body["stream"]) == (ITEM, "dino")
    n = heatmaps_of(page, 0)["dino"]["columns"]
    edges = [body["region"][edge] for edge in ("left", "top", "right", "bottom")]
    assert edges == pytest.approx([round(edge * n) / n for edge in (0.11, 0.31, 0.52, 0.73)], abs=1e-3)
    answer = page.request.post("/api/v1/latents/search", data=body).json()["latents"]
    expected = [(str(one["latent"]["id"]), f"{one['score']:.2f}") for one in answer if one["found"] == "code"]
    shown = page.eval_on_selector_all(
        "#seen li", "rows => rows.map(row => [row.dataset.latent, row.querySelector('.number').textContent])"
    )
    assert [tuple(one) for one in shown] == expected[:12]
    assert page.inner_text("#seen-title") == "What DINO sees here"
    page.locator("#seen .pick").first.click()
    page.wait_for_url("**latent=*region=*stream=dino")
    await_shown(page, int(shown[0][0]))
    keep(page, "04-item-region")
    page.reload()
    page.wait_for_selector("#seen li[data-latent]")
    assert page.locator("#seen .pick[aria-pressed=true]").count() == 1
    assert page.locator(".region__box").first.is_visible()
    page.locator("#clear-region").click()
    page.wait_for_url(lambda url: "region" not in url and "latent" in url)
    assert not page.locator("#seen").is_visible()
    assert not page.locator(".region__box").first.is_visible()


def test_a_region_is_given_and_moved_with_keys(page: Any, asked: dict[str, list[dict[str, Any]]]) -> None:
    page.goto(ADDRESS)
    form = page.locator(".pane[data-name=clip_img] .edges")
    form.locator("summary").click()
    for edge, percent in {"left": 25, "top": 25, "right": 50, "bottom": 75}.items():
        form.locator(f"input[name={edge}]").fill(str(percent))
    page.keyboard.press("Tab")
    page.wait_for_selector("#seen li[data-latent]")
    grid = heatmaps_of(page, 0)["clip_img"]
    assert asked["search"][-1]["stream"] == "clip_img"
    assert asked["search"][-1]["region"]["right"] == pytest.approx(0.5, abs=0.5 / grid["columns"])
    before = asked["search"][-1]["region"]
    page.focus(".pane[data-name=clip_img] .region__box")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("() => !location.search.includes('region=0.25,')")
    page.wait_for_selector("#seen ol:not([aria-busy])")
    after = asked["search"][-1]["region"]
    patch = 1 / grid["columns"]
    assert [after[edge] - before[edge] for edge in ("left", "right")] == pytest.approx([patch, patch], abs=2e-3)
    page.keyboard.press("Escape")
    page.wait_for_url(f"**{ADDRESS}")


def test_a_stale_region_never_overwrites_a_newer_one(page: Any) -> None:
    page.goto(ADDRESS)
    held: list[Any] = []
    page.route("**/api/v1/latents/search", lambda route: held.append(route) if not held else route.continue_())
    drag(page, 0.015, 0.015, 0.5, 0.5)
    page.wait_for_function("() => location.search.includes('region=0,0,0.5,0.5')")
    drag(page, 0.5, 0.5, 0.985, 0.985)
    page.wait_for_selector("#seen li[data-latent]")
    shown = page.inner_text("#seen ol")
    held[0].fulfill(json={"stream": "dino", "words": None, "latents": [], "milliseconds": {}})
    page.wait_for_timeout(200)
    assert page.inner_text("#seen ol") == shown
    assert "region=0.5,0.5,1,1" in page.url


def test_codes_are_sifted_by_what_streams_share(page: Any) -> None:
    page.goto(ADDRESS)
    codes = codes_of(page)
    active = {stream: {entry["latent"] for entry in code} for stream, code in codes.items()}
    every = set.union(*active.values())
    n_shared = len(set.intersection(*active.values()))
    n_one = sum(sum(latent in own for own in active.values()) == 1 for latent in every)
    counts = page.eval_on_selector_all(
        ".sift a",
        "links => Object.fromEntries(links.map(a => [a.dataset.show, +a.querySelector('.number').textContent]))",
    )
    assert (counts["all"], counts["shared"], counts["one"]) == (len(every), n_shared, n_one)
    page.locator(".sift a[data-show=shared]").click()
    page.wait_for_url("**show=shared")
    assert page.locator("#codes li[data-latent]:visible").count() == 3 * n_shared
    keep(page, "04-item-shared")
    page.locator(".sift a[data-show=one]").click()
    assert page.locator("#codes li[data-latent]:visible").count() == n_one
    page.go_back()
    page.wait_for_selector(".sift a[data-show=shared][aria-current]")
    assert page.locator("#codes li[data-latent]:visible").count() == 3 * n_shared


def test_the_page_says_its_calls_and_gives_the_picture_as_a_file(page: Any) -> None:
    latent = page.request.get(f"/api/v1/items/{ITEM}").json()["codes"]["dino"][0]["latent"]
    page.goto(f"{ADDRESS}?latent={latent}&region=0,0,0.5,0.5&stream=dino")
    page.wait_for_selector("#seen li[data-latent]")
    await_shown(page, latent)
    page.locator("#data summary").click()
    said = page.inner_text("#data-calls")
    for call in (f"GET /api/v1/items/{ITEM}", "POST /api/v1/heatmaps", "POST /api/v1/latents/search"):
        assert call in said
    with page.expect_download() as download:
        page.get_by_role("button", name="PNG: The picture with the latent").click()
    assert download.value.suggested_filename.endswith(".png")


def test_an_error_is_said_in_place_and_can_be_tried_again(chromium: Any, address: str) -> None:
    context = chromium.new_context(base_url=address)
    page = context.new_page()
    page.route("**/api/v1/heatmaps", lambda route: route.abort())
    page.goto(ADDRESS)
    page.locator("#codes .pick").first.click()
    page.wait_for_selector("#trouble [role=alert]:has-text('cannot be reached')")
    page.unroute_all()
    page.locator("#trouble button").click()
    page.wait_for_selector("#scale:not([hidden])")
    assert page.locator("#trouble [role=alert]").count() == 0
    context.close()


def test_the_codes_are_there_without_script(chromium: Any, address: str) -> None:
    context = chromium.new_context(base_url=address, java_script_enabled=False)
    page = context.new_page()
    page.goto(ADDRESS)
    assert page.locator(".pane img:visible").count() == 1, "the same picture twice says nothing"
    page.locator("#codes li a").first.click()
    page.wait_for_url("**/latents/*")
    page.go_back()
    page.locator(".sift a[data-show=shared]").click()
    assert page.locator("#codes li[data-sharing=one]:visible").count() == 0
    page.locator("a[rel=next]").click()
    page.wait_for_url("**/items/s000004")
    context.close()


@pytest.mark.parametrize("width", [390, 1280, 1920])
def test_panes_and_codes_fit_the_first_screen(page: Any, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 860})
    page.goto(f"{ADDRESS}?region=0,0,0.5,0.5&stream=dino")
    page.wait_for_selector("#seen li[data-latent]")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if width > 1000:
        assert page.locator("#codes li[data-latent]").nth(3).bounding_box()["y"] < 860
    else:
        page.locator("#codes li[data-latent]").last.scroll_into_view_if_needed()
        assert page.locator(DINO_FRAME).bounding_box()["y"] >= 0, "the panes stay in sight"
    assert page.locator("#status").is_visible()
    keep(page, f"04-item-{width}")
