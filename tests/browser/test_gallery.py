"""The gallery in a real browser: cards, live numbers beside the filters, the map and its lasso, a random latent."""

import math
import re
from contextlib import suppress
from typing import Any

import pytest
from playwright.sync_api import Error

from tests.browser.looking import keep

pytestmark = pytest.mark.browser

# As the server wrote them: what scripts add to a card's place in the list is no part, nor is white space.
CARDS = """cards => cards.slice(0, 12).map(card => {
  const copy = card.cloneNode(true);
  for (const name of ['aria-posinset', 'aria-setsize', 'data-position', 'style']) copy.removeAttribute(name);
  copy.classList.remove('lit');
  return copy.outerHTML.replace(/\\s+/g, ' ').replace(/> </g, '><').trim();
})"""
BARS = """bars => bars.map(bar =>
  [bar.style.getPropertyValue('--share'), bar.matches('[data-some]'), bar.matches('[data-in]')])"""
NUMBERS = """all => Object.fromEntries(all.map(one =>
  [`${one.dataset.count} ${one.dataset.value}`, Number(one.textContent)]))"""
LABELS = "all => all.map(one => [one.value, one.label])"
# The number beside "any" is that of the status line.
AGREED = """() => document.querySelector('[data-count=alive]').textContent
  === document.querySelector('#status').textContent.split(' ')[0]"""
# The map has come to rest, and all of it is shown.
WHOLE = "() => Math.abs((history.state?.camera?.[2] ?? 0) - 1) < 1e-9"
READY = ".map__frame:not([data-waiting])"
# Whether the canvas shows anything but paper, as in its corner, around a pixel.
DRAWN = """([x, y]) => {
  const canvas = document.querySelector('.map__canvas'), ratio = canvas.width / canvas.clientWidth;
  const pixels = (left, top, side) => {
    const { data } = canvas.getContext('2d').getImageData(left * ratio, top * ratio, side * ratio, side * ratio);
    return [...new Uint32Array(data.buffer)];
  };
  const [paper] = pixels(1, 1, 1);
  return pixels(x - 3, y - 3, 6).some((pixel) => pixel !== paper);
}"""


def await_cards(page: Any) -> None:
    page.wait_for_selector("#status:has-text('latent'):not([data-busy])")
    page.wait_for_selector("#latents:not([aria-busy])")


def open_map(page: Any, address: str = "/?view=map") -> dict[str, float]:
    """The map's canvas on the screen."""
    page.goto(address)
    page.wait_for_selector(READY)
    page.locator(".results").evaluate("one => one.scrollIntoView()")
    box: dict[str, float] = page.locator(".map__canvas").bounding_box()
    return box


def places(page: Any) -> dict[int, tuple[float, float]]:
    """Where the latents of the whole map are to be, in pixels of the canvas: their box fills it but for its margins."""
    found = page.request.get("/api/v1/latents/map").json()
    box = page.locator(".map__canvas").bounding_box()
    x, y = found["x"], found["y"]
    across = box["width"] / (1.12 * (max(x) - min(x)))
    up = box["height"] / (1.12 * (max(y) - min(y)))
    across, up = min(across, 2 * up), min(up, 2 * across)
    middle = ((max(x) + min(x)) / 2, (max(y) + min(y)) / 2)
    return {
        latent: (box["width"] / 2 + (a - middle[0]) * across, box["height"] / 2 - (b - middle[1]) * up)
        for latent, a, b in zip(found["ids"], x, y, strict=True)
    }


def loneliest(points: dict[int, tuple[float, float]]) -> int:
    """The latent that is farthest from all others, off the edges and the buttons."""
    inside = [i for i, (x, y) in points.items() if 100 < x < 900 and y > 100]
    return max(inside, key=lambda i: min(math.dist(points[i], points[j]) for j in points if j != i))


# Cards


def test_cards_made_by_the_server_and_by_script_are_alike(page: Any) -> None:
    page.goto("/?sort=id")
    from_server = page.eval_on_selector_all("#latents > li", CARDS)
    page.select_option("select[name=sort]", "density")
    page.wait_for_url("**sort=density")
    await_cards(page)
    page.select_option("select[name=sort]", "id")
    page.wait_for_selector("#latents > li[data-latent='0']:first-child")
    assert page.eval_on_selector_all("#latents > li", CARDS) == from_server


