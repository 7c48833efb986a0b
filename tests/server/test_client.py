"""The Python client: what it sends, and what it refuses to send. `test_client_answers.py` goes on with what comes back.

`test_client_contract.py` asks the real service.
"""

import inspect
import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest

from server import schemas
from server.client import ApiError, AsyncSparcClient, SparcClient, calls, operations, words
from server.client.call import Operation
from server.schemas import LatentAbove, QueryTerm, Region, RetrieveRequest, Where
from sparc_core.heatmap_method import Method
from tests.server import asking
from tests.server.asking import (
    BUSY,
    DONE,
    INFO,
    PICTURE,
    READING,
    answering,
    busy,
    error_of,
    lines,
    nothing_is_sent,
    ok,
)

ROOT = Path(__file__).parents[2]
ask = asking.ask  # the fixture

# What importing it costs


def test_it_is_light() -> None:
    heavy = ("torch", "faiss", "fastapi", "starlette", "numpy", "PIL")
    code = f"import sys, server.client; sys.exit(', '.join(m for m in {heavy} if m in sys.modules) or 0)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


# Nothing is dropped between keywords and request

QUESTIONS: dict[Callable[..., Any], tuple[Operation[Any], set[str]]] = {
    calls.info: (operations.INFO, set()),
    calls.labels: (operations.LABELS, set()),
    calls.evaluation: (operations.EVALUATION, set()),
    calls.evaluation_tables: (operations.EVALUATION_TABLES, set()),
    calls.evaluation_table: (operations.EVALUATION_TABLE, {"name"}),
    calls.evaluation_csv: (operations.EVALUATION_CSV, {"name"}),
    calls.evaluation_latex: (operations.EVALUATION_LATEX, {"name"}),
    calls.evaluation_comparison: (operations.COMPARISON, set()),
    calls.evaluation_comparison_csv: (operations.COMPARISON_CSV, {"name"}),
    calls.latent: (operations.LATENT, {"latent_id"}),
    calls.item: (operations.ITEM, {"item_id"}),
    calls.latents: (operations.LATENTS, set()),
    calls.search_latents: (operations.LATENT_SEARCH, set()),
    calls.mismatches: (operations.MISMATCHES, set()),
    calls.latent_counts: (operations.LATENT_COUNTS, set()),
    calls.latent_map: (operations.LATENT_MAP, set()),
    calls.latent_pairs: (operations.LATENT_PAIRS, set()),
    calls.latent_items: (operations.LATENT_ITEMS, {"latent_id"}),
    calls.coactive_latents: (operations.COACTIVE, {"latent_id"}),
    calls.latent_activation: (operations.ACTIVATION, {"latent_id"}),
    calls.items: (operations.ITEMS, set()),
    calls.image: (operations.IMAGE, {"item_id"}),
    calls.upload_image: (operations.UPLOAD_IMAGE, {"upload_id"}),
    calls.encode: (operations.ENCODE, set()),
    calls.retrieve: (operations.RETRIEVE, set()),
    calls.heatmaps: (operations.HEATMAPS, set()),
    calls.reload: (operations.RELOAD, set()),
    calls.heatmap_png: (operations.HEATMAPS, set()),
    calls.heatmap_array: (operations.HEATMAPS, set()),
    calls.every_latent: (operations.LATENTS, set()),
    calls.every_mismatch: (operations.MISMATCHES, set()),
    calls.every_item: (operations.ITEMS, set()),
}


def fields_of(operation: Operation[Any]) -> dict[str, Any]:
    """The fields of an operation's query and body."""
    query, body = (schema.model_fields if schema else {} for schema in (operation.query, operation.body))
    assert not query.keys() & body.keys(), "a keyword can only go to one of them"
    return {**query, **body}


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.__name__)
def test_keywords_are_the_schema_s_fields_with_its_defaults(question: Callable[..., Any]) -> None:
    operation, in_path = QUESTIONS[question]
    fields = fields_of(operation)
    parameters = dict(inspect.signature(question).parameters)
    for name in in_path:
        assert parameters.pop(name).default is inspect.Parameter.empty
    assert set(parameters) == set(fields)
    for name, field in fields.items():
        expected = inspect.Parameter.empty if field.is_required() else field.default
        assert parameters[name].default == expected, name


