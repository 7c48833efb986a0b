"""How the explorer feels: without Plotly, where the server fails, with keys alone, without motion, light and dark."""

from typing import Any, NamedTuple

import pytest

from tests.browser.every_page import BY_NAME, VISITS
from tests.browser.looking import keep

pytestmark = pytest.mark.browser

N_STOPS = 25
FAILURE = {"error": {"code": "busy", "message": "The server is busy: try again in a moment.", "detail": {}}}
STATES = [
    visit
    for visit in VISITS
    if visit.name not in ("search", "keys", "gallery-nothing", "caption-start", "retrieve-start")
]
# What shows the focus: an outline of the element, of what is drawn beside it, or of the label that stands for it; or
# whatever changes of them, or of what is around them, when it leaves.
FOCUS_SHOWN = """() => {
  const element = document.activeElement;
  if (element === document.body) return 'end';
  const pseudo = [null, '::before', '::after'];
  const drawn = (parts) => parts.filter(Boolean).flatMap((part) => pseudo.map((of) => getComputedStyle(part, of)));
  const own = drawn([element, element.nextElementSibling, element.closest('label')]);
  if (own.some((style) => style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 1)) return 'shown';
  const all = [...own, ...drawn([element.parentElement, element.parentElement.parentElement])];
  const look = (of) => [of.outline, of.backgroundColor, of.borderColor, of.boxShadow, of.color].join();
  const before = all.map(look);
  element.blur();
  return all.map(look).some((now, i) => now !== before[i]) ? 'shown' : element.outerHTML.slice(0, 160);
}"""
LIGHTNESS = """() => {
  const [r, g, b] = getComputedStyle(document.body).backgroundColor.match(/[\\d.]+/g).map(Number);
  return (r + g + b) / (3 * 255);
}"""


class Failing(NamedTuple):
    """A request of a page that fails, and how it is made."""

    address: str
    request: str  # pattern of its address
    act: str  # Playwright selector to press, or "text=": what is typed into the main field and entered
    answered: str  # selector of what its answer brings


FAILINGS = {
    "gallery": Failing(
        "/?sort=id", "**/api/v1/latents?*", "#filters label:has-text('all streams')", "#latents [data-latent]"
    ),
    "latent": Failing("/latents/3", "**/api/v1/latents/3/items?*", "[data-interval=random]", "#columns img"),
    "caption": Failing("/caption", "**/api/v1/heatmaps", "text=a cat", "#status:has-text('pictures in')"),
    "retrieve": Failing("/retrieve", "**/api/v1/retrieve", "text=a cat", "#hits .hit"),
}


@pytest.fixture
def failing_page(chromium: Any, address: str) -> Any:
    """A page whose failed requests are no failure of the test, but whose uncaught errors are."""
    context = chromium.new_context(base_url=address, viewport={"width": 1280, "height": 860})
    page = context.new_page()
    page.set_default_timeout(60_000)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert not errors, errors


@pytest.mark.parametrize("how", ["busy", "unreachable"])
@pytest.mark.parametrize("name", list(FAILINGS))
def test_a_failure_is_shown_in_its_place_and_can_be_tried_again(failing_page: Any, name: str, how: str) -> None:
    page, case = failing_page, FAILINGS[name]
    page.goto(case.address)
    page.wait_for_load_state("networkidle")
    answer = {"busy": lambda route: route.fulfill(status=503, json=FAILURE), "unreachable": lambda route: route.abort()}
    page.route(case.request, answer[how])
    if case.act.startswith("text="):
        page.locator("#q").fill(case.act.removeprefix("text="))
        page.keyboard.press("Enter")
    else:
        page.locator(case.act).first.click()
    page.wait_for_selector("main .trouble:visible")
    said = page.locator("main .trouble:visible p").first.inner_text()
    assert said == (
        FAILURE["error"]["message"] if how == "busy" else "The server cannot be reached: check that it is running."
    )
    if how == "busy":
        keep(page, f"10-failure-{name}")
    page.unroute(case.request)
    page.locator("main .trouble:visible button", has_text="Try again").first.click()
    page.wait_for_selector(case.answered)
    assert page.locator("main .trouble:visible").count() == 0


