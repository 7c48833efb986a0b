"""Does a gallery of 8,192 latents run smoothly? `python -m benchmarks.scrolling [--bundle PATH] [--quick]`

Debian's Chromium without a graphics card, 1280 by 860 pixels, the real pages; what the API says of latents is put in
place of the server's answers (many_latents), pictures are the bundle's. Times of frames are those between two calls of
requestAnimationFrame, so that at a screen of 60 Hz nothing is below 16.7 ms; drawing is timed until pixels are there.
"""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from playwright.sync_api import Page, sync_playwright

from benchmarks.chromium import FLAGS, MISSING, PROGRAM
from benchmarks.many_latents import N_LATENTS, ManyLatents
from benchmarks.report import Figure, report
from benchmarks.serving import serving
from server.schemas import Info

WINDOW = {"width": 1280, "height": 860}
WHEEL_PX, FLIGHT_PX = 90, 9000  # a frame: a hand that reads along, and one that pulls the scroll bar
DRAG_PX = 3
# Scrolls by so much a frame; counts cards, blanks and tasks that are longer than 50 ms.
SCROLL = """async ([frames, step]) => {
  const found = { milliseconds: [], cards: 0, blanks: 0, tasks: 0 };
  const watch = new PerformanceObserver((list) => (found.tasks += list.getEntries().length));
  watch.observe({ type: 'longtask' });
  scrollTo(0, 0);
  await new Promise(requestAnimationFrame);
  let last = performance.now();
  for (let i = 0; i < frames; i += 1) {
    scrollBy({ top: step, behavior: 'instant' });
    await new Promise(requestAnimationFrame);
    const now = performance.now();
    found.milliseconds.push(now - last);
    last = now;
    found.cards = Math.max(found.cards, document.querySelectorAll('.card').length);
    found.blanks += document.querySelector('.card--waiting') ? 1 : 0;
  }
  watch.disconnect();
  return found;
}"""
# Draws the map again and again, moved a little; a pixel is read back, so that drawing is done.
DRAW = """async ([frames, step]) => {
  const load = (name) => import(`/static/js/parts/map/${name}.js`);
  const [{ bucketsOf, drawMap }, { MapPoints }, { MapCamera }, { readPalette }] =
    await Promise.all(['mapdraw', 'mappoints', 'mapcamera', 'mappalette'].map(load));
  const points = new MapPoints(await (await fetch('/api/v1/latents/map?stream=dino')).json());
  const [camera, palette, scale] = [new MapCamera(), readPalette(), points.scale('alignment')];
  const shown = document.querySelector('.map__canvas'), canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [shown.width, shown.height];
  camera.fit(canvas.width, canvas.height, points.box);
  const buckets = bucketsOf(points, scale, palette.shades.length);
  const context = canvas.getContext('2d');
  const nothing = { thumbs: { of: () => null }, lasso: [], drawn: [], aim: -1, cross: false };
  const scene = { points, camera, palette, scale, ...nothing };
  const milliseconds = [];
  for (let i = 0; i < frames; i += 1) {
    camera.pan(i % 2 ? step : -step, 1);
    const begun = performance.now();
    drawMap(context, scene, buckets);
    context.getImageData(0, 0, 1, 1);
    milliseconds.push(performance.now() - begun);
    await new Promise(requestAnimationFrame);
  }
  return { milliseconds };
}"""
# Drags the map with a hand of its own.
DRAG = """async ([frames, step]) => {
  const canvas = document.querySelector('.map__canvas'), { left, top } = canvas.getBoundingClientRect();
  canvas.setPointerCapture = () => {};
  const hand = (kind, x) => canvas.dispatchEvent(new PointerEvent(kind,
    { bubbles: true, pointerId: 7, pointerType: 'mouse', clientX: left + x, clientY: top + 300 }));
  const milliseconds = [];
  hand('pointerdown', 600);
  let last = performance.now();
  for (let i = 1; i <= frames; i += 1) {
    hand('pointermove', 600 + (i % 100) * step);
    await new Promise(requestAnimationFrame);
    const now = performance.now();
    milliseconds.push(now - last);
    last = now;
  }
  hand('pointerup', 600);
  return { milliseconds };
}"""


def percentiles(found: dict[str, Any]) -> tuple[float, float]:
    """The median and the 95th percentile."""
    return float(np.median(found["milliseconds"])), float(np.percentile(found["milliseconds"], 95))


def figures(name: str, what: str, found: dict[str, Any], asked: str = "") -> dict[str, Figure]:
    """Median and 95th percentile of some milliseconds."""
    median, most = percentiles(found)
    return {
        f"{name}_ms": Figure(f"{what}, median", median, asked, "ms"),
        f"{name}_p95_ms": Figure(f"{what}, 95th percentile", most, "", "ms"),
    }


def open_gallery(page: Page) -> None:
    """The gallery of many latents, as cards."""
    page.goto("/")
    info = Info.model_validate_json(page.locator("#info").text_content() or "")
    items = page.eval_on_selector_all(".strip img", "all => all.map(img => img.alt.replace('item ', ''))")
    ManyLatents(info.streams, items).answer_in(page)
    page.select_option("select[name=sort]", "id")
    page.wait_for_selector(f"#status:has-text('{N_LATENTS:,} latents')")


def main(
    bundle: Annotated[Path, typer.Option(help="A bundle, for its streams and pictures.")] = Path("bundles/storybook"),
    quick: Annotated[bool, typer.Option(help="Fewer frames.")] = False,
) -> None:
    """Scroll the cards, drag and draw the map."""
    if PROGRAM is None:
        raise typer.BadParameter(MISSING)
    frames = 120 if quick else 600
    with serving(bundle) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=FLAGS)
        page = browser.new_page(base_url=server.address, viewport=WINDOW)
        open_gallery(page)
        read = page.evaluate(SCROLL, [frames, WHEEL_PX])
        flown = page.evaluate(SCROLL, [min(frames, 90), FLIGHT_PX])
        page.wait_for_function("() => !document.querySelector('.card--waiting')")
        page.locator("label:has(input[value=map])").click()
        page.wait_for_selector(".map__frame:not([data-waiting])")
        drawn = page.evaluate(DRAW, [frames // 4, DRAG_PX])
        dragged = page.evaluate(DRAG, [frames // 2, DRAG_PX])
        browser.close()
    report(
        f"{N_LATENTS:,} latents in a browser of {WINDOW['width']} pixels",
        {
            **figures("scroll", f"a frame while scrolling {WHEEL_PX} px in each", read, "<= 20 ms"),
            **figures("flight", f"a frame while flying {FLIGHT_PX:,} px in each", flown, "<= 20 ms"),
            "cards": Figure("most cards in the page", max(read["cards"], flown["cards"]), "< 100"),
            "blank_share": Figure("share of the reading frames with a blank card", read["blanks"] / frames),
            "long_tasks": Figure("tasks of more than 50 ms while scrolling", read["tasks"] + flown["tasks"]),
            **figures("draw", "drawing the map of all, until the pixels are there", drawn, "< 16 ms"),
            **figures("drag", "a frame while dragging the map", dragged, "<= 20 ms"),
        },
    )


if __name__ == "__main__":
    typer.run(main)