def test_every_operation_with_a_schema_is_among_the_questions() -> None:
    with_schema = {o.path for o in operations.OPERATIONS if o.query or o.body}
    assert with_schema == {operation.path for operation, _ in QUESTIONS.values()}


# Each keyword is given something else than its default; what must arrive is written out.
SENT_QUERIES = [
    (
        "latents",
        ("red cat",),
        {
            "alive": "mixed", "active_in": ("dino", "clip_img"), "silent_in": ["clip_txt"], "label": "cat",
            "min_density": 0.1, "max_density": 0.9, "min_alignment": 0.2, "max_alignment": 0.8, "min_purity": 0.3,
            "max_purity": 0.7, "ids": (3, 17), "lasso": "0,0;1,0;0,1", "sort": "purity", "limit": 3, "cursor": "b1-6",
        },
        "query=red+cat&alive=mixed&active_in=dino&active_in=clip_img&silent_in=clip_txt&label=cat&min_density=0.1"
        "&max_density=0.9&min_alignment=0.2&max_alignment=0.8&min_purity=0.3&max_purity=0.7"
        "&ids=3&ids=17&lasso=0%2C0%3B1%2C0%3B0%2C1&sort=purity&limit=3&cursor=b1-6",
    ),
    ("latents", (), {"start": 60}, "start=60"),
    (
        "latent_counts",
        ("red cat",),
        {
            "alive": "mixed", "active_in": ("dino", "clip_img"), "silent_in": ["clip_txt"], "label": "cat",
            "min_density": 0.1, "max_density": 0.9, "min_alignment": 0.2, "max_alignment": 0.8, "min_purity": 0.3,
            "max_purity": 0.7, "ids": (3, 17), "lasso": "0,0;1,0;0,1", "bundle": "b1",
        },
        "bundle=b1&query=red+cat&alive=mixed&active_in=dino&active_in=clip_img&silent_in=clip_txt&label=cat"
        "&min_density=0.1&max_density=0.9&min_alignment=0.2&max_alignment=0.8&min_purity=0.3&max_purity=0.7"
        "&ids=3&ids=17&lasso=0%2C0%3B1%2C0%3B0%2C1",
    ),
    (
        "latent_map",
        ("red cat",),
        {
            "alive": "mixed", "active_in": ("dino", "clip_img"), "silent_in": ["clip_txt"], "label": "cat",
            "min_density": 0.1, "max_density": 0.9, "min_alignment": 0.2, "max_alignment": 0.8, "min_purity": 0.3,
            "max_purity": 0.7, "ids": (3, 17), "lasso": "0,0;1,0;0,1", "stream": "dino", "bundle": "b1",
        },
        "bundle=b1&query=red+cat&alive=mixed&active_in=dino&active_in=clip_img&silent_in=clip_txt&label=cat"
        "&min_density=0.1&max_density=0.9&min_alignment=0.2&max_alignment=0.8&min_purity=0.3&max_purity=0.7"
        "&ids=3&ids=17&lasso=0%2C0%3B1%2C0%3B0%2C1&stream=dino",
    ),
    (
        "latent_pairs",
        ("red cat",),
        {
            "alive": "mixed", "active_in": ("dino", "clip_img"), "silent_in": ["clip_txt"], "label": "cat",
            "min_density": 0.1, "max_density": 0.9, "min_alignment": 0.2, "max_alignment": 0.8, "min_purity": 0.3,
            "max_purity": 0.7, "ids": (3, 17), "lasso": "0,0;1,0;0,1", "first": "dino", "second": "clip_txt",
            "bundle": "b1",
        },
        "bundle=b1&query=red+cat&alive=mixed&active_in=dino&active_in=clip_img&silent_in=clip_txt&label=cat"
        "&min_density=0.1&max_density=0.9&min_alignment=0.2&max_alignment=0.8&min_purity=0.3&max_purity=0.7"
        "&ids=3&ids=17&lasso=0%2C0%3B1%2C0%3B0%2C1&first=dino&second=clip_txt",
    ),
    ("evaluation_comparison", ("b2",), {"bundle": "b1"}, "other=b2&bundle=b1"),
    ("evaluation_comparison_csv", ("names", "b2"), {"bundle": "b1"}, "other=b2&bundle=b1"),
    (
        "mismatches",
        (),
        {"strong": "dino", "weak": "clip_txt", "kind": "different", "at_most": 0.2, "limit": 2, "cursor": "b1-2"},
        "strong=dino&weak=clip_txt&kind=different&at_most=0.2&limit=2&cursor=b1-2",
    ),
    (
        "latent_items",
        (17,),
        {"stream": "dino", "interval": "random", "limit": 9, "seed": 4},
        "stream=dino&interval=random&limit=9&seed=4",
    ),
    (
        "coactive_latents",
        (17,),
        {"stream": "dino", "limit": 3, "bundle": "b1"},
        "stream=dino&limit=3&bundle=b1",
    ),
    ("latent_activation", (17, "a cat"), {"bundle": "b1"}, "bundle=b1"),
    (
        "items",
        (),
        {"split": "test", "label": "cat", "caption": "in the snow", "limit": 2, "cursor": "b1-2"},
        "split=test&label=cat&caption=in+the+snow&limit=2&cursor=b1-2",
    ),
    ("image", ("s1",), {"size": 64, "bundle": "b1"}, "size=64&bundle=b1"),
    ("upload_image", ("u1",), {"size": 64, "bundle": "b1"}, "size=64&bundle=b1"),
    *[(method, (), {"bundle": "b1"}, "bundle=b1") for method in ("info", "labels", "evaluation", "evaluation_tables")],
    *[(f"evaluation_{kind}", ("probes",), {"bundle": "b1"}, "bundle=b1") for kind in ("table", "csv", "latex")],
    *[(method, (17,), {"bundle": "b1"}, "bundle=b1") for method in ("latent", "item")],
    *[(method, ("a",), {"bundle": "b1"}, "bundle=b1") for method in ("search_latents", "encode", "heatmaps")],
    *[(method, (), {"bundle": "b1"}, "bundle=b1") for method in ("latents", "items")],
    ("mismatches", (), {"strong": "dino", "weak": "clip_txt", "bundle": "b1"}, "strong=dino&weak=clip_txt&bundle=b1"),
    ("mismatches", (), {"strong": "dino", "weak": "clip_txt", "start": 60}, "strong=dino&weak=clip_txt&start=60"),
    ("latent_items", (17,), {"stream": "dino", "bundle": "b1"}, "stream=dino&bundle=b1"),
    ("retrieve", ("a cat",), {"bundle": "b1"}, "bundle=b1"),
    ("retrieve", (RetrieveRequest(query=[QueryTerm(latent=3)]),), {"bundle": "b1"}, "bundle=b1"),
]  # fmt: skip

