"""What a browser loads for a page, when it paints, and what moves meanwhile: measured in Chromium by Playwright."""

from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

CODE = ("Document", "Stylesheet", "Script")
_PLOTLY = "plotly"
# Runs before the page's own scripts; the page's policy does not concern it.
_OBSERVE = """
window.seen = { shift: 0, shifts: [], largest: 0 };
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) {
    seen.shift += entry.value;
    const moved = entry.sources.map(({ node }) => `${node?.nodeName} ${node?.className}`);
    seen.shifts.push(`${entry.value.toFixed(4)}: ${moved.join(', ')}`);
  }
}).observe({ type: 'layout-shift', buffered: true });
new PerformanceObserver((list) => { for (const entry of list.getEntries()) seen.largest = entry.startTime; })
  .observe({ type: 'largest-contentful-paint', buffered: true });
"""
_PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"


class Load(NamedTuple):
    """What a page took. Sizes in bytes: of the text that is used, and of what came over the wire for it.

    Attributes:
        html: Of the page itself; `css` and `js` are without Plotly, which is shown alone.
        pictures: Over the wire, of what the first screen asked for.
        first_paint_ms: Until the first text or picture, from the start of the navigation.
        largest_paint_ms: Until the largest one of the first screen.
        shift: Cumulative layout shift, as browsers report it.
    """

    html: int
    css: int
    js: int
    plotly: int
    code_on_wire: int
    n_pictures: int
    pictures: int
    first_paint_ms: float
    largest_paint_ms: float
    shift: float

    @property
    def code(self) -> int:
        """HTML, CSS and JavaScript without Plotly."""
        return self.html + self.css + self.js


class Watch:
    """Watches everything that one page loads."""

    def __init__(self, page: Any) -> None:
        """Args: a Playwright page that has loaded nothing yet."""
        self._page = page
        self._kinds: dict[str, str] = {}
        self._used: Counter[str] = Counter()
        self._on_wire: Counter[str] = Counter()
        self._n: Counter[str] = Counter()
        session = page.context.new_cdp_session(page)
        session.send("Network.enable")
        session.on("Network.responseReceived", self._response)
        session.on("Network.dataReceived", self._data)
        session.on("Network.loadingFinished", self._finished)
        page.add_init_script(_OBSERVE)

    def load(self, go: Callable[[], object]) -> Load:
        """What this opens, once nothing more is asked for.

        Args:
            go: Opens one page and waits until it has answered.
        """
        for counter in (self._used, self._on_wire, self._n):
            counter.clear()
        self._kinds.clear()
        go()
        self._page.wait_for_load_state("networkidle")
        shift, largest = self._page.evaluate("[seen.shift, seen.largest]")
        return Load(
            html=self._used["Document"],
            css=self._used["Stylesheet"],
            js=self._used["Script"],
            plotly=self._used[_PLOTLY],
            code_on_wire=sum(self._on_wire[kind] for kind in CODE),
            n_pictures=self._n["Image"],
            pictures=self._on_wire["Image"],
            first_paint_ms=float(self._page.evaluate(_PAINT) or "nan"),
            largest_paint_ms=float(largest),
            shift=float(shift),
        )

    def _response(self, event: dict[str, Any]) -> None:
        kind = _PLOTLY if "plotly" in event["response"]["url"] else event["type"]
        self._kinds[event["requestId"]] = kind
        self._n[kind] += 1

    def _data(self, event: dict[str, Any]) -> None:
        self._used[self._kinds.get(event["requestId"], "")] += event["dataLength"]

    def _finished(self, event: dict[str, Any]) -> None:
        self._on_wire[self._kinds.get(event["requestId"], "")] += int(event["encodedDataLength"])
