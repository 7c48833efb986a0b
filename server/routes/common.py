"""What routes of the API share: the explorer that was lent to the request, documented errors, and clients who leave."""

import asyncio
from collections.abc import Coroutine
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Query, Request

from server.explorer import Explorer
from server.refusals import ClientGoneError
from server.schemas import ErrorBody, OfBundle

T = TypeVar("T")
Responses = dict[int | str, dict[str, Any]]

PREFIX = "/api/v1"


def documented(description: str) -> dict[str, Any]:
    """An error answer in the API's description."""
    return {"model": ErrorBody, "description": description}


ERRORS: Responses = {
    401: documented("The service needs an API key"),
    403: documented("Only administrators may do this, or it comes from another site's page or for an unknown host"),
    404: documented("No such latent, item, stream, label, upload or bundle"),
    422: documented("A value cannot be used; the message says which and why"),
    429: documented("Too many requests of this client; see Retry-After"),
    503: documented("A file of the bundle is needed, and the bundle was removed under the service; see Retry-After"),
}
BUSY: Responses = {
    503: documented(
        "Too busy, not done before the request's deadline, out of memory, or the bundle was removed; see Retry-After"
    )
}
TOO_LARGE: Responses = {413: documented("Too many bytes or pixels")}
SLOW: Responses = {408: documented("The body came too slowly")}
WEBP: Responses = {200: {"content": {"image/webp": {"schema": {"type": "string", "format": "binary"}}}}}


def lent_explorer(request: Request) -> Explorer:
    """The explorer of the bundle that the request's address names, else of the main one.

    Raises:
        NotFoundError: That bundle is not served.
    """
    explorer: Explorer = request.state.explorer
    return explorer.at(request.query_params.get("bundle"))


def no_other_parameters(_: Annotated[OfBundle, Query()]) -> None:
    """Of routes whose query only names a bundle; others have schemas of their own. Misspelt ones are refused."""


Lent = Annotated[Explorer, Depends(lent_explorer)]
PLAIN = [Depends(no_other_parameters)]


async def unless_gone(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """The result of some work, which is given up when the client goes away.

    Raises:
        ClientGoneError: It went away.
    """
    working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(_leaves(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientGoneError("the client went away before the answer was ready")
        return working.result()
    finally:
        for task in (working, leaving):
            task.cancel()
        # What was given up may fail on its way out, and nobody else would ask it how it ended.
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _leaves(request: Request) -> None:
    """Wait until the client goes away; the body has been read already."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