TERMS = [
    "a cat",
    QueryTerm(item_id="s1", weight=-0.5, stream="dino"),
    QueryTerm(upload_id="u1"),
    QueryTerm(latent=17, weight=2),
]
WHERE = Where(labels=("cat",), split="test", latents=(LatentAbove(latent=3, above=0.5, stream="dino"),))
SENT_BODIES = [
    ("search_latents", ("cat",), {"stream": "clip_txt", "limit": 3}, {"text": "cat", "stream": "clip_txt", "limit": 3}),
    ("search_latents", (), {"item_ids": ("s1", "s2")}, {"item_ids": ["s1", "s2"]}),
    (
        "search_latents",
        (),
        {"item_id": "s1", "region": Region(left=0, top=0.25, right=0.5, bottom=1)},
        {"item_id": "s1", "region": {"left": 0, "top": 0.25, "right": 0.5, "bottom": 1}},
    ),
    ("search_latents", (), {"upload_id": "u1"}, {"upload_id": "u1"}),
    ("latent_activation", (17, "a cat"), {"streams": ["clip_txt"]}, {"text": "a cat", "streams": ["clip_txt"]}),
    (
        "latent_activation",
        (17,),
        {"item_id": "s1", "region": Region(left=0, top=0.25, right=0.5, bottom=1)},
        {"item_id": "s1", "region": {"left": 0, "top": 0.25, "right": 0.5, "bottom": 1}},
    ),
    ("latent_activation", (17,), {"upload_id": "u1"}, {"upload_id": "u1"}),
    ("encode", ("a cat",), {"streams": ["clip_txt"]}, {"text": "a cat", "streams": ["clip_txt"]}),
    ("encode", (), {"item_id": "s1"}, {"item_id": "s1"}),
    ("encode", (), {"upload_id": "u1"}, {"upload_id": "u1"}),
    ("retrieve", ("a cat",), {"target": "dino"}, {"query": [{"text": "a cat"}], "target": "dino"}),
    ("retrieve", (QueryTerm(latent=17),), {}, {"query": [{"latent": 17}]}),
    ("retrieve", (RetrieveRequest(query=[TERMS[2]], limit=3),), {}, {"query": [{"upload_id": "u1"}], "limit": 3}),
    (
        "retrieve",
        (TERMS,),
        {"way": "latent", "measure": "dot", "where": WHERE, "leave_out_query": False, "limit": 3},
        {
            "query": [
                {"text": "a cat"},
                {"item_id": "s1", "weight": -0.5, "stream": "dino"},
                {"upload_id": "u1"},
                {"latent": 17, "weight": 2},
            ],
            "measure": "dot",
            "where": {"labels": ["cat"], "split": "test", "latents": [{"latent": 3, "above": 0.5, "stream": "dino"}]},
            "leave_out_query": False,
            "limit": 3,
        },
    ),
    ("retrieve", ("a cat",), {"way": "reconstruction"}, {"query": [{"text": "a cat"}], "way": "reconstruction"}),
    (
        "heatmaps",
        ("a cat",),
        {"latents": [3, 4], "item_ids": ["s1"], "streams": ("dino",), "method": "gradcam", "layers": 2, "trust": True},
        {
            "caption": "a cat", "latents": [3, 4], "item_ids": ["s1"], "streams": ["dino"], "method": "gradcam",
            "layers": 2, "trust": True,
        },
    ),
    ("heatmaps", ("a",), {"n_items": 3, "target": "code"}, {"caption": "a", "n_items": 3, "target": "code"}),
    ("reload", (), {"verify": True}, {"verify": True}),
    ("heatmap_array", ("a cat",), {"upload_id": "u1"}, {"caption": "a cat", "upload_id": "u1"}),
]  # fmt: skip


