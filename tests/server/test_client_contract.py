"""The Python client against the real service: it asks every operation that OpenAPI lists, and knows no other."""

import re
import shlex
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from pydantic import BaseModel, TypeAdapter

from server import schemas
from server.client import ApiError, AsyncSparcClient, HeatmapArray, SparcClient, operations
from server.client.call import PREFIX, Operation
from server.keys import Client
from server.middleware import Access
from server.schemas import LatentAbove, QueryTerm, Region, RetrieveRequest, Where
from tests.server.asking import run
from tests.server.pictures import png

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "api.md"


@pytest.fixture(scope="module")
def spec(client: TestClient) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/openapi.json").json()
    return found


@pytest.fixture
def sparc(client: TestClient) -> Iterator[SparcClient]:
    with SparcClient("http://testserver", transport=transport_to(client), retries=0) as sparc:
        yield sparc


def transport_to(client: TestClient) -> httpx.MockTransport:
    """Starlette's test client may be built on another HTTP library than ours: requests and answers are copied over."""

    def handler(request: httpx.Request) -> httpx.Response:
        answer = client.request(
            request.method,
            str(request.url),
            content=request.read(),
            headers=dict(request.headers),
            follow_redirects=False,
        )
        headers = {name: value for name, value in answer.headers.items() if name != "content-encoding"}
        return httpx.Response(answer.status_code, headers=headers, content=answer.content)

    return httpx.MockTransport(handler)


