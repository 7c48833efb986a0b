"""The pictures of the documentation, taken of the running demo: `python -m docs.screenshots --bundle PATH`."""

import shutil
from pathlib import Path
from typing import Annotated

import typer
from playwright.sync_api import Page, sync_playwright

from benchmarks.serving import serving

IMAGES_PATH = Path(__file__).parent / "images"
FLAGS = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking".split()
HITS, LATENTS = "#status:has-text('hits in')", "#status:has-text('latents')"
BALLOON = "/retrieve?term=text:a+red+balloon&term=-1+text:night"
REGION = "/find?by=picture&item=s000003&region=0.38,0.36,0.86,0.82"
WIDE, NARROW = {"width": 1280, "height": 860}, {"width": 390, "height": 844}


def take(page: Page, name: str, path: str, wait_for: str) -> None:
    """Open a page, wait for an element, and keep what is on the screen."""
    page.goto(path)
    page.wait_for_selector(wait_for)
    page.wait_for_load_state("networkidle")
    page.screenshot(path=IMAGES_PATH / f"{name}.png")


def main(bundle: Annotated[Path, typer.Option(help="The demo bundle.")] = Path("bundles/storybook")) -> None:
    """Take the pictures, wide and narrow, light and dark."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        raise typer.BadParameter("no Chromium found: apt-get install chromium")
    IMAGES_PATH.mkdir(exist_ok=True)
    with serving(bundle) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        light = browser.new_page(base_url=server.address, viewport=WIDE)
        take(light, "gallery", "/?sort=purity", "#latents li")
        frog = light.locator("#latents h2 a").first.get_attribute("href") or "/latents/0"
        take(light, "latent", frog, "#histograms")
        take(light, "caption", "/caption?q=a+penguin+and+a+fire+engine", "#status:has-text('pictures in')")
        take(light, "retrieve", f"{BALLOON}&way=reconstruction&target=dino", HITS)
        take(light, "region", REGION, LATENTS)
        take(light, "mismatches", "/mismatches?kind=different", LATENTS)
        take(light, "evaluation", "/evaluation", ".js-plotly-plot")
        dark = browser.new_page(base_url=server.address, viewport=WIDE, color_scheme="dark")
        take(dark, "caption-dark", "/caption?q=a+cat+in+the+snow", "#status:has-text('pictures in')")
        take(dark, "meaning-dark", "/find?text=a+cat+in+the+snow", LATENTS)
        phone = browser.new_page(base_url=server.address, viewport=NARROW)
        take(phone, "caption-narrow", "/caption?q=a+cat+in+the+snow", "#status:has-text('pictures in')")
        take(phone, "latent-narrow", frog, "#histograms")
        take(phone, "retrieve-narrow", BALLOON, HITS)
        browser.close()


if __name__ == "__main__":
    typer.run(main)
