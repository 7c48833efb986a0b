"""The documentation's pictures, of the running demo and its twin: `python -m docs.screenshots --bundle PATH`."""

import shutil
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.serving import serving

IMAGES_PATH = Path(__file__).parent / "images"
FLAGS = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking".split()
SCREEN = {"width": 1280, "height": 860}
HEATMAPS_MS = 60_000


class Shot(NamedTuple):
    """A picture: of an address, once an element is there, after a click where one is named."""

    name: str
    address: str
    ready: str
    click: str = ""
    then: str = ""  # what the click brings
    look_at: str = ""  # scrolled into sight
    dark: bool = False


SHOTS = [
    Shot("gallery", "/?sort=purity", "#latents > li"),
    Shot("search", "/", "#latents > li", "#search-box", "#search-panel:not([hidden])"),
    Shot("map", "/?view=map", "canvas"),
    Shot("latent", "/latents/{best}?heat=1", "#status:has-text('Heatmaps over')"),
    Shot("before-after", "/latents/{telling}?beside={beside}", "#beside img", look_at="#beside"),
    Shot("item", "/items/s000003?latent={of_item}", "canvas"),
    Shot("caption-dark", "/caption?q=a+penguin+and+a+fire+engine", "#status:has-text('pictures in')", dark=True),
    Shot("why", "/retrieve?term=text:a+red+balloon&term=-0.5+text:night", "[data-why]", "[data-why]", "#why table"),
    Shot("compare", "/compare", "h2"),
]


def take(browser: Browser, base: str, shot: Shot, names: dict[str, str]) -> None:
    """Open a page, bring it into its state, and keep what is on the screen."""
    page = browser.new_page(base_url=base, viewport=SCREEN, color_scheme="dark" if shot.dark else "light")
    page.set_default_timeout(HEATMAPS_MS)
    page.add_init_script("localStorage.setItem('sparc-toured', 'yes')")
    page.goto(shot.address.format(**names))
    page.wait_for_selector(shot.ready, state="attached")
    if shot.click:
        page.locator(shot.click).first.click()
        if shot.name == "search":
            page.keyboard.type("a red balloon", delay=30)
            page.wait_for_load_state("networkidle")
        page.wait_for_selector(shot.then)
    if shot.look_at:
        page.locator(shot.look_at).scroll_into_view_if_needed()
    page.wait_for_load_state("networkidle")
    page.screenshot(path=IMAGES_PATH / f"{shot.name}.png")
    page.close()


def choices(page: Page) -> dict[str, str]:
    """The latents that the tour shows, the bundle beside, and a latent of the item that is shown."""
    page.goto("/tour")
    best = page.url.partition("/latents/")[2].partition("?")[0]
    page.goto("/retrieve?term=text:a&tour=3")
    last = page.locator(".tour a[href*='tour=4']").get_attribute("href") or ""
    info = page.request.get("/api/v1/info").json()
    item = page.request.get("/api/v1/items/s000003").json()
    pizza = next(one["latent"] for one in item["codes"]["clip_img"] if one["name"].startswith("pizza"))
    telling = last.partition("/latents/")[2].partition("?")[0]
    return {"best": best, "telling": telling, "beside": info["beside"][0]["bundle_id"], "of_item": str(pizza)}


def main(bundle: Annotated[Path, typer.Option(help="The demo bundle.")] = Path("bundles/storybook")) -> None:
    """Take the pictures; the twin lies beside the bundle."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        raise typer.BadParameter("no Chromium found: apt-get install chromium")
    IMAGES_PATH.mkdir(exist_ok=True)
    with serving(bundle, beside=f"{bundle}-local") as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        names = choices(browser.new_page(base_url=server.address))
        for shot in SHOTS:
            take(browser, server.address, shot, names)
        browser.close()


if __name__ == "__main__":
    typer.run(main)
