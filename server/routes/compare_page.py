"""The page Compare: two bundles that are served together, or two streams of the main one."""

from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from server.compare_page import WAYS, BundlesView, Order, bundles_view, streams_view
from server.page_rendering import ApiCall, api_call, lent, page_of
from sparc_core.errors import InputError


class By(StrEnum):
    """What is compared."""

    bundles = "bundles"
    streams = "streams"


_Name = Annotated[str, Query(max_length=80)]

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/compare")
def compare(
    request: Request,
    by: By | None = None,
    other: _Name = "",
    order: Order = Order.loss,
    start: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
    first: _Name = "",
    second: _Name = "",
) -> HTMLResponse:
    """Bundles where another one is served beside the main one, else streams."""
    explorer = lent(request)
    beside = explorer.info().beside
    if (by or (By.bundles if beside else By.streams)) is By.streams:
        return _streams(request, first, second)
    if not beside:
        return page_of(request, "compare.html", "compare", by=By.bundles.value, view=None)
    view = bundles_view(explorer, explorer.at(other or beside[0].bundle_id), order, start)
    calls = _bundle_calls(view)
    return page_of(request, "compare.html", "compare", calls=calls, by=By.bundles.value, view=view, orders=list(Order))


def _bundle_calls(view: BundlesView) -> list[ApiCall]:
    other, ids = view.second.bundle_id, [row.latent for row in view.latents.rows]
    calls = [
        api_call("evaluation", f"Evaluation, {view.first.title}", "/evaluation"),
        api_call("evaluation-other", f"Evaluation, {view.second.title}", "/evaluation", bundle=other),
        api_call("comparison", "Both evaluations as tables", "/evaluation/comparison", other=other),
    ]
    if ids:
        calls += [
            api_call("latents", f"Latents, {view.first.title}", "/latents", ids=ids, sort="id"),
            api_call("latents-other", f"Latents, {view.second.title}", "/latents", ids=ids, sort="id", bundle=other),
        ]
    return calls


def _streams(request: Request, first: str, second: str) -> HTMLResponse:
    names = [stream.name for stream in lent(request).info().streams]
    first, second = first or names[0], second or names[-1]
    view, problem = None, ""
    try:
        view = streams_view(lent(request), first, second)
    except InputError as error:  # one stream twice: the form says so, and is there to choose another
        problem = str(error)
    calls = [
        api_call("pairs", "Every latent in both streams", "/latents/pairs", first=first, second=second),
        *(
            api_call(
                f"mismatches-{kind}", f"Mismatches, {kind}", "/latents/mismatches", strong=first, weak=second, kind=kind
            )
            for kind in ("silent", "different")
        ),
        api_call("evaluation", "Everything that was measured", "/evaluation"),
    ]
    return page_of(
        request,
        "compare.html",
        "compare",
        calls=calls if view else (),
        by=By.streams.value,
        view=view,
        problem=problem,
        first=first,
        second=second,
        ways=WAYS,
    )
