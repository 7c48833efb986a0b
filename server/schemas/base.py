"""What everything on the wire shares: strictness, short types, the one error body."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, Strict, StringConstraints

MAX_CAPTION_CHARACTERS = 500

CaptionText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_CAPTION_CHARACTERS)]
Share = Annotated[float, Field(ge=0, le=1)]
# In bodies of requests: JSON has numbers and truths of its own, so "24" is no 24 and 0 is not false there.
BodyInt = Annotated[int, Strict()]
BodyFloat = Annotated[float, Strict()]
BodyBool = Annotated[bool, Strict()]


class Wire(BaseModel):
    """Base of everything on the wire: unknown fields are errors, so that a misspelt one is never dropped silently."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class OfBundle(Wire):
    """The query of whatever answers about a bundle: which of those that are served."""

    bundle: Annotated[
        str | None, Field(max_length=16, description="`bundle_id` of a served bundle; default: the main one")
    ] = None


class ErrorDetail(Wire):
    """What went wrong: a stable code, a sentence for a person, and facts for a program."""

    code: str
    message: str
    detail: dict[str, object] = {}


class ErrorBody(Wire):
    """The body of every error answer."""

    error: ErrorDetail
