"""A text or picture of one's own, tried on one latent."""

from typing import Annotated

from pydantic import ConfigDict, Field, model_validator

from server.schemas.base import CaptionText, Share, Wire
from server.schemas.latent_search import Region
from server.schemas.texts import Word


class LatentTestRequest(Wire):
    """What to try: exactly one of text, item_id and upload_id; and in which streams."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"text": "a cat in the snow"},
                {"item_id": "s000003", "region": {"left": 0.2, "top": 0.5, "right": 0.6, "bottom": 1}},
            ]
        }
    )

    text: CaptionText | None = None
    item_id: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    upload_id: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    region: Region | None = None  # of the picture of item_id or upload_id
    # Default: every stream whose backbone can read it; of an item, text streams read its caption.
    streams: Annotated[list[str], Field(min_length=1, max_length=64)] | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> "LatentTestRequest":
        if sum(value is not None for value in (self.text, self.item_id, self.upload_id)) != 1:
            raise ValueError("name exactly one of text, item_id and upload_id")
        if self.region is not None and self.text is not None:
            raise ValueError("a region is part of a picture: name item_id or upload_id with it")
        return self


class TriedStream(Wire):
    """What one stream's latent makes of it, under per-stream selection, beside what it makes of the corpus."""

    stream: str
    activation: Annotated[float, Field(ge=0)]  # 0 where the latent is not selected, or its logit is not positive
    logit: float
    threshold: float  # the k-th largest logit of all latents: with less, a latent is not selected
    rank: Annotated[int, Field(ge=1)]  # of its logit among all latents; 1 is the largest
    share_below: Share  # share of the corpus's items on which its activation is less
    max_activation: Annotated[float, Field(ge=0)]  # over the corpus
    # Of a text, the words that were read. The relevance is for this latent alone: how far its logit falls when the word
    # is left out, the largest fall being 1; a word without which it rises has 0.
    words: list[Word] | None


class LatentTest(Wire):
    """A latent's activation on something new, stream by stream."""

    latent: int
    streams: list[TriedStream]
    milliseconds: float
