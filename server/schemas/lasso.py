"""A lasso: a polygon on the map of latents, as an address says it."""

import re
from typing import Annotated, NamedTuple

from pydantic import AfterValidator, Field

_MOST_CHARACTERS, _FEWEST_CORNERS, _MOST_CORNERS, _FARTHEST = 1500, 3, 64, 2.0
_NUMBER = r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)"
_CORNER = re.compile(rf"\s*{_NUMBER}\s*,\s*{_NUMBER}\s*", re.ASCII)


class Corner(NamedTuple):
    """A point of the map, which lies within -1 and 1 both ways."""

    x: float
    y: float


def corners_of(lasso: str) -> list[Corner]:
    """The corners of "x,y;x,y;x,y".

    Raises:
        ValueError: It is not of that form, has not 3 to 64 corners, or one beyond -2 to 2.
    """
    written = lasso.split(";")
    if not _FEWEST_CORNERS <= len(written) <= _MOST_CORNERS:
        raise ValueError(
            f"there are {len(written)} corners: give {_FEWEST_CORNERS} to {_MOST_CORNERS} as x,y with ; between them"
        )
    return [_corner(place, one) for place, one in enumerate(written, start=1)]


def _corner(place: int, written: str) -> Corner:
    match = _CORNER.fullmatch(written)
    corner = Corner(float(match[1]), float(match[2])) if match else None
    if corner is None or max(map(abs, corner)) > _FARTHEST:
        raise ValueError(f'corner {place} is "{written[:40]}": write x,y with numbers from -2 to 2')
    return corner


def _checked(lasso: str) -> str:
    corners_of(lasso)
    return lasso


Lasso = Annotated[
    str,
    Field(
        max_length=_MOST_CHARACTERS,
        description="Corners x,y;x,y;x,y of a polygon on the map: 3 to 64 of them, numbers from -2 to 2",
        examples=["-1,-1;1,-1;1,1;-1,1"],
    ),
    AfterValidator(_checked),
]