def resolved(spec: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref")
    return spec["components"]["schemas"][reference.rpartition("/")[2]] if reference else schema


# Table and OpenAPI


def test_the_table_is_what_openapi_lists(spec: dict[str, Any]) -> None:
    listed = [
        (method.upper(), path.removeprefix(PREFIX))
        for path, methods in spec["paths"].items()
        if path.startswith(PREFIX)
        for method in methods
    ]
    assert sorted((operation.method, operation.path) for operation in operations.OPERATIONS) == sorted(listed)


@pytest.mark.parametrize("operation", operations.OPERATIONS, ids=lambda operation: operation.path)
def test_fields_are_what_openapi_lists(spec: dict[str, Any], operation: Operation[Any]) -> None:
    listed = spec["paths"][PREFIX + operation.path][operation.method.lower()]
    in_query = {one["name"] for one in listed.get("parameters", []) if one["in"] == "query"}
    assert in_query == (set(operation.query.model_fields) if operation.query else set())
    bodies = listed.get("requestBody", {}).get("content", {})
    fields = {kind: set(resolved(spec, body["schema"])["properties"]) for kind, body in bodies.items()}
    if operation.body:
        assert fields == {"application/json": set(operation.body.model_fields)}
    elif operation.file:
        assert fields == {"multipart/form-data": {operation.file}}
    else:
        assert not fields


# Every method, asked for real

WHERE = Where(split="test", latents=(LatentAbove(latent=0),))
CALLS: list[tuple[str, tuple[Any, ...], dict[str, Any], Any]] = [
    ("info", (), {}, schemas.Info),
    ("labels", (), {}, [schemas.Label]),
    ("evaluation", (), {}, schemas.Evaluation),
    ("evaluation_tables", (), {}, [schemas.Table]),
    ("evaluation_table", ("retrieval",), {}, schemas.Table),
    ("evaluation_csv", ("retrieval",), {}, b"where,corpus,"),
    ("evaluation_latex", ("retrieval",), {}, b"\\begin{table}"),
    ("latents", (), {"active_in": ("dino", "clip_img"), "min_density": 0.01, "sort": "density"}, schemas.LatentPage),
    ("every_latent", (), {"limit": 25}, [schemas.LatentSummary]),
    ("search_latents", ("a red car",), {"limit": 3}, schemas.LatentSearch),
    ("search_latents", (), {"item_ids": ["s000003", "s000010"], "stream": "dino"}, schemas.LatentSearch),
    (
        "search_latents",
        (),
        {"item_id": "s000003", "region": Region(left=0.2, top=0.2, right=0.8, bottom=1)},
        schemas.LatentSearch,
    ),
    ("mismatches", (), {"strong": "dino", "weak": "clip_txt", "kind": "different"}, schemas.MismatchPage),
    (
        "every_mismatch",
        (),
        {"strong": "dino", "weak": "clip_txt", "kind": "different", "limit": 25},
        [schemas.Mismatch],
    ),
    ("latents", (), {"start": 3, "ids": (5, 9), "lasso": "-1,-1;1,-1;0,2"}, schemas.LatentPage),
    ("latent_counts", (), {"alive": "alive", "min_purity": 0.5}, schemas.LatentCounts),
    ("latent_map", (), {"min_density": 0.01, "stream": "clip_img"}, schemas.LatentMap),
    ("latent_pairs", (), {"first": "dino", "second": "clip_txt", "min_purity": 0.5}, schemas.LatentPairs),
    ("latent", (3,), {}, schemas.Latent),
    ("latent_items", (3,), {"stream": "dino", "interval": "near_miss"}, schemas.LatentItems),
    ("latent_items", (3,), {"stream": "dino", "interval": "random", "seed": 5}, schemas.LatentItems),
    ("coactive_latents", (3,), {"stream": "dino", "limit": 3}, schemas.CoactiveLatents),
    ("latent_activation", (3, "a red car"), {}, schemas.LatentTest),
    (
        "latent_activation",
        (3,),
        {"item_id": "s000003", "region": Region(left=0, top=0, right=1, bottom=0.5), "streams": ["dino"]},
        schemas.LatentTest,
    ),
    ("items", (), {"split": "test", "caption": "the", "limit": 5}, schemas.ItemPage),
    ("every_item", (), {"limit": 90}, [schemas.ItemSummary]),
    ("item", ("s000003",), {}, schemas.Item),
    ("image", ("s000003",), {"size": 32}, b"RIFF"),
    ("upload", (png(),), {}, schemas.Upload),
    ("encode", ("a red car",), {}, schemas.Encoding),
    ("encode", (), {"item_id": "s000003", "streams": ["dino"]}, schemas.Encoding),
    ("retrieve", ("a red car",), {"target": "dino"}, schemas.Retrieval),
    ("retrieve", (["a car", QueryTerm(latent=3, weight=-0.5)],), {"where": WHERE, "measure": "dot"}, schemas.Retrieval),
    ("retrieve", (RetrieveRequest(query=[QueryTerm(item_id="s000003")], target="dino"),), {}, schemas.Retrieval),
    (
        "heatmaps",
        ("a car",),
        {"n_items": 1, "streams": ["dino"], "trust": True},
        [schemas.CaptionReading, schemas.PictureHeatmaps, schemas.PictureTrust, schemas.HeatmapsDone],
    ),
    ("heatmap_png", ("a car",), {"n_items": 1, "streams": ["dino"]}, b"\x89PNG"),
    ("heatmap_array", ("a car",), {"item_ids": ["s000003"], "streams": ["dino"]}, HeatmapArray),
]


def check(answer: Any, expected: Any) -> None:
    """An answer is of its type; of iterators all entries, and at least one."""
    if isinstance(expected, bytes):
        assert answer.startswith(expected)
    elif isinstance(expected, list):
        assert {type(one) for one in answer} == set(expected)
    else:
        assert isinstance(answer, expected)


def test_both_clients_read_every_answer(sparc: SparcClient, client: TestClient) -> None:
    async def scenario() -> None:
        transport = httpx.ASGITransport(client.app)
        async with AsyncSparcClient("http://testserver", transport=transport, retries=0) as asking:
            for method, args, kwargs, expected in CALLS:
                answer = getattr(asking, method)(*args, **kwargs)
                check([one async for one in answer] if hasattr(answer, "__aiter__") else await answer, expected)

    for method, args, kwargs, expected in CALLS:
        answer = getattr(sparc, method)(*args, **kwargs)
        check(list(answer) if isinstance(answer, Iterator) else answer, expected)
    run(scenario())


def test_uploads_can_be_asked_about(sparc: SparcClient) -> None:
    upload = sparc.upload(png())
    check(sparc.upload_image(upload.upload_id, size=32), b"RIFF")
    check(sparc.encode(upload_id=upload.upload_id), schemas.Encoding)
    check(sparc.retrieve(QueryTerm(upload_id=upload.upload_id), target="clip_txt"), schemas.Retrieval)


def test_every_method_is_asked(sparc: SparcClient) -> None:
    methods = {name for name in vars(SparcClient) if not name.startswith("_")}
    beside = {"close", "wait_until_ready", "reload", "upload_image"}  # by tests of their own
    beside |= {"evaluation_comparison", "evaluation_comparison_csv"}  # of two bundles: test_compare_page
    assert {method for method, *_ in CALLS} == methods - beside


def test_reload(sparc: SparcClient, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ApiError) as caught:
        sparc.reload()
    assert (caught.value.status, caught.value.code) == (403, "admin_only")
    monkeypatch.setattr(Access, "_client", lambda *_: Client("root", is_admin=True))
    answer = sparc.reload(verify=True)
    assert answer == schemas.Reloaded(bundle_id=answer.bundle_id, previous_id=answer.bundle_id, changed=False)


def test_readiness(sparc: SparcClient) -> None:
    sparc.wait_until_ready(timeout_s=1)


# The client forgives what it does not know; the contract does not


def test_answers_hold_nothing_that_the_schemas_do_not(client: TestClient) -> None:
    contents: list[bytes] = []

    def handler(request: httpx.Request) -> httpx.Response:
        answer = transport_to(client).handler(request)
        assert isinstance(answer, httpx.Response)
        contents.append(answer.content)
        return answer

    sparc = SparcClient("http://testserver", transport=httpx.MockTransport(handler))
    for method, args, kwargs, _ in CALLS:
        answer = getattr(sparc, method)(*args, **kwargs)
        if isinstance(answer, BaseModel):
            assert type(answer).model_validate_json(contents[-1]) == answer
        elif method == "heatmaps":
            lines = list(answer)
            sent = contents[-1].rstrip(b"\n").split(b"\n")
            assert [type(line).model_validate_json(raw) for line, raw in zip(lines, sent, strict=True)] == lines
    assert TypeAdapter(list[schemas.Label]).validate_json(contents[1]) == sparc.labels()


# It says true things


def test_pages_visit_everything_once(sparc: SparcClient) -> None:
    assert sorted(latent.id for latent in sparc.every_latent(limit=25)) == list(range(64))
    items = [item.item_id for item in sparc.every_item(limit=90)]
    assert len(items) == len(set(items)) == 200
    test = list(sparc.every_item(limit=7, split="test"))
    assert {item.split for item in test} == {"test"}
    assert len(test) == 40


def test_one_heatmap_in_three_forms(sparc: SparcClient) -> None:
    asked: dict[str, Any] = {"caption": "a car", "item_ids": ["s000003"], "streams": ["dino"]}
    lines = list(sparc.heatmaps(**asked))
    (picture,) = (line for line in lines if isinstance(line, schemas.PictureHeatmaps))
    array = sparc.heatmap_array(**asked)
    assert (array.rows, array.columns) == (picture.heatmaps[0].rows, picture.heatmaps[0].columns)
    assert list(array.values) == pytest.approx(picture.heatmaps[0].values, abs=1e-6)
    assert sum(array.values) == pytest.approx(array.score, abs=1e-4)
    with pytest.raises(ApiError, match="a file holds one heatmap"):
        sparc.heatmap_png(caption="a car", n_items=2)


def test_errors_are_the_service_s(sparc: SparcClient) -> None:
    with pytest.raises(ApiError) as caught:
        sparc.latent(99)
    assert (caught.value.status, caught.value.code) == (404, "latent_not_found")
    assert caught.value.request_id
    with pytest.raises(ApiError) as caught:
        list(sparc.heatmaps("a cat", streams=["nope"]))
    assert caught.value.code == "stream_not_found"


def test_ids_arrive_as_they_are(client: TestClient) -> None:
    async def scenario() -> None:
        sparc = AsyncSparcClient("http://testserver", transport=httpx.ASGITransport(client.app))
        for item_id in ("a/b", "s000003/", "../info", "s0?size=3", "%2e", "é#"):
            with pytest.raises(ApiError) as caught:
                await sparc.item(item_id)
            assert caught.value.code == "item_not_found"
            assert f'"{item_id}"' in caught.value.message

    run(scenario())


# The documentation


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", DOCUMENTATION.read_text("utf-8"), re.DOTALL)


def test_every_route_and_method_is_documented() -> None:
    rows = [line for line in DOCUMENTATION.read_text("utf-8").splitlines() if line.startswith(("| `GET", "| `POST"))]
    listed = [row.partition("`")[2].partition("`")[0] for row in rows]
    assert len(listed) == len(set(listed))
    assert set(listed) == {f"{operation.method} {operation.path}" for operation in operations.OPERATIONS}
    methods = {name for name in vars(SparcClient) if not name.startswith("_")} - {"close", "wait_until_ready"}
    assert methods == {name for row in rows for name in re.findall(r"`(\w+)\(\)`", row)}


def test_documented_python_runs(client: TestClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "cat.png").write_bytes(png())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "server.client.SparcClient", lambda _: SparcClient("http://testserver", transport=transport_to(client))
    )
    monkeypatch.setattr(
        "server.client.AsyncSparcClient",
        lambda _: AsyncSparcClient("http://testserver", transport=httpx.ASGITransport(client.app)),
    )
    found = blocks("python")
    assert len(found) > 5
    with ThreadPoolExecutor(1) as pool:  # the last block starts an event loop, see `run`
        pool.submit(exec, "\n".join(found), {"__name__": "documentation"}).result()


@pytest.mark.parametrize("command", [c for block in blocks("sh") for c in block.replace("\\\n", "").split("\ncurl")])
def test_documented_commands_are_answered(client: TestClient, command: str) -> None:
    words = shlex.split(command)
    (address,) = (word for word in words if word.startswith("localhost:8000/"))
    given = {flag: value for flag, value in pairwise(words) if flag in ("-d", "-F")}
    headers = dict(value.split(": ") for flag, value in pairwise(words) if flag == "-H")
    answer = client.request(
        "POST" if given else "GET",
        address.removeprefix("localhost:8000"),
        content=given.get("-d"),
        files={"file": png()} if given.get("-F") == "file=@cat.png" else None,
        headers=headers,
    )
    assert answer.status_code == 200, answer.text