def test_a_card_says_which_strip_is_which_stream(page: Any) -> None:
    page.goto("/?sort=density")
    card = page.locator("#latents > li").first
    assert card.locator(".strip__title").all_inner_texts() == ["DINO", "CLIP image", "CLIP text"]
    marks = card.locator(".strip").evaluate_all("all => all.map(one => getComputedStyle(one).borderInlineStartColor)")
    assert len(set(marks)) == 3
    assert card.locator(".strip--image").first.locator("img").count() == 5
    assert card.locator(".strip--text li").count() == 2
    keep(page, "02-gallery")


def test_the_whole_card_is_a_link_and_the_star_is_a_button_on_it(page: Any) -> None:
    page.goto("/?sort=id")
    card = page.locator("#latents > li[data-latent='3']")
    card.locator(".star").click()
    page.wait_for_selector("#latents > li[data-latent='3'] .star[aria-pressed=true]")
    assert page.url.endswith("/?sort=id")
    card.scroll_into_view_if_needed()
    strip = card.locator(".strip--text").bounding_box()
    page.mouse.click(strip["x"] + strip["width"] / 2, strip["y"] + strip["height"] / 2)
    page.wait_for_url("**/latents/3")


def test_dead_and_silent_latents_have_cards_of_the_same_height(page: Any) -> None:
    """Put in place of the server's: the tiny bundle has no dead latent."""

    def half_dead(route: Any) -> None:
        answer = route.fetch()
        found = answer.json()
        found["latents"][0] |= {"alive": "dead", "strips": {}, "captions": {}, "alignment": None, "density": 0}
        found["latents"][1] |= {"alive": "mixed", "name": 20 * "a long name "}
        found["latents"][1]["strips"]["clip_txt"] = []
        route.fulfill(response=answer, json=found)

    page.route("**/api/v1/latents?*", half_dead)
    page.goto("/")
    page.select_option("select[name=sort]", "purity")
    page.wait_for_selector(".badge--dead")
    dead, mixed = page.locator("#latents > li").nth(0), page.locator("#latents > li").nth(1)
    assert dead.locator(".strip__none").all_inner_texts() == 3 * ["never active"]
    assert mixed.locator(".badge").inner_text() == "in some streams only"
    heights = page.eval_on_selector_all("#latents > li", "all => all.map(one => one.getBoundingClientRect().height)")
    assert len(set(heights)) == 1
    keep(page, "02-gallery-dead")


# Numbers beside the filters


def test_numbers_beside_the_filters_say_what_a_choice_would_leave(page: Any) -> None:
    page.goto("/?min_purity=0.5")
    for choice in ("active_in clip_txt", "silent_in dino", "alive alive"):
        page.goto("/?min_purity=0.5")
        expected = page.eval_on_selector_all("[data-count]", NUMBERS)[choice]
        name, value = choice.split()
        page.locator(f"label:has(input[name={name}][value={value}])").click()
        page.wait_for_url(f"**{name}={value}**")
        await_cards(page)
        assert page.inner_text("#status").split()[0] == str(expected), choice
    keep(page, "02-filters")


def test_numbers_bars_and_labels_follow_what_is_typed(page: Any) -> None:
    page.goto("/")
    page.locator("#more-filters > summary").click()
    before = page.eval_on_selector_all("[data-spread=purity] i", BARS)
    assert all(inside for _, _, inside in before)
    page.fill("input[name=query]", "cat")
    page.wait_for_url("**query=cat")
    page.wait_for_function(AGREED)
    by_script = shown_beside(page)
    assert by_script[0][48:] != before
    page.reload()
    assert shown_beside(page) == by_script, "server and script are alike"


def shown_beside(page: Any) -> list[Any]:
    """Bars, numbers and suggested labels."""
    queries = {"[data-spread] i": BARS, "[data-count]": NUMBERS, "#labels option": LABELS}
    return [page.eval_on_selector_all(selector, script) for selector, script in queries.items()]


