"""The documentation's screenshots: `python -m docs.screenshots --bundle PATH`, the demo, whose twin lies beside it.

Those of the tutorial are of the bundle that the tutorial's own commands make.
"""

import io
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.chromium import FLAGS, MISSING, PROGRAM
from benchmarks.serving import Server, serving

DOCS_PATH = Path(__file__).parent
IMAGES_PATH = DOCS_PATH / "images"
SCREEN = {"width": 1280, "height": 860}
PATIENCE_MS = 300_000
QUALITY = 82
# Times say how busy this machine is.
HIDE_TIMES = "const line = document.querySelector('#status'); if (/ ms/.test(line?.textContent)) line.style.opacity = 0"


class Shot(NamedTuple):
    """A picture: of an address, once an element is there, after a click where one is named."""

    name: str
    address: str
    ready: str
    click: str = ""
    then: str = ""  # what the click brings
    only: str = ""  # this element instead of the screen
    dark: bool = False


SHOTS = [
    Shot("gallery", "/?sort=purity", "#latents > li"),
    Shot("search", "/", "#latents > li", "#search-box", "#search-panel:not([hidden])"),
    Shot("map", "/?view=map", "canvas"),
    Shot("latent", "/latents/{best}?heat=1", "#status:has-text('Heatmaps over')"),
    Shot("before-after", "/latents/{telling}?beside={beside}", "#beside img", only="#beside"),
    Shot("item", "/items/s000003?latent={of_item}", "canvas"),
    Shot("caption", "/caption?q=a+penguin+and+a+fire+engine", "#status:has-text('pictures in')"),
    Shot("caption-dark", "/caption?q=a+penguin+and+a+fire+engine", "#status:has-text('pictures in')", dark=True),
    Shot("why", "/retrieve?term=text:a+red+balloon&term=-0.5+text:night", "[data-why]", "[data-why]", "#why table"),
    Shot("compare", "/compare", "h2"),
]
TUTORIAL_SHOTS = [
    Shot("tutorial-gallery", "/?sort=alignment", "#latents > li"),
    Shot("tutorial-latent", "/latents/{best}?heat=1", "#status:has-text('Heatmaps over')"),
    Shot("tutorial-caption", "/caption?q=a+frog+in+the+snow", "#status:has-text('pictures in')"),
]


def take(browser: Browser, base: str, shot: Shot, names: dict[str, str]) -> None:
    """Open a page, bring it into its state, and keep what is on the screen."""
    page = browser.new_page(base_url=base, viewport=SCREEN, color_scheme="dark" if shot.dark else "light")
    page.set_default_timeout(PATIENCE_MS)
    page.add_init_script("localStorage.setItem('sparc-toured', 'yes')")
    page.goto(shot.address.format(**names))
    page.wait_for_selector(shot.ready, state="attached")
    if shot.click:
        page.locator(shot.click).first.click()
        if shot.name == "search":
            page.keyboard.type("a red balloon", delay=30)
            page.wait_for_load_state("networkidle")
        page.wait_for_selector(shot.then)
    page.wait_for_load_state("networkidle")
    page.evaluate(HIDE_TIMES)
    seen = page.locator(shot.only).screenshot() if shot.only else page.screenshot()
    taken = Image.open(io.BytesIO(seen)).convert("RGB")
    taken.save(IMAGES_PATH / f"{shot.name}.webp", quality=QUALITY, method=6)
    page.close()


def demo_names(page: Page) -> dict[str, str]:
    """The latents that the tour shows, the bundle beside, and a latent of the item that is shown."""
    page.set_default_timeout(PATIENCE_MS)
    page.goto("/tour")
    best = page.url.partition("/latents/")[2].partition("?")[0]
    page.goto("/retrieve?term=text:a&tour=3")
    last = page.locator(".tour a[href*='tour=4']").get_attribute("href") or ""
    info = page.request.get("/api/v1/info").json()
    item = page.request.get("/api/v1/items/s000003").json()
    pizza = next(one["latent"] for one in item["codes"]["clip_img"] if one["name"].startswith("pizza"))
    telling = last.partition("/latents/")[2].partition("?")[0]
    return {"best": best, "telling": telling, "beside": info["beside"][0]["bundle_id"], "of_item": str(pizza)}


def tutorial_names(page: Page) -> dict[str, str]:
    """The latent that the tutorial opens."""
    found = page.request.get("/api/v1/latents?query=lighthouse&sort=alignment&limit=1").json()
    return {"best": str(found["latents"][0]["id"])}


def tutorial_bundle(folder: Path) -> Path:
    """What the tutorial's commands make, from its second section to before it serves."""
    text = (DOCS_PATH / "tutorial.md").read_text(encoding="utf-8")
    part = text[text.index("## 2.") : text.index("## 6.")]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    for block in re.findall(r"^```sh\n(.*?)^```", part, re.M | re.S):
        subprocess.run(["sh", "-eu", "-c", block], cwd=folder, env={**os.environ, "PATH": path}, check=True)
    return folder / "bundles" / "scenes"


def take_all(browser: Browser, server: Server, shots: list[Shot], names: dict[str, str]) -> None:
    """Take pictures of one server."""
    for shot in shots:
        take(browser, server.address, shot, names)


def main(bundle: Annotated[Path, typer.Option(help="The demo bundle.")] = Path("bundles/storybook")) -> None:
    """Take the pictures; the twin lies beside the bundle."""
    if PROGRAM is None:
        raise typer.BadParameter(MISSING)
    IMAGES_PATH.mkdir(exist_ok=True)
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=FLAGS)
        with serving(bundle, beside=f"{bundle}-local") as server:
            take_all(browser, server, SHOTS, demo_names(browser.new_page(base_url=server.address)))
        with serving(tutorial_bundle(Path(folder))) as server:
            take_all(browser, server, TUTORIAL_SHOTS, tutorial_names(browser.new_page(base_url=server.address)))
        browser.close()


if __name__ == "__main__":
    typer.run(main)
