"""Drawings for the documentation: SVG that reads well in light and dark, with the explorer's own colours.

A drawing brings its paper along, so that it stands on any page; it follows the reader's colour scheme by itself.
"""

import base64
import io
import re
from html import escape
from pathlib import Path

import numpy as np
from PIL import Image

_TOKENS = Path(__file__).parents[1] / "frontend" / "static" / "css" / "tokens.css"
_COLOURS = re.compile(r"--([a-z0-9-]+): (?:light-dark\((#\w+), (#\w+)\)|(#\w+));")
_SANS = "-apple-system,'Segoe UI',Roboto,'Helvetica Neue','Liberation Sans',Arial,sans-serif"
_SERIF = "Georgia,'Liberation Serif',serif"
WIDTH = 640
_SHEET = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"
 font-family="{sans}" role="img"><title>{title}</title>
<style>svg{{{light}}}@media(prefers-color-scheme:dark){{svg{{{dark}}}}}</style>
<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">\
<path d="M0 0 8 4 0 8z" fill="var(--line-strong)"/></marker></defs>
<rect width="{width}" height="{height}" rx="6" fill="var(--paper)"/>
{parts}
</svg>
"""


def colours() -> dict[str, tuple[str, str]]:
    """The explorer's colours by name, for light and for dark."""
    found = _COLOURS.findall(_TOKENS.read_text(encoding="utf-8"))
    return {name: (light or both, dark or both) for name, light, dark, both in found}


class Drawing:
    """An SVG in the making; colours are names of the explorer's tokens, lengths are pixels at a width of 640."""

    def __init__(self, height: float, description: str) -> None:
        """Args: its height, and what a reader who does not see it is told."""
        self._height, self._description = height, description
        self._parts: list[str] = []

    def text(
        self, x: float, y: float, text: str, colour: str = "ink", size: int = 15, anchor: str = "start", more: str = ""
    ) -> None:
        """A line of text; `more` is "bold", "serif" or both."""
        weight = ' font-weight="600"' if "bold" in more else ""
        family = f' font-family="{_SERIF}"' if "serif" in more else ""
        self._parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" fill="var(--{colour})" font-size="{size}" text-anchor="{anchor}"'
            f"{weight}{family}>{escape(text)}</text>"
        )

    def box(self, x: float, y: float, w: float, h: float, fill: str, opacity: float = 1, line: str = "") -> None:
        """A rectangle; with `line`, the colour of its edge."""
        edge = f' stroke="var(--{line})" stroke-width="1.5"' if line else ""
        paint = f"var(--{fill})" if fill else "none"
        self._parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{w:.1f}" height="{h:.1f}" rx="1.5" fill="{paint}"'
            f' fill-opacity="{opacity:.2f}"{edge}/>'
        )

    def line(
        self, x1: float, y1: float, x2: float, y2: float, colour: str = "line-strong", arrow: bool = False
    ) -> None:
        """A line, with a head at its end if it is an arrow."""
        head = ' marker-end="url(#head)"' if arrow else ""
        self._parts.append(
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="var(--{colour})"'
            f' stroke-width="1.5"{head}/>'
        )

    def bars(self, x: float, y: float, w: float, h: float, values: np.ndarray, fills: list[str]) -> None:
        """Values as thin bars over a base line at y; negative ones hang below it."""
        step, scale = w / len(values), h / float(np.abs(values).max())
        for i, (value, fill) in enumerate(zip(values, fills, strict=True)):
            high = max(abs(float(value)) * scale, 0.4)
            self.box(x + i * step, y - high if value > 0 else y, step * 0.8, high, fill)

    def picture(self, x: float, y: float, side: float, image: Image.Image, pixels: int = 0) -> None:
        """A square picture; `pixels` is the side that it is stored with."""
        stored = image.convert("RGB").resize((pixels or round(side * 1.5),) * 2, Image.Resampling.LANCZOS)
        buffer = io.BytesIO()
        stored.save(buffer, "WEBP", quality=80, method=6)
        data = base64.b64encode(buffer.getvalue()).decode()
        self._parts.append(
            f'<image x="{x:.1f}" y="{y:.1f}" width="{side:.1f}" height="{side:.1f}"'
            f' href="data:image/webp;base64,{data}"/>'
        )

    def save(self, path: Path) -> None:
        """Write the file."""
        parts = "\n".join(self._parts)
        used = sorted({"paper", "line-strong"} | set(re.findall(r"var\(--([a-z0-9-]+)\)", parts)))
        known, height = colours(), f"{self._height:g}"
        light, dark = (";".join(f"--{name}:{known[name][i]}" for name in used) for i in (0, 1))
        filled = _SHEET.format(
            width=WIDTH, height=height, sans=_SANS, title=escape(self._description), light=light, dark=dark, parts=parts
        )
        path.write_text(filled, encoding="utf-8")
