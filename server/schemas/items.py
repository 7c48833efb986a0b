"""Items, their codes, labels, uploads; encoding of what is new."""

from typing import Annotated

from pydantic import ConfigDict, Field, model_validator

from server.schemas.base import CaptionText, OfBundle, Wire
from server.schemas.texts import Word


class LatentActivation(Wire):
    """One entry of a code."""

    latent: int
    name: str
    activation: float


class ItemSummary(Wire):
    """One item of the corpus without its codes."""

    item_id: str
    caption: str
    labels: list[str]
    width: int
    height: int
    split: str


class Item(ItemSummary):
    """One item of the corpus with its codes (the model's own selection), strongest first."""

    codes: dict[str, list[LatentActivation]]


class ItemQuery(OfBundle):
    """Which items of the corpus: those that fulfil all of it, by row."""

    split: Annotated[str, Field(max_length=40)] | None = None
    label: Annotated[str, Field(max_length=200, description="This label or one below it")] | None = None
    caption: Annotated[str, Field(max_length=200, description="Words that the caption holds, in any case")] = ""
    limit: Annotated[int, Field(ge=1, le=200)] = 24
    cursor: Annotated[str, Field(max_length=60, description="`next_cursor` of the page before")] | None = None


class ImageQuery(OfBundle):
    """How a picture is wanted. An address with a bundle's id means one picture for ever, so caches may keep it."""

    size: Annotated[int, Field(ge=16, le=1024, description="Most pixels of its width and height")] = 224


class ItemPage(Wire):
    """A page of the corpus, by row."""

    items: list[ItemSummary]
    total: int
    next_cursor: str | None


class Label(Wire):
    """A label of the corpus's hierarchy; `parent` is another label's name, empty at a root."""

    name: str
    kind: str
    parent: str
    n_items: int  # that carry it, or a label below it


class Upload(Wire):
    """A picture that was sent; `upload_id` stands for it in later requests until newer uploads push it out."""

    upload_id: str
    width: int
    height: int


class EncodeRequest(Wire):
    """What to encode: exactly one of text, item_id and upload_id; and in which streams."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"text": "a cat in the snow"}]})

    text: CaptionText | None = None
    item_id: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    upload_id: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    # Default: every stream that can read it; of an item all streams.
    streams: Annotated[list[str], Field(min_length=1, max_length=64)] | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> "EncodeRequest":
        if sum(value is not None for value in (self.text, self.item_id, self.upload_id)) != 1:
            raise ValueError("name exactly one of text, item_id and upload_id")
        return self


class Encoding(Wire):
    """Codes under per-stream selection, strongest latent first; of a text also its words, shaded."""

    codes: dict[str, list[LatentActivation]]
    words: list[Word] | None
