"""What pages are asked, as their addresses say it: queries of the API, and the terms of a retrieval."""

import re
from typing import Any, NamedTuple, TypeVar, get_origin
from urllib.parse import urlencode

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from server.page_rendering import lent
from server.schemas import MAX_TERMS, Wire
from sparc_core.errors import NotFoundError

# Every part can match in one way only, and numbers are short: addresses of any length are read in one pass.
_TERM = re.compile(
    r"([+-]?(?:\d{1,20}(?:\.\d{1,20})?|\.\d{1,20})?)\s*(text|item|upload|latent)(?:@([^:]+))?:(.*)", re.DOTALL
)

W = TypeVar("W", bound=Wire)


class Named(NamedTuple):
    """An item or a term for a template: `name` is a caption, a latent's name, or empty where none is known."""

    kind: str  # "text", "item", "upload" or "latent"
    value: str
    name: str = ""
    weight: float = 1.0


def asked(request: Request, model: type[W], usual: dict[str, str] | None = None, **fixed: object) -> W:
    """The page's parameters as a query of the API.

    Args:
        request: Its parameters may be empty, as forms send them; those that the query does not know are no part.
        model: The query.
        usual: Values of parameters that are not given.
        fixed: Fields that the page decides.

    Raises:
        RequestValidationError: A value cannot be used.
    """
    given: dict[str, Any] = dict(usual or {})
    for name, field in model.model_fields.items():
        values = [value for value in request.query_params.getlist(name) if value]
        if values:
            given[name] = values if get_origin(field.annotation) is tuple else values[-1]
    try:
        return model.model_validate({**given, **fixed})
    except ValidationError as error:
        raise RequestValidationError([{**one, "loc": ("query", *one["loc"])} for one in error.errors()]) from None


def said(wanted: Wire) -> dict[str, Any]:
    """What a query says that is not as usual, by name."""
    return wanted.model_dump(mode="json", exclude_defaults=True)


def more_url(path: str, wanted: Wire, cursor: str | None) -> str:
    """This view's next page, for browsers without scripts."""
    view = {name: value for name, value in said(wanted).items() if name not in ("limit", "cursor", "start")}
    return f"{path}?{urlencode({**view, 'cursor': cursor or ''}, doseq=True)}"


def terms_of(request: Request) -> list[Named]:
    """A query's terms as `parts/retrieve/term.js` writes them, or one of the old parameters `q`, `item`, `upload`."""
    given = request.query_params
    old = {"text": given.get("q"), "item": given.get("item"), "upload": given.get("upload")}
    terms = [Named(kind, value) for kind, value in old.items() if value and value.strip()]
    for written in given.getlist("term")[
        :MAX_TERMS
    ]:  # the API refuses more; the browser reads them itself, and says so
        match = _TERM.fullmatch(written.lstrip())
        if match is None or not match[4].strip():
            continue
        weight = float(f"{match[1]}1" if match[1] in ("", "+", "-") else match[1])
        terms.append(Named(match[2], match[4].strip(), weight=weight))
    return [term._replace(name=_name(request, term)) for term in terms]


def _name(request: Request, term: Named) -> str:
    if term.kind == "item":
        return caption_of(request, term.value)
    names = lent(request).latents.names
    is_latent = term.kind == "latent" and re.fullmatch("[0-9]{1,9}", term.value)
    return names[int(term.value)] if is_latent and int(term.value) < len(names) else ""


def caption_of(request: Request, item_id: str) -> str:
    """An item's caption; empty where there is no such item, which the answer to the query will say."""
    try:
        return lent(request).items.item(item_id).caption
    except NotFoundError:
        return ""
