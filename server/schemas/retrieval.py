"""Retrieval: the request and its hits."""

from typing import Annotated

from pydantic import Field, model_validator

from server.schemas.base import CaptionText, Wire
from server.schemas.items import LatentActivation
from server.schemas.texts import Contribution, Word


class RetrieveRequest(Wire):
    """Find items by text, by an item, or by an upload: exactly one of the three."""

    text: CaptionText | None = None
    item_id: str | None = None
    upload_id: str | None = None
    source: str | None = None  # the stream that encodes the query; default: by what the query is
    target: str | None = None  # the stream that is searched; default: a stream of another model
    limit: Annotated[int, Field(ge=1, le=200)] = 24

    @model_validator(mode="after")
    def _one_query(self) -> "RetrieveRequest":
        if sum(value is not None for value in (self.text, self.item_id, self.upload_id)) != 1:
            raise ValueError("name exactly one of text, item_id and upload_id")
        return self


class Hit(Wire):
    """A found item: the cosine of the two sparse codes, and the latents that make it up."""

    item_id: str
    score: float
    caption: str
    labels: list[str]
    shared: list[Contribution]


class Retrieval(Wire):
    """The answer to a retrieval, best hit first."""

    source: str
    target: str
    query_code: list[LatentActivation]
    words: list[Word] | None
    hits: list[Hit]
    milliseconds: dict[str, float]