@pytest.mark.parametrize(("method", "args", "kwargs", "expected"), SENT_QUERIES)
def test_every_keyword_reaches_the_query(
    ask: Callable[..., Any], method: str, args: tuple[Any, ...], kwargs: dict[str, Any], expected: str
) -> None:
    handler, seen = answering(httpx.Response(404, json=BUSY))
    error_of(ask, handler, method, *args, **kwargs)
    assert sorted(seen[0].url.params.multi_items()) == sorted(httpx.QueryParams(expected).multi_items())


@pytest.mark.parametrize(("method", "args", "kwargs", "expected"), SENT_BODIES)
def test_every_keyword_reaches_the_body(
    ask: Callable[..., Any], method: str, args: tuple[Any, ...], kwargs: dict[str, Any], expected: dict[str, Any]
) -> None:
    handler, seen = answering(httpx.Response(404, json=BUSY))
    error_of(ask, handler, method, *args, **kwargs)
    assert json.loads(seen[0].content) == expected
    assert seen[0].headers["content-type"] == "application/json"


def test_these_examples_leave_no_field_out() -> None:
    sent = {(m, name) for m, _, _, query in SENT_QUERIES for name in httpx.QueryParams(query)}
    sent |= {(m.replace("heatmap_array", "heatmaps"), name) for m, _, _, body in SENT_BODIES for name in body}
    fields = {(q.__name__, name) for q, (operation, _) in QUESTIONS.items() for name in fields_of(operation)}
    assert sent == {(q, name) for q, name in fields if not q.startswith(("every_", "heatmap_"))}


