"""Every page as axe-core sees it, in light and dark, wide and narrow. axe comes from npm, as a test dependency."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.browser.every_page import VISITS, Visit
from tests.browser.looking import keep

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[2]
AXE_PATH = ROOT / "node_modules" / "axe-core" / "axe.min.js"
GRAVE = ("serious", "critical")
# The target size of WCAG 2.2 is not among axe's usual rules.
RUN = """async (only) => {
  const how = only ? { runOnly: only } : { rules: { 'target-size': { enabled: true } } };
  const { violations } = await axe.run(document, how);
  return violations.flatMap(({ id, impact, nodes }) => nodes.map((node) => ({
    id, impact: node.impact ?? impact, where: node.target.join(' '),
    why: node.failureSummary.split('\\n').slice(1).join(' ').trim(),
  })));
}"""


@pytest.fixture(scope="module")
def axe() -> str:
    """The text of axe-core."""
    if not AXE_PATH.exists():
        pytest.skip("axe-core is not installed: npm ci --ignore-scripts")
    return AXE_PATH.read_text()


def look(page: Any, only: list[str] | None = None) -> list[dict[str, str]]:
    """What axe finds once nothing moves any more: half-faded text has no contrast to measure.

    At the page's head: whatever a page is scrolled to, something lies half under the masthead, which sticks.
    """
    page.evaluate("scrollTo({ top: 0, behavior: 'instant' })")
    page.wait_for_function("() => document.getAnimations().every(one => one.playState !== 'running')")
    return page.evaluate(RUN, only)


@pytest.mark.parametrize("visit", VISITS, ids=[visit.name for visit in VISITS])
def test_axe_finds_nothing_serious(chromium: Any, address: str, axe: str, visit: Visit) -> None:
    context = chromium.new_context(
        base_url=address, viewport={"width": 1280, "height": 860}, reduced_motion="reduce", color_scheme="light"
    )
    page = context.new_page()
    page.set_default_timeout(60_000)
    visit.go(page)
    page.evaluate(axe)  # the protocol may, where the page's policy forbids inline scripts
    found = {"light": look(page)}
    page.emulate_media(color_scheme="dark")
    found["dark"] = look(page, ["color-contrast", "link-in-text-block"])
    keep(page, f"10-axe-{visit.name}-dark")
    page.set_viewport_size({"width": 390, "height": 844})
    found["390 pixels"] = look(page)
    context.close()
    told = [
        f"{one['impact']} {one['id']} ({how}): {one['where']}: {one['why']}"
        for how, all_of_it in found.items()
        for one in all_of_it
    ]
    grave = [line for line in told if line.startswith(GRAVE)]
    assert not grave, "\n".join(dict.fromkeys(grave + told))


def test_the_lock_file_names_no_registry() -> None:
    text = (ROOT / "package-lock.json").read_text()
    assert "://" not in text
    packages = json.loads(text)["packages"]
    wanted = json.loads((ROOT / "package.json").read_text())["devDependencies"]
    assert packages[""]["devDependencies"] == wanted
    assert all(one["integrity"].startswith("sha512-") for name, one in packages.items() if name)
    assert packages["node_modules/axe-core"]["version"] == wanted["axe-core"], "pinned"
