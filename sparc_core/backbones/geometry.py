"""Where a tower's patch grid lies on a picture: from original pixels to patches and back.

Coordinates are continuous, from the picture's top left corner: pixel (i, j) covers [i, i + 1) x [j, j + 1) and has its
centre at (i + 0.5, j + 0.5). `pictures` resizes and crops by the same numbers.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

Rounding = Literal["torchvision", "transformers"]
"""Who decides where an odd centre crop lies: torchvision rounds halves to even, transformers rounds down."""


class Box(NamedTuple):
    """A rectangle in pixels of the original picture; where the tower sees padding, it reaches beyond the picture."""

    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True)
class Geometry:
    """How a picture is fitted to a tower's input: resized, then cropped (or padded) about its centre.

    Attributes:
        height: Of the tower's input, in pixels.
        width: Of the tower's input, in pixels.
        patch: Side of a patch, in pixels of the input.
        resize: Shorter side after resizing, the aspect kept; or (height, width) of both sides.
        rounding: Whose centre crop it is.
    """

    height: int
    width: int
    patch: int
    resize: int | tuple[int, int]
    rounding: Rounding = "torchvision"

    @classmethod
    def squash(cls, height: int, width: int, patch: int) -> "Geometry":
        """Both sides resized to the input's, whatever the picture's aspect."""
        return cls(height, width, patch, (height, width))

    @classmethod
    def crop(cls, shorter: int, side: int, patch: int, rounding: Rounding = "torchvision") -> "Geometry":
        """The shorter side resized to `shorter`, then a centre crop of `side` x `side`."""
        return cls(side, side, patch, shorter, rounding)

    @property
    def rows(self) -> int:
        """Patches from top to bottom; pixels that do not fill a patch are not seen."""
        return self.height // self.patch

    @property
    def columns(self) -> int:
        """Patches from left to right."""
        return self.width // self.patch

    def resized(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of a picture after resizing."""
        if not isinstance(self.resize, int):
            return self.resize[1], self.resize[0]
        if width <= height:
            return self.resize, int(self.resize * height / width)
        return int(self.resize * width / height), self.resize

    def offset(self, width: int, height: int) -> tuple[int, int]:
        """Left and top of the crop in the resized picture; negative where the picture is padded."""
        resized_width, resized_height = self.resized(width, height)
        return self._margin(resized_width - self.width), self._margin(resized_height - self.height)

    def window(self, width: int, height: int) -> Box:
        """The part of a picture that the patch grid covers."""
        return self._box(0, 0, self.rows, self.columns, width, height)

    def patch_box(self, row: int, column: int, width: int, height: int) -> Box:
        """The part of a picture that one patch covers."""
        return self._box(row, column, row + 1, column + 1, width, height)

    def patches_in(self, box: Box, width: int, height: int) -> list[int]:
        """Numbers (row by row) of the patches whose centres lie in a rectangle of a picture."""
        found = []
        for number in range(self.rows * self.columns):
            patch = self.patch_box(*divmod(number, self.columns), width, height)
            x, y = (patch.left + patch.right) / 2, (patch.top + patch.bottom) / 2
            if box.left <= x < box.right and box.top <= y < box.bottom:
                found.append(number)
        return found

    def patch_of(self, x: float, y: float, width: int, height: int) -> tuple[int, int] | None:
        """Row and column of the patch at a point of a picture; None outside the grid or the picture."""
        if not (0 <= x < width and 0 <= y < height):
            return None
        resized_width, resized_height = self.resized(width, height)
        left, top = self.offset(width, height)
        column = int((x * resized_width / width - left) // self.patch)
        row = int((y * resized_height / height - top) // self.patch)
        inside = 0 <= row < self.rows and 0 <= column < self.columns
        return (row, column) if inside else None

    def _margin(self, excess: int) -> int:
        if self.rounding == "transformers":
            return excess // 2
        return round(excess / 2) if excess >= 0 else -(-excess // 2)

    def _box(self, top: int, left: int, bottom: int, right: int, width: int, height: int) -> Box:
        """From patch borders to original pixels."""
        resized_width, resized_height = self.resized(width, height)
        offset_left, offset_top = self.offset(width, height)
        return Box(
            (offset_left + left * self.patch) * width / resized_width,
            (offset_top + top * self.patch) * height / resized_height,
            (offset_left + right * self.patch) * width / resized_width,
            (offset_top + bottom * self.patch) * height / resized_height,
        )