@pytest.mark.parametrize(
    ("words_of", "enumeration"),
    [
        (words.SortWord, schemas.LatentSort),
        (words.AliveWord, schemas.Alive),
        (words.IntervalWord, schemas.Interval),
        (words.MismatchWord, schemas.MismatchKind),
        (words.WayWord, schemas.Way),
        (words.MeasureWord, schemas.Measure),
        (words.TargetWord, schemas.HeatmapTarget),
        (words.MethodWord, Method),
    ],
)
def test_words_are_those_of_the_contract(words_of: Any, enumeration: Any) -> None:
    kind, literal = get_args(words_of)
    assert kind is enumeration
    assert set(get_args(literal)) == {one.value for one in enumeration}


def test_both_clients_have_the_same_methods_and_notebooks_see_them() -> None:
    public = [{n for n in vars(kind) if not n.startswith("_")} for kind in (SparcClient, AsyncSparcClient)]
    assert public[0] == public[1]
    for kind in (SparcClient(), AsyncSparcClient()):
        assert "cursor" in inspect.signature(kind.latents).parameters
        assert "self" not in inspect.signature(kind.heatmap_png).parameters
        assert kind.retrieve.__name__ == "retrieve"
        for name in public[0]:
            assert inspect.getdoc(getattr(kind, name)), name
    assert inspect.signature(SparcClient.info).return_annotation is schemas.Info
    assert inspect.signature(SparcClient.every_item).return_annotation == Iterator[schemas.ItemSummary]


# What cannot be is said before anything is sent

IMPOSSIBLE = [
    ("latents", (), {"limit": 500}, "limit", "limit: input should be less than or equal to 200, and this is 500"),
    ("latents", (), {"sort": "beauty"}, "sort", "'beauty'"),
    ("latents", (), {"active_in": "dino"}, "active_in", "'dino'"),
    ("latent_items", (17,), {"stream": "dino", "interval": "near"}, "interval", "'near_miss', and this is 'near'"),
    ("encode", (), {}, "", "name exactly one of text, item_id and upload_id"),
    ("retrieve", ("  ",), {}, "query.0.text", "at least 1 character"),
    ("retrieve", (["a"] * 17,), {}, "query", "at most 16"),
    ("retrieve", ("a",), {"way": "backbone", "measure": "dot"}, "", "measure dot compares codes"),
    ("retrieve", (RetrieveRequest(query=[QueryTerm(latent=3)]),), {"target": "dino"}, "target", "set it there"),
    ("heatmaps", ("a",), {"item_ids": ["s1"], "upload_id": "u1"}, "", "not both"),
    ("heatmap_png", (), {}, "", "name a caption, latents, or both"),
    ("item", ("",), {}, "item_id", "item_id is empty"),
    ("heatmaps", ("a",), {"bundle": "b" * 17}, "bundle", "at most 16 characters"),
    ("every_item", (), {"limit": 0}, "limit", "and this is 0"),
]


@pytest.mark.parametrize(("method", "args", "kwargs", "field", "said"), IMPOSSIBLE)
def test_impossible_arguments_are_refused_unsent(
    ask: Callable[..., Any], method: str, args: tuple[Any, ...], kwargs: dict[str, Any], field: str, said: str
) -> None:
    error = error_of(ask, nothing_is_sent, method, *args, **kwargs)
    assert (error.status, error.code, error.detail) == (None, "invalid_request", {"field": field})
    assert said in error.message
    assert len(error.message) < 250


