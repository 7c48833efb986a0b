"""`POST /api/v1/heatmaps`: streamed lines of JSON, or one heatmap as a file, by `Accept`."""

import json
import logging
import time
from collections.abc import AsyncIterator

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response, StreamingResponse

from server.errors import error_body, refusal_of
from server.explorer import Explorer
from server.heatmap_files import overlay_png, raw_values
from server.request_context import current
from server.routes.common import BUSY, ERRORS, PLAIN, PREFIX, Lent, unless_gone
from server.schemas import Heatmap, HeatmapRequest, HeatmapsDone, PictureHeatmaps, Wire
from server.services.heatmaps import Chunk, Plan, shared_scale, total_milliseconds
from sparc_core.errors import InputError, SparcError

NDJSON, PNG, RAW = "application/x-ndjson", "image/png", "application/octet-stream"

log = logging.getLogger(__name__)

router = APIRouter(prefix=PREFIX, tags=["heatmaps"], responses=ERRORS)


@router.post(
    "/heatmaps",
    dependencies=PLAIN,
    response_class=StreamingResponse,
    responses={
        200: {
            "content": {NDJSON: {}, PNG: {}, RAW: {}},
            "description": "One JSON object a line: a CaptionReading, a PictureHeatmaps per picture as it is ready, "
            "with `trust` a PictureTrust per picture, a HeatmapsDone; an error on the way is a last line with the "
            "error body. With `Accept: image/png`, the one picture under its heatmap; with "
            "`application/octet-stream`, the values as little-endian float32, row by row. Files say their shape, place "
            "and score in `X-Rows`, `X-Columns`, `X-Window` and `X-Score`",
        },
        **BUSY,
    },
)
async def heatmaps(request: Request, explorer: Lent, body: HeatmapRequest) -> Response:
    """Where image streams find a caption or latents, over matching items, given items, or an upload."""
    begun = time.perf_counter()
    plan = await unless_gone(request, explorer.plan_heatmaps(body))
    read_ms = 1000 * (time.perf_counter() - begun)
    wanted = request.headers.get("accept", "").partition(",")[0].partition(";")[0].strip().lower()
    if wanted in (PNG, RAW):
        return await unless_gone(request, _file(explorer, plan, wanted))
    lines = _lines(request, explorer, plan, read_ms)
    return StreamingResponse(_until_error(request, lines), media_type=NDJSON)


async def _file(explorer: Explorer, plan: Plan, media_type: str) -> Response:
    if len(plan.item_ids) != 1 or len(plan.streams) != 1:
        raise InputError(
            f"a file holds one heatmap, and this request asks for {len(plan.item_ids)} pictures in "
            f"{len(plan.streams)} streams: name one item or upload, and one stream"
        )
    (chunk,) = await explorer.heatmap_chunk(plan, plan.item_ids)
    heatmap = chunk.pictures[0].heatmaps[0]
    if media_type == RAW:
        return Response(raw_values(heatmap), media_type=RAW, headers=_geometry(heatmap))
    content = await run_in_threadpool(lambda: overlay_png(heatmap, explorer.heatmaps.picture(plan, plan.item_ids[0])))
    return Response(content, media_type=PNG, headers=_geometry(heatmap))


def _geometry(heatmap: Heatmap) -> dict[str, str]:
    window = heatmap.window
    return {
        "X-Rows": str(heatmap.rows),
        "X-Columns": str(heatmap.columns),
        "X-Window": f"{window.left:.6f} {window.top:.6f} {window.right:.6f} {window.bottom:.6f}",
        "X-Score": f"{heatmap.score:.6f}",
    }


async def _until_error(request: Request, lines: AsyncIterator[str]) -> AsyncIterator[str]:
    """The lines; what goes wrong after the first is said in a last one, since the status is sent already."""
    try:
        async for line in lines:
            yield line
    except SparcError as error:
        _, code, message = await refusal_of(request, error)
        yield json.dumps(error_body(code, message)) + "\n"
    except Exception:
        log.exception("unexpected error in heatmaps")
        yield json.dumps(error_body("internal_error", "something went wrong on the server; it was logged")) + "\n"


async def _lines(request: Request, explorer: Explorer, plan: Plan, read_ms: float) -> AsyncIterator[str]:
    """The lines of an answer; stops computing when the client has gone."""
    yield _line(plan.reading)
    answers: list[PictureHeatmaps] = []
    chunks: list[Chunk] = []
    steps = [{"caption": read_ms}]
    for item_ids in explorer.heatmaps.chunks(plan):
        if await request.is_disconnected():
            return
        current().renew()
        for chunk in await explorer.heatmap_chunk(plan, item_ids):
            chunks.append(chunk)
            steps.append(chunk.milliseconds)
            for answer in chunk.pictures:
                answers.append(answer)
                yield _line(answer)
    for chunk in chunks if plan.request.trust else ():
        if await request.is_disconnected():
            return
        current().renew()
        believed, milliseconds = await explorer.heatmap_trust(plan, chunk)
        steps.append(milliseconds)
        for one in believed:
            yield _line(one)
    yield _line(HeatmapsDone(milliseconds=total_milliseconds(steps), scale=shared_scale(answers)))


def _line(answer: Wire) -> str:
    return answer.model_dump_json() + "\n"