def test_a_latent_and_the_evaluation_need_no_plotly(failing_page: Any) -> None:
    page = failing_page
    page.route("**/plotly*", lambda route: route.abort())
    page.goto("/latents/3")
    page.locator("#histograms").scroll_into_view_if_needed()
    page.wait_for_load_state("networkidle")
    assert page.locator("#histograms svg rect").count() > 3, "the server drew them"
    keep(page, "10-latent-without-plotly")
    page.goto("/evaluation")
    page.mouse.wheel(0, 4000)
    page.wait_for_load_state("networkidle")
    assert page.locator("main table").count() > 3
    page.locator("main table").first.scroll_into_view_if_needed()
    keep(page, "10-evaluation-without-plotly")
    page.keyboard.press("t")
    assert page.locator("#theme-name").inner_text() == "light", "the page's scripts run on"


def test_every_page_is_reached_by_keys(page: Any) -> None:
    page.goto("/collection")
    places = {"l": "/", "c": "/caption", "r": "/retrieve", "m": "/compare", "e": "/evaluation", "s": "/collection"}
    page.keyboard.press("?")
    listed = page.locator("#keys dt").all_inner_texts()
    keep(page, "10-keys")
    assert [f"g {key}" for key in places] == [" ".join(keys.split()) for keys in listed if keys.startswith("g")]
    page.keyboard.press("Escape")
    for key, path in places.items():
        page.keyboard.press("g")
        page.keyboard.press(key)
        page.wait_for_url(f"**{path}")
        page.wait_for_load_state()
        linked = page.eval_on_selector_all(".nav a", "links => links.map(link => link.getAttribute('href'))")
        assert path in linked
        page.wait_for_function("() => document.querySelector('#theme').getAttribute('aria-label')")  # keys work by now


@pytest.mark.parametrize("visit", STATES, ids=[visit.name for visit in STATES])
def test_the_focus_is_seen_at_every_stop(page: Any, visit: Any) -> None:
    if visit.name == "error":
        page = page.context.new_page()  # whose console reports the status
    visit.go(page)
    unseen = []
    for _ in range(N_STOPS):
        page.keyboard.press("Tab")
        how = page.evaluate(FOCUS_SHOWN)
        if how == "end":
            break
        if how != "shown":
            unseen.append(how)
    assert not unseen, "\n".join(unseen)


@pytest.mark.parametrize(
    "name", ["gallery", "gallery-map", "latent-open", "item", "caption", "retrieve-why", "collection-filled", "tour"]
)
def test_nothing_moves_for_those_who_want_no_motion(page: Any, name: str) -> None:
    page.emulate_media(reduced_motion="reduce")
    running = "document.getAnimations().filter(one => one.playState === 'running').length"
    page.add_init_script(f"window.most = 0; setInterval(() => (most = Math.max(most, {running})), 20)")
    BY_NAME[name].go(page)
    page.wait_for_function("window.most !== undefined")
    assert page.evaluate("window.most") == 0, "not while it loads, and not after"


def test_light_and_dark_follow_the_system_until_one_is_chosen(page: Any) -> None:
    page.emulate_media(color_scheme="dark")
    page.goto("/evaluation")
    assert page.evaluate(LIGHTNESS) < 0.15
    page.emulate_media(color_scheme="light")
    assert page.evaluate(LIGHTNESS) > 0.85
    page.locator("#theme").click()
    page.emulate_media(color_scheme="dark")
    assert page.locator("#theme-name").inner_text() == "light"
    assert page.evaluate(LIGHTNESS) > 0.85, "chosen"
    page.keyboard.press("t")
    assert page.locator("#theme-name").inner_text() == "dark"
    page.goto("/")
    page.emulate_media(color_scheme="light")
    assert page.evaluate(LIGHTNESS) < 0.15, "on every page"
    keep(page, "10-dark-by-choice")