def test_misspelt_keywords_are_refused_unsent(ask: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match=r"latents\(\) got an unexpected keyword argument 'lable'"):
        ask(nothing_is_sent, "latents", lable="cat")


def test_iterators_check_their_arguments_when_they_are_made() -> None:
    client = SparcClient(transport=httpx.MockTransport(nothing_is_sent))
    with pytest.raises(ApiError):
        client.heatmaps()
    with pytest.raises(ApiError):
        client.every_latent(limit=0)


@pytest.mark.parametrize("address", ["localhost:8000", "", "ftp://localhost", "http://", "http://localhost:port"])
def test_an_address_that_is_none(address: str) -> None:
    for kind in (SparcClient, AsyncSparcClient):
        with pytest.raises(ApiError, match=r"give one like http://127\.0\.0\.1:8000"):
            kind(address)


@pytest.mark.parametrize("api_key", ["", "two words", "schlüssel", "a\nb"])
def test_a_key_that_no_header_can_carry(api_key: str) -> None:
    with pytest.raises(ApiError) as caught:
        SparcClient(api_key=api_key)
    assert not api_key or api_key not in str(caught.value)


@pytest.mark.parametrize("timeout_s", [0, -1, float("inf"), float("nan")])
def test_a_time_in_which_no_answer_can_come(timeout_s: float) -> None:
    with pytest.raises(ApiError, match="timeout_s is"):
        SparcClient(timeout_s=timeout_s)


# What is sent beside


def test_headers_and_addresses() -> None:
    handler, seen = answering(ok(INFO))
    client = SparcClient(
        "https://example.org/sparc/", api_key="k3y\n", timeout_s=1.5, transport=httpx.MockTransport(handler)
    )
    assert client.info() == INFO
    assert str(seen[0].url) == "https://example.org/sparc/api/v1/info"
    assert seen[0].headers["authorization"] == "Bearer k3y"
    assert seen[0].headers["x-deadline-ms"] == "1500"
    assert seen[0].headers["user-agent"].startswith("sparc-client/")
    assert "k3y" not in repr(client)
    SparcClient(transport=httpx.MockTransport(handler)).info()
    assert "authorization" not in seen[1].headers


def test_lines_have_no_deadline_since_they_may_go_on(ask: Callable[..., Any]) -> None:
    handler, seen = answering(httpx.Response(200, content=lines(READING, PICTURE, DONE)))
    assert ask(handler, "heatmaps", "a cat") == [READING, PICTURE, DONE]
    assert "x-deadline-ms" not in seen[0].headers
    assert seen[0].headers["accept"] == "application/x-ndjson"


def test_ids_are_quoted_whole(ask: Callable[..., Any]) -> None:
    handler, seen = answering(httpx.Response(404, json=BUSY))
    error_of(ask, handler, "item", "a/b c?d#e%2Fé")
    error_of(ask, handler, "image", "x/image")
    assert seen[0].url.raw_path == b"/api/v1/items/a%2Fb%20c%3Fd%23e%252F%C3%A9"
    assert seen[1].url.raw_path == b"/api/v1/items/x%2Fimage/image"


@pytest.mark.parametrize("kind", ["path", "name", "bytes", "file"])
def test_uploads_of_any_kind(ask: Callable[..., Any], tmp_path: Path, kind: str) -> None:
    path = tmp_path / "cat.png"
    path.write_bytes(b"a cat")
    file = {"path": path, "name": str(path), "bytes": b"a cat", "file": io.BytesIO(b"a cat")}[kind]
    upload = schemas.Upload(upload_id="u1", width=3, height=2)
    handler, seen = answering(busy("0"), ok(upload))
    assert ask(handler, "upload", file) == upload
    assert len(seen) == 2
    for request in seen:  # the second time as whole as the first
        assert b'name="file"' in request.content
        assert b"\r\n\r\na cat\r\n" in request.content
        assert (b'filename="cat.png"' in request.content) == (kind in ("path", "name"))
