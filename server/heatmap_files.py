"""One heatmap as a file: raw numbers, or colours laid over the picture."""

import io

import numpy as np
from jaxtyping import Float
from PIL import Image

from server.schemas import Heatmap

# The stops of frontend/static/css/tokens.css, dark to bright; a test compares them.
HEAT_STOPS = ("#080717", "#270751", "#580672", "#97036d", "#cd264c", "#ee5c2b", "#fc952b", "#feca6d", "#fff6cb")
_OPACITY = 0.68
_FAINTEST = 0.12  # how much a heatmap covers where it is 0: the picture stays recognisable there


def raw_values(heatmap: Heatmap) -> bytes:
    """The values as float32, little-endian, row by row."""
    return np.asarray(heatmap.values, "<f4").tobytes()


def overlay_png(heatmap: Heatmap, picture: Image.Image) -> bytes:
    """The picture under its heatmap, at the picture's size; the largest value has the brightest colour.

    Values between cell centres are interpolated. What the tower did not see stays as it is.
    """
    width, height = picture.size
    window = heatmap.window
    box = (window.left * width, window.top * height, window.right * width, window.bottom * height)
    values = np.asarray(heatmap.values, np.float32).reshape(heatmap.rows, heatmap.columns)
    share, inside = _spread(values / max(float(values.max()), 1e-20), box, width, height)
    cover = inside * _OPACITY * (_FAINTEST + (1 - _FAINTEST) * share)
    pixels = np.asarray(picture.convert("RGB"), np.float32)
    blended = pixels + cover[:, :, None] * (_colours()[(255 * share).astype(np.uint8)] - pixels)
    out = io.BytesIO()
    Image.fromarray(np.round(blended).astype(np.uint8)).save(out, "PNG")
    return out.getvalue()


def _spread(
    values: Float[np.ndarray, "rows columns"], box: tuple[float, float, float, float], width: int, height: int
) -> tuple[Float[np.ndarray, "h w"], Float[np.ndarray, "h w"]]:
    """A grid over a box of a picture, at every pixel's centre; and 1 where the box is, 0 beside it."""
    left, top, right, bottom = box
    rows, columns = values.shape
    x = (np.arange(width) + 0.5 - left) / (right - left) * columns - 0.5
    y = (np.arange(height) + 0.5 - top) / (bottom - top) * rows - 0.5
    inside = np.outer((y >= -0.5) & (y <= rows - 0.5), (x >= -0.5) & (x <= columns - 0.5)).astype(np.float32)
    along = np.stack([np.interp(x, np.arange(columns), row) for row in values])
    spread = np.stack([np.interp(y, np.arange(rows), column) for column in along.T], 1)
    return (spread * inside).astype(np.float32), inside


def _colours() -> Float[np.ndarray, "256 3"]:
    """The stops, joined evenly."""
    stops = np.array([[int(stop[at : at + 2], 16) for at in (1, 3, 5)] for stop in HEAT_STOPS], float)
    at = np.linspace(0, len(stops) - 1, 256)
    return np.stack([np.interp(at, np.arange(len(stops)), stops[:, channel]) for channel in range(3)], 1)
