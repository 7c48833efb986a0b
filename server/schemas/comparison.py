"""Which two bundles are compared."""

from typing import Annotated

from pydantic import Field

from server.schemas.base import OfBundle


class ComparisonQuery(OfBundle):
    """A bundle (`bundle`) and another one that is served with it."""

    other: Annotated[str, Field(max_length=16, description="`bundle_id` of the bundle to compare with")]
