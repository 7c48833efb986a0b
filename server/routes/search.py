"""The search box of every page, for browsers without scripts too: from what was typed to the page that answers it.

`static/js/search/query.js` names the same pages in the box's suggestions; keep them alike.
"""

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse

from server.explorer import Explorer
from server.page_rendering import lent
from server.schemas import MAX_CAPTION_CHARACTERS

_NUMBER = re.compile(r"(#?)\s*([0-9]+)")  # "#17", "17"


class Scope(StrEnum):
    """What is looked for."""

    latents = "latents"
    images = "images"
    captions = "captions"


router = APIRouter(include_in_schema=False)


@router.get("/search")
def search(
    request: Request,
    q: Annotated[str, Query(max_length=MAX_CAPTION_CHARACTERS)] = "",
    scope: Scope = Scope.latents,
    upload: Annotated[str, Query(max_length=64)] = "",
) -> RedirectResponse:
    """Leads to the page that answers a search.

    Args:
        request: Says which bundle is asked.
        q: A text, or the number of a latent with or without a #. Nothing leads to the gallery.
        scope: What is looked for.
        upload: Id of a sent picture. Items are then found by picture and text together, latents by the picture.
    """
    return RedirectResponse(_answering(lent(request), q.strip(), scope, upload.strip()), status_code=303)


def _answering(explorer: Explorer, text: str, scope: Scope, upload: str) -> str:
    """Address of the page that answers a search."""
    if not text and not upload:
        return "/"
    number = None if upload else _NUMBER.fullmatch(text)
    if number and int(number[2]) < explorer.bundle.manifest.sparc.n_latents:
        return f"/latents/{int(number[2])}"
    if number and (number[1] or scope is Scope.latents):  # the gallery says that there is no such latent
        return _address("/", [("query", number[1] + number[2])])
    if scope is not Scope.latents:
        return _retrieval(explorer, text, scope, upload)
    if upload:
        return _address("/find", [("by", "picture"), ("upload", upload)])
    return _address("/find", [("text", text)]) if _reads_text(explorer) else _address("/", [("query", text)])


def _retrieval(explorer: Explorer, text: str, scope: Scope, upload: str) -> str:
    """Captions are found through the last text stream; which images are searched is Retrieve's own choice."""
    texts = explorer.towers.streams("text")
    terms = [("term", f"{kind}:{value}") for kind, value in (("upload", upload), ("text", text)) if value]
    return _address("/retrieve", [*terms, *([("target", texts[-1])] if scope is Scope.captions and texts else [])])


def _reads_text(explorer: Explorer) -> bool:
    return bool(explorer.towers.live_streams("text"))


def _address(path: str, said: Sequence[tuple[str, str]]) -> str:
    """As `static/js/address.js` writes it, for people to read."""
    return f"{path}?{urlencode(said, safe=':,/@')}"