def test_dragging_over_the_bars_sets_the_bounds(page: Any) -> None:
    page.goto("/")
    page.locator("#more-filters > summary").click()
    box = page.locator("[data-spread=alignment]").bounding_box()
    page.mouse.move(box["x"] + 6.5 / 24 * box["width"], box["y"] + 10)
    page.mouse.down()
    page.mouse.move(box["x"] + 11.5 / 24 * box["width"], box["y"] + 10, steps=3)
    page.mouse.up()
    page.wait_for_url("**min_alignment=0.25&max_alignment=0.5**")
    await_cards(page)
    inside = [bar[2] for bar in page.eval_on_selector_all("[data-spread=alignment] i", BARS)]
    assert inside == 6 * [False] + 7 * [True] + 11 * [False], "0.5 itself is the first of its bin"
    page.mouse.move(box["x"] + 2, box["y"] + 10)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] + 50, box["y"] + 10, steps=3)
    page.mouse.up()
    page.wait_for_url(lambda url: "alignment" not in url)


def test_an_older_answer_never_overwrites_a_newer_one(page: Any) -> None:
    held: list[Any] = []
    page.route("**/api/v1/latents/counts?query=a", lambda route: held.append(route))
    page.route("**/api/v1/latents?query=a&*", lambda route: held.append(route))
    page.goto("/")
    page.fill("input[name=query]", "a")
    page.wait_for_url("**query=a")
    page.fill("input[name=query]", "#5")
    page.wait_for_selector("#latents > li[data-latent='5']:only-child")
    for route in held:
        with suppress(Error):  # the browser may have given it up
            route.continue_()
    page.wait_for_timeout(300)
    assert page.inner_text("#status").startswith("1 latent for")
    assert page.inner_text("[data-count=alive][data-value='']") == "1"


# The map


def test_the_map_shows_every_latent_and_names_the_one_pointed_at(page: Any) -> None:
    box = open_map(page)
    points = places(page)
    for place in points.values():
        assert page.evaluate(DRAWN, list(place))
    latent = loneliest(points)
    x, y = points[latent]
    page.mouse.move(box["x"] + x, box["y"] + y)
    tip = page.locator(".tip")
    tip.wait_for()
    own = page.request.get(f"/api/v1/latents/{latent}").json()
    assert own["name"] in tip.inner_text()
    assert f"#{latent}" in tip.inner_text()
    assert re.search(r"alignment\s\d\.\d\d", tip.inner_text())
    assert own["strips"]["dino"][0] in tip.locator("img").get_attribute("src")
    keep(page, "02-map-hover")
    page.mouse.click(box["x"] + x, box["y"] + y)
    page.wait_for_url(f"**/latents/{latent}")


def test_zooming_brings_pictures_and_back_returns_to_the_place(page: Any) -> None:
    box = open_map(page)
    with page.expect_request(re.compile(r"/items/.*/image\?size=112")):
        page.mouse.move(box["x"] + 400, box["y"] + 300)
        for _ in range(6):
            page.mouse.wheel(0, -150)
    page.wait_for_load_state("networkidle")
    keep(page, "02-map-zoomed")
    page.wait_for_function("() => history.state?.camera?.[2] > 2")
    camera = page.evaluate("history.state.camera")
    page.goto("/latents/3")
    page.go_back()
    page.wait_for_selector(READY)
    page.keyboard.press("Escape")
    assert page.evaluate("history.state.camera") == camera
    page.locator(".map__tools button", has_text="All").click()
    page.wait_for_function("() => history.state.camera[2] === 1")


def test_dragging_moves_the_map(page: Any) -> None:
    box = open_map(page)
    latent = loneliest(places(page))
    x, y = places(page)[latent]
    page.mouse.move(box["x"] + 40, box["y"] + 400)
    page.mouse.down()
    page.mouse.move(box["x"] + 70, box["y"] + 380, steps=4)
    page.mouse.up()
    assert page.url.endswith("view=map"), "dragging opens nothing"
    page.mouse.move(box["x"] + x + 30, box["y"] + y - 20)
    page.wait_for_selector(f".tip[href='/latents/{latent}']")


