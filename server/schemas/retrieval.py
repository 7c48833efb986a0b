"""Retrieval: a query is a sum of weighted terms; hits say what makes up their scores."""

from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field, model_validator

from server.schemas.base import BodyBool, BodyFloat, BodyInt, CaptionText, Wire
from server.schemas.items import LatentActivation
from server.schemas.texts import Contribution, Word

MAX_TERMS = 16
_LARGEST_WEIGHT = 100.0

ItemId = Annotated[str, Field(min_length=1, max_length=200)]
UploadId = Annotated[str, Field(min_length=1, max_length=64)]
StreamName = Annotated[str, Field(min_length=1, max_length=80)]
LabelName = Annotated[str, Field(min_length=1, max_length=200)]
LatentNumber = Annotated[BodyInt, Field(ge=0, le=2**31 - 1)]


class Way(StrEnum):
    """How a query finds items of the target stream."""

    latent = "latent"  # closest codes (per-stream selection), exact over posting lists
    reconstruction = "reconstruction"  # the query's code decoded into the target stream; closest features
    backbone = "backbone"  # closest features without SPARC, where two towers share a space: the baseline


class Measure(StrEnum):
    """How codes are compared."""

    cosine = "cosine"
    dot = "dot"  # also counts how strong an item's code is


class QueryTerm(Wire):
    """One part of a query: a text, an item, an upload or a latent: exactly one of the four.

    Codes (and features) of texts, items and uploads count with unit norm times `weight`; a latent with `weight` as its
    activation. A negative weight moves away from its term.
    """

    text: CaptionText | None = None
    item_id: ItemId | None = None
    upload_id: UploadId | None = None
    latent: LatentNumber | None = None
    weight: Annotated[BodyFloat, Field(ge=-_LARGEST_WEIGHT, le=_LARGEST_WEIGHT)] = 1.0
    stream: StreamName | None = None  # that encodes the term; default: by what it is

    @model_validator(mode="after")
    def _one_kind(self) -> "QueryTerm":
        if sum(value is not None for value in (self.text, self.item_id, self.upload_id, self.latent)) != 1:
            raise ValueError("a term names exactly one of text, item_id, upload_id and latent")
        if self.weight == 0:
            raise ValueError("a term of weight 0 says nothing: leave it out")
        if self.latent is not None and self.stream is not None:
            raise ValueError("a latent is the same in all streams: leave stream out")
        return self


class LatentAbove(Wire):
    """Items whose activation of a latent is greater than a threshold, under per-stream selection."""

    latent: LatentNumber
    above: Annotated[BodyFloat, Field(ge=0)] = 0.0
    stream: StreamName | None = None  # default: the searched stream


class Where(Wire):
    """Which items may be found: those that fulfil all of it."""

    labels: Annotated[tuple[LabelName, ...], Field(max_length=16)] = ()  # each of them, or a label below it
    split: Annotated[str, Field(max_length=40)] | None = None
    latents: Annotated[tuple[LatentAbove, ...], Field(max_length=16)] = ()


class RetrieveRequest(Wire):
    """Find items of one stream by a sum of texts, pictures, items and latents."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"query": [{"text": "a cat in the snow"}], "target": "dino", "limit": 10},
                {"query": [{"item_id": "s000003"}, {"latent": 17, "weight": -1}, {"text": "at night", "weight": 0.5}]},
            ]
        }
    )

    query: Annotated[list[QueryTerm], Field(min_length=1, max_length=MAX_TERMS)]
    target: StreamName | None = None  # the stream that is searched; default: a stream of another model
    way: Way = Way.latent
    measure: Measure = Measure.cosine
    where: Where = Where()
    leave_out_query: BodyBool = True  # whether items that are terms of the query are left out of the hits
    limit: Annotated[BodyInt, Field(ge=1, le=200)] = 24

    @model_validator(mode="after")
    def _measure_of_codes(self) -> "RetrieveRequest":
        if self.measure is Measure.dot and self.way is not Way.latent:
            raise ValueError("measure dot compares codes: use it with way latent, or leave it out")
        return self


class TermReading(Wire):
    """How one term was read: by which stream (none for a latent), and for a text its words, shaded."""

    stream: str | None
    words: list[Word] | None = None


class Hit(Wire):
    """A found item, its score, and the latents that make it up.

    Shares of `shared` and `rest` add up to 1. Between codes `rest` is 0; between features it is what belongs to no
    latent of the query: pre-bias, and for the backbone way what SPARC does not reconstruct.
    """

    item_id: str
    score: float
    caption: str
    labels: list[str]
    shared: list[Contribution]
    rest: float


class Retrieval(Wire):
    """The answer to a retrieval, best hit first."""

    way: Way
    measure: Measure
    target: str
    terms: list[TermReading]  # in the order of the request's query
    query_code: list[LatentActivation]  # the sum; strongest first, negative where it moves away
    n_allowed: int  # items that `where` lets through
    exact: bool  # whether no item was overlooked: False where the target's feature index is approximate
    recall: float | None  # share of the exact 10 nearest that this index finds; null where exact, or not measured
    hits: list[Hit]
    milliseconds: dict[str, float]
