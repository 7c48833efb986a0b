"""What pages weigh, how soon they paint, and that nothing moves when pictures arrive."""

from collections.abc import Callable
from typing import Any

import pytest

from benchmarks.page_load import Load, Watch
from tests.browser.every_page import BY_NAME, VISITS, Visit

pytestmark = pytest.mark.browser

MOST_BYTES = 300_000  # of HTML, CSS and JavaScript without Plotly
FIRST_PAINT_MS = 1000.0  # what is asked of a machine that does nothing else
PATIENCE = 5  # this one may do much else
MOST_SHIFT = 0.01
SETTLING_MS = 500  # after which the browser has said what moved
IN_SIGHT = """() => [...document.images].filter((image) => {
  const { top, bottom, width } = image.getBoundingClientRect();
  return width && top < innerHeight && bottom > 0;
}).every((image) => image.complete)"""


def own_page(chromium: Any, address: str) -> Any:
    """A page whose cache is empty."""
    page = chromium.new_context(base_url=address, viewport={"width": 1280, "height": 860}).new_page()
    page.set_default_timeout(60_000)
    return page


def loaded(chromium: Any, address: str, visit: Visit) -> Load:
    """What the page of a visit takes where nothing was loaded before."""
    page = own_page(chromium, address)
    found = Watch(page).load(lambda: visit.go(page))
    page.context.close()
    return found


@pytest.mark.parametrize("visit", VISITS, ids=[visit.name for visit in VISITS])
def test_a_page_weighs_little(chromium: Any, address: str, visit: Visit) -> None:
    found = loaded(chromium, address, visit)
    assert min(found.html, found.css, found.js) > 2_000, "all three were seen"
    assert found.code <= MOST_BYTES, found
    assert found.code_on_wire < found.code, "compressed"


@pytest.mark.parametrize("name", ["gallery", "latent", "item", "caption-start", "retrieve-start", "evaluation"])
def test_a_page_paints_soon(chromium: Any, address: str, name: str) -> None:
    loads = [loaded(chromium, address, BY_NAME[name]) for _ in range(3)]
    assert 0 < min(one.first_paint_ms for one in loads) <= PATIENCE * FIRST_PAINT_MS


@pytest.mark.parametrize(
    "name",
    [
        "gallery",
        "mismatches",
        "find-meaning",
        "latent",
        "latent-open",
        "item",
        "caption",
        "retrieve",
        "collection-filled",
    ],
)
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_moves_when_pictures_arrive(chromium: Any, address: str, name: str, width: int) -> None:
    page = own_page(chromium, address)
    page.set_viewport_size({"width": width, "height": 860})
    watch, held = Watch(page), Held(page)

    def go() -> None:
        BY_NAME[name].go(page, until="domcontentloaded")
        page.wait_for_timeout(SETTLING_MS)
        page.evaluate("() => (seen.shift = 0, seen.shifts.length = 0)")  # what moved before the pictures came
        held.let_go()

    watch.load(go)
    page.wait_for_function(IN_SIGHT)
    shift, what = page.evaluate("[seen.shift, seen.shifts]")
    assert held.n > 0, "pictures were held back"
    assert shift < MOST_SHIFT, what
    page.context.close()


class Held:
    """Pictures that are asked for, and do not come until they are let go."""

    def __init__(self, page: Any) -> None:
        self.n = 0
        self._waiting: list[Callable[[], None]] | None = []
        page.route("**/image?*", self._hold)

    def _hold(self, route: Any) -> None:
        self.n += 1
        if self._waiting is None:
            route.continue_()
        else:
            self._waiting.append(route.continue_)

    def let_go(self) -> None:
        waiting, self._waiting = self._waiting or [], None
        for go_on in waiting:
            go_on()