def test_the_map_with_keys(page: Any) -> None:
    open_map(page)
    page.focus(".map__canvas")
    for key in ("+", "+", "ArrowLeft", "ArrowUp", "-", "0"):
        page.keyboard.press(key)
    page.wait_for_function(WHOLE)  # it glides there, and the glide's end aims again
    said = page.locator(".map__frame [role=status]").inner_text()
    assert page.locator(".tip").is_visible() == (": alignment" in said), said
    for _ in range(3):
        page.keyboard.press("+")
    for _ in range(40):
        if page.locator(".tip").is_visible():
            break
        page.keyboard.press("ArrowDown")
    said = page.locator(".map__frame [role=status]").inner_text()
    latent = re.search(r"latent (\d+): alignment [\d.]+, purity [\d.]+, density [\d.]+%", said)
    assert latent, said
    keep(page, "02-map-keys")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/latents/{latent[1]}")


def test_a_lasso_gathers_latents_as_cards_and_comes_back_on_the_map(page: Any) -> None:
    box = open_map(page, "/?view=map&min_purity=0.3")
    points = places(page)
    page.locator(".map__tools button", has_text="Lasso").click()
    middle, reach = (box["width"] / 2, box["height"] / 2), (250, 200)
    page.mouse.move(box["x"] + middle[0] + reach[0], box["y"] + middle[1])
    page.mouse.down()
    for turn in range(1, 60):
        across, down = math.cos(turn / 60 * math.tau), math.sin(turn / 60 * math.tau)
        page.mouse.move(box["x"] + middle[0] + reach[0] * across, box["y"] + middle[1] + reach[1] * down)
    keep(page, "02-map-lasso")
    page.mouse.up()
    page.wait_for_url("**lasso=**")
    assert "view=map" not in page.url
    lasso = re.search(r"lasso=([^&]*)", page.url)[1]
    assert lasso.count(";") < 48
    assert re.fullmatch(r"(-?[01](\.\d{1,3})?,-?[01](\.\d{1,3})?;?)+", lasso)
    await_cards(page)
    pure = {latent["id"] for latent in page.request.get("/api/v1/latents?min_purity=0.3&limit=200").json()["latents"]}

    def turns(place: tuple[float, float]) -> float:
        """How far from the middle, 1 on the ellipse."""
        return math.hypot(*((a - b) / c for a, b, c in zip(place, middle, reach, strict=True)))

    sure = {latent for latent, place in points.items() if turns(place) < 0.97} & pure
    maybe = {latent for latent, place in points.items() if turns(place) < 1.03} & pure
    answer = page.request.get(f"/api/v1/latents?min_purity=0.3&limit=200&lasso={lasso}").json()
    found = {latent["id"] for latent in answer["latents"]}
    shown = {int(one) for one in page.eval_on_selector_all(".card", "all => all.map(card => card.dataset.latent)")}
    assert shown
    assert shown <= found
    assert sure
    assert sure <= found <= maybe
    chip = page.locator("#kept-filters a")
    assert chip.locator("span").first.inner_text() == f"{len(found)} latents inside the lasso"
    keep(page, "02-lasso-cards")
    page.locator("label:has(input[value=map])").click()
    page.wait_for_url("**lasso=**view=map**")
    page.wait_for_selector(READY)
    box = page.locator(".map__canvas").bounding_box()
    edge = [middle[0], middle[1] + reach[1]]
    assert page.evaluate(DRAWN, edge), "the lasso is drawn"
    keep(page, "02-map-lassoed")
    chip.click()
    page.wait_for_url(lambda url: "lasso" not in url)
    page.wait_for_function(f"() => document.querySelector('#status').textContent.startsWith('{len(pure)} ')")
    page.go_back()
    page.go_back()
    await_cards(page)
    assert chip.is_visible()
    page.go_back()
    page.wait_for_selector(f"#gallery[data-view=map] {READY}")
    assert page.locator("#kept-filters a").count() == 0


def test_latents_that_do_not_match_stay_as_faint_dots_that_cannot_be_opened(page: Any) -> None:
    box = open_map(page)
    points = places(page)
    latent = loneliest(points)
    x, y = points[latent]
    other = next(one for one in points if one != latent)
    page.fill("input[name=query]", f"#{other}")
    page.wait_for_url("**query=**")
    page.wait_for_selector(f"#status:has-text('1 latent for “#{other}”')")
    page.locator(".results").evaluate("one => one.scrollIntoView()")
    assert page.evaluate(DRAWN, [x, y]), "a faint dot"
    page.mouse.click(box["x"] + x, box["y"] + y)
    assert page.locator(".tip").is_hidden()
    assert "view=map" in page.url


