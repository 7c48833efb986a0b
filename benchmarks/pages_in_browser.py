"""What do pages weigh, and how soon are they there? `python -m benchmarks.pages_in_browser [--bundle PATH] [--quick]`

Every page is opened in Chromium with an empty cache, over loopback, five times: sizes of the last time, medians of the
times. The server answered each page once before, as one that is in use has.
"""

import json
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import httpx
import typer
from playwright.sync_api import Browser, sync_playwright
from rich.console import Console
from rich.table import Table

from benchmarks.chromium import FLAGS, MISSING, PROGRAM
from benchmarks.page_load import Load, Watch
from benchmarks.serving import serving

N_TIMES, N_QUICK = 5, 2
# Path, and what is there once the page has answered; {best} is the most aligned latent.
PAGES = {
    "gallery": ("/", "#latents > li"),
    "map": ("/?view=map", "canvas"),
    "find": ("/find?text=a+cat+in+the+snow", "#status:has-text('latent')"),
    "mismatches": ("/mismatches?kind=different", "#latents > li"),
    "latent": ("/latents/{best}", "#columns img"),
    "item": ("/items/s000003", "h1"),
    "caption": ("/caption?q=a+cat+in+the+snow", "#status:has-text('pictures in')"),
    "retrieve": ("/retrieve?term=text:a+cat+in+the+snow", "#hits .hit"),
    "compare": ("/compare", "h1"),
    "evaluation": ("/evaluation", "h1"),
    "collection": ("/collection", "#empty h2"),
}


def opened(browser: Browser, address: str, path: str, ready: str) -> Load:
    """What one page takes with an empty cache."""
    page: Any = browser.new_context(base_url=address, viewport={"width": 1280, "height": 860}).new_page()

    def go() -> None:
        page.goto(path)
        page.wait_for_selector(ready)

    found = Watch(page).load(go)
    page.context.close()
    return found


def medians(loads: list[Load]) -> Load:
    """The last one's sizes, with the medians of the times; the largest shift."""
    return loads[-1]._replace(
        first_paint_ms=median(one.first_paint_ms for one in loads),
        largest_paint_ms=median(one.largest_paint_ms for one in loads),
        shift=max(one.shift for one in loads),
    )


def report(found: dict[str, Load]) -> None:
    """A table for people, then one line of JSON."""
    table = Table(title="pages in a browser over loopback, empty cache")
    heads = [
        "page",
        "HTML",
        "CSS",
        "JS",
        "together",
        "on the wire",
        "Plotly",
        "pictures",
        "first paint",
        "largest",
        "shift",
    ]
    for head in heads:
        table.add_column(head, justify="left" if head == "page" else "right")
    table.add_row("asked", "", "", "", "<= 300 kB", "", "", "", "<= 1 s", "", "0", style="dim", end_section=True)
    for name, one in found.items():
        sizes = [f"{size / 1e3:.0f} kB" for size in (one.html, one.css, one.js, one.code, one.code_on_wire, one.plotly)]
        pictures = f"{one.n_pictures}, {one.pictures / 1e3:.0f} kB"
        times = [f"{one.first_paint_ms:.0f} ms", f"{one.largest_paint_ms:.0f} ms", f"{one.shift:.4f}"]
        table.add_row(name, *sizes, pictures, *times)
    Console(width=140).print(table)
    print(json.dumps({name: {"code": one.code, **one._asdict()} for name, one in found.items()}))


def main(
    bundle: Annotated[Path, typer.Option(help="A bundle.")] = Path("bundles/storybook"),
    quick: Annotated[bool, typer.Option(help="Fewer times.")] = False,
) -> None:
    """Weight, paint and layout shift of every page."""
    if PROGRAM is None:
        raise typer.BadParameter(MISSING)
    n = N_QUICK if quick else N_TIMES
    with serving(bundle) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=FLAGS)
        best = httpx.get(f"{server.address}/api/v1/latents?limit=1").json()["latents"][0]["id"]
        found = {}
        for name, (path, ready) in PAGES.items():
            loads = [opened(browser, server.address, path.format(best=best), ready) for _ in range(1 + n)]
            found[name] = medians(loads[1:])
        browser.close()
    report(found)


if __name__ == "__main__":
    typer.run(main)
