"""Finding latents: by what a text or picture activates, by examples, by disagreement between streams."""

from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field, model_validator

from server.schemas.base import BodyFloat, BodyInt, CaptionText, OfBundle, Share, Wire
from server.schemas.latents import LatentSummary, check_beginning
from server.schemas.texts import Word

_Place = Annotated[BodyFloat, Field(ge=0, le=1)]


class Region(Wire):
    """A part of a picture, in shares of its width and height, from the upper left corner."""

    left: _Place
    top: _Place
    right: _Place
    bottom: _Place

    @model_validator(mode="after")
    def _not_empty(self) -> "Region":
        if self.left >= self.right or self.top >= self.bottom:
            raise ValueError("the region is empty: left must be less than right, and top less than bottom")
        return self


class LatentSearchRequest(Wire):
    """Find latents by a text, by a picture or a region of it, or by example items: exactly one of the four."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"text": "a cat in the snow"},
                {"item_id": "s000003", "region": {"left": 0.2, "top": 0.5, "right": 0.6, "bottom": 1}},
                {"item_ids": ["s000003", "s000010"], "stream": "dino"},
            ]
        }
    )

    text: CaptionText | None = None
    item_id: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    upload_id: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    item_ids: Annotated[list[Annotated[str, Field(max_length=200)]], Field(min_length=1, max_length=64)] | None = None
    region: Region | None = None  # of the picture of item_id or upload_id
    stream: str | None = None  # that reads it; default: by what it is
    limit: Annotated[BodyInt, Field(ge=1, le=100)] = 24

    @model_validator(mode="after")
    def _one_kind(self) -> "LatentSearchRequest":
        if sum(value is not None for value in (self.text, self.item_id, self.upload_id, self.item_ids)) != 1:
            raise ValueError("name exactly one of text, item_id, upload_id and item_ids")
        if self.region is not None and self.item_id is None and self.upload_id is None:
            raise ValueError("a region is part of a picture: name item_id or upload_id with it")
        return self


class Found(StrEnum):
    """Why a latent was found."""

    code = "code"  # the query activates it; the score is its activation
    direction = "direction"  # not activated, but its dictionary direction is close; the score is the cosine
    examples = "examples"  # the score is the share of examples that activate it, less the share of all items


class FoundLatent(Wire):
    """A latent that fits a query."""

    latent: LatentSummary
    found: Found
    score: float
    of_examples: Share | None = None  # share of the examples that activate it, where there are examples
    of_items: Share | None = None  # the same of all items, under per-stream selection


class LatentSearch(Wire):
    """The answer to a latent search: what the query activates first, then what lies close; best first."""

    stream: str
    words: list[Word] | None
    latents: list[FoundLatent]
    milliseconds: dict[str, float]


class MismatchKind(StrEnum):
    """How two streams disagree on a latent."""

    silent = "silent"  # active in one, far less often in the other
    different = "different"  # active in both about as often, on other items


class MismatchQuery(OfBundle):
    """Latents on which two streams disagree: a page after another (`cursor`), or from anywhere (`start`)."""

    strong: Annotated[str, Field(max_length=80, description="The stream in which they are active")]
    weak: Annotated[str, Field(max_length=80, description="The stream that is silent, or active on other items")]
    kind: MismatchKind = MismatchKind.silent
    at_most: Annotated[Share, Field(description="Active so often in `weak`, as a share of `strong`, is silent")] = 0.5
    limit: Annotated[int, Field(ge=1, le=200)] = 24
    cursor: Annotated[str, Field(max_length=60, description="`next_cursor` of the page before")] | None = None
    start: Annotated[int, Field(ge=0, le=2**31 - 1, description="Position of its first latent, from 0")] | None = None

    @model_validator(mode="after")
    def _begins_once(self) -> "MismatchQuery":
        check_beginning(self.cursor, self.start)
        return self


class Mismatch(Wire):
    """A latent on which two streams disagree; under per-stream selection."""

    latent: LatentSummary
    strong_density: Share
    weak_density: Share
    alignment: Share | None  # Jaccard of active items of the two streams; null where it is active in neither


class MismatchPage(Wire):
    """Latents by disagreement of two streams, the greatest first."""

    strong: str
    weak: str
    kind: MismatchKind
    latents: list[Mismatch]
    total: int
    next_cursor: str | None