def test_colours_and_pictures_are_in_the_address(page: Any) -> None:
    open_map(page)
    page.select_option("select[name=colour]", "density")
    page.wait_for_url("**colour=density**")
    page.wait_for_selector(".map__legend:has-text('density'):has-text('%')")
    with page.expect_request("**/latents/map?stream=clip_img"):
        page.select_option("select[name=pictures]", "clip_img")
    page.wait_for_url("**pictures=clip_img**")
    page.reload()
    page.wait_for_selector(".map__legend:has-text('density')")
    assert page.input_value("select[name=pictures]") == "clip_img"


def test_fingers_move_zoom_and_open_the_map(chromium: Any, address: str) -> None:
    context = chromium.new_context(
        base_url=address, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    page = context.new_page()
    box = open_map(page)
    assert box["width"] == pytest.approx(390, abs=2)
    assert box["height"] == pytest.approx(0.7 * 844, abs=4)
    keep(page, "02-map-390")
    devtools = context.new_cdp_session(page)

    def touch(kind: str, *fingers: tuple[float, float]) -> None:
        points = [{"x": box["x"] + x, "y": box["y"] + y, "id": i} for i, (x, y) in enumerate(fingers)]
        devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", (180, 300), (210, 300))
    for spread in range(10, 90, 10):
        touch("touchMove", (180 - spread, 300), (210 + spread, 300))
    touch("touchEnd")
    page.wait_for_function("() => history.state?.camera?.[2] > 3")
    scrolled, before = page.evaluate("scrollY"), page.evaluate("history.state.camera[0]")
    touch("touchStart", (200, 300))
    for moved in range(10, 110, 10):
        touch("touchMove", (200 - moved, 300))
    touch("touchEnd")
    page.wait_for_function("before => history.state.camera[0] > before", arg=before)
    assert page.evaluate("scrollY") == scrolled, "one finger moves the map, not the page"
    page.locator(".map__tools button", has_text="All").tap()
    page.wait_for_function("() => history.state.camera[2] === 1")
    latent, (x, y) = max(places(page).items(), key=lambda one: one[1][1])
    page.touchscreen.tap(box["x"] + x, box["y"] + y)
    tip = page.locator(f".tip[href='/latents/{latent}']")
    tip.wait_for()
    assert "/latents/" not in page.url, "a finger first sees which latent it is"
    tip.tap()
    page.wait_for_url(f"**/latents/{latent}")
    context.close()


def test_a_picture_of_the_map_can_be_kept(page: Any) -> None:
    open_map(page)
    page.locator("#data summary").click()
    with page.expect_download() as download:
        page.locator("[aria-label='PNG: Map']").click()
    assert download.value.suggested_filename.endswith("map.png")
    with open(download.value.path(), "rb") as file:
        assert file.read(4) == b"\x89PNG"
    assert "GET /api/v1/latents/map?stream=dino" in page.locator("#data").inner_text()


# A random latent, and pages without scripts


def test_a_random_latent_is_among_those_that_match(page: Any) -> None:
    page.goto("/?sort=id")
    page.fill("input[name=query]", "#7")
    page.wait_for_selector("#latents > li[data-latent='7']:only-child")
    page.locator("#random").click()
    page.wait_for_url("**/latents/7")
    page.goto("/?query=nothing+like+it")
    assert page.locator("#random").is_hidden()


def test_the_gallery_without_script(chromium: Any, address: str) -> None:
    context = chromium.new_context(base_url=address, java_script_enabled=False)
    page = context.new_page()
    page.goto("/?view=map&lasso=-1,-1;1,-1;1,1;-1,1&min_purity=0.2")
    assert page.locator(".card").first.is_visible(), "the map needs scripts, the cards do not"
    assert not page.locator("#map").is_visible()
    first = page.locator(".card h2").first.inner_text()
    page.locator("#more").click()
    assert page.locator(".card h2").first.inner_text() != first
    assert "lasso=" in page.url
    page.locator("#kept-filters a").click()
    assert "lasso" not in page.url
    assert "min_purity=0.2" in page.url
    context.close()
