"""Pictures of what tests see, kept in `artefacts/screenshots`, which git ignores and CI keeps."""

from pathlib import Path
from typing import Any

SCREENSHOTS_PATH = Path(__file__).resolve().parents[2] / "artefacts" / "screenshots"


def keep(page: Any, name: str, full: bool = False) -> None:
    """Take a picture of what is on the screen, or of the whole page."""
    SCREENSHOTS_PATH.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS_PATH / f"{name}.png", full_page=full)
