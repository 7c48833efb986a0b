"""Pages from templates: numbers for people, what every template needs, errors as pages."""

import math
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse
from fastapi.templating import Jinja2Templates

from server.schemas import MAX_CAPTION_CHARACTERS, ErrorDetail
from server.tour import stop_at

if TYPE_CHECKING:
    from server.explorer import Explorer  # which imports much that an error page does not need

FRONTEND_PATH = Path(__file__).resolve().parents[1] / "frontend"
_SMALLEST_SHARE = 1e-4  # left end of the logarithmic density bars


def percent(share: float) -> str:
    """A share for people: "0.31%", "3.1%", "41%". `format.js` does the same in the browser."""
    value = 100 * share
    if value == 0 or value >= 10:
        return f"{decimal(value, 0)}%"
    return f"{decimal(value, 1 if value >= 1 else 2)}%"


def decimal(value: float | None, digits: int = 2) -> str:
    """A number with fixed digits; a dash where there is none.

    Ties round up, as JavaScript's `toFixed` does: a number must not change when the browser renders it again.
    """
    if value is None:
        return "–"
    return str(Decimal(value).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP))


def log_share(share: float) -> float:
    """Position (0 to 1) of a share on a logarithmic bar from 0.01% to 100%."""
    if share <= _SMALLEST_SHARE:
        return 0.0
    return 1 - math.log10(share) / math.log10(_SMALLEST_SHARE)


templates = Jinja2Templates(directory=FRONTEND_PATH / "templates")
templates.env.autoescape = True  # whatever a template's name ends in
templates.env.filters.update(percent=percent, decimal=decimal, log_share=log_share)
templates.env.globals.update(max_caption_characters=MAX_CAPTION_CHARACTERS)


class ApiCall(NamedTuple):
    """A GET of the API that answers the same as a page, or a part of it."""

    key: str  # scripts that ask for something newer name the call that it replaces
    title: str
    path: str

    @property
    def as_json(self) -> dict[str, str]:
        """For `static/js/parts/data.js`."""
        return {**self._asdict(), "method": "GET"}


def api_call(key: str, title: str, path: str, **said: object) -> ApiCall:
    """A call; parameters that are none or empty are left out, lists are repeated."""
    given = {name: value for name, value in said.items() if value not in (None, "", (), [])}
    query = urlencode(given, doseq=True)
    return ApiCall(key, title, f"/api/v1{path}" + (f"?{query}" if query else ""))


def lent(request: Request) -> "Explorer":
    """The explorer that answers this request."""
    explorer: "Explorer" = request.state.explorer
    return explorer


def page_of(
    request: Request,
    template: str,
    section: str,
    *,
    status_code: int = 200,
    calls: Sequence[ApiCall] = (),
    **own: object,
) -> HTMLResponse:
    """A page.

    Args:
        request: That it answers.
        template: Its file; it names its variables at its top.
        section: Of the navigation, or "".
        status_code: Of the answer.
        calls: Of the API, that answer the same.
        own: The template's variables; `info`, `section`, `calls`, `search_examples` and `tour` come with every page.
    """
    explorer = lent(request)
    # Where the bundle is damaged, the page that says so must not read it again.
    texts = explorer.items.example_texts() if status_code < 500 else []
    tour = stop_at(explorer, request.url) if status_code < 400 else None
    context = {
        "info": explorer.info(),
        "section": section,
        "calls": calls,
        "search_examples": texts,
        "tour": tour,
        **own,
    }
    return templates.TemplateResponse(request, template, context, status_code=status_code)


def error_page(request: Request, status: int, error: ErrorDetail) -> HTMLResponse:
    """An error as a page, for requests that do not ask for the API."""
    reason = HTTPStatus(status).phrase
    return page_of(request, "error.html", "", status_code=status, error=error, status=status, reason=reason)
