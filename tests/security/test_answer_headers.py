"""The headers that every answer carries, whatever kind of answer it is."""

import io
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from tests.server.small_app import small_client

# By hand: a browser's rules, not ours, say what each of these must be.
POLICY = {
    "default-src 'self'",
    "img-src 'self' blob: data:",
    "style-src 'self' 'unsafe-inline'",
    "object-src 'none'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
    "form-action 'self'",
}
HTML = {"Accept": "text/html"}


def assert_guarded(answer: httpx.Response) -> None:
    assert set(answer.headers["content-security-policy"].split("; ")) == POLICY
    for name, value in {
        "cross-origin-resource-policy": "same-origin",
        "referrer-policy": "same-origin",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
    }.items():
        assert answer.headers.get_list(name) == [value]
    assert not [name for name in answer.headers if name.startswith("access-control-")]


def a_picture() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (8, 8)).save(out, "PNG")
    return out.getvalue()


ANSWERS: dict[str, tuple[int, str, str, dict[str, Any]]] = {
    "page": (200, "GET", "/evaluation", {}),
    "api": (200, "GET", "/api/v1/info", {}),
    "picture": (200, "GET", "/api/v1/items/s000003/image", {}),
    "stream": (200, "POST", "/api/v1/heatmaps", {"json": {"caption": "a cat", "n_items": 1, "streams": ["dino"]}}),
    "file": (200, "GET", "/api/v1/evaluation/tables/reconstruction/csv", {}),
    "upload": (200, "POST", "/api/v1/uploads", {"files": {"file": ("a.png", a_picture())}}),
    "metrics": (200, "GET", "/metrics", {}),
    "health": (200, "GET", "/healthz", {}),
    "redirect": (303, "GET", "/search?q=a+cat", {}),
    "not found": (404, "GET", "/nowhere", {}),
    "not found, as a page": (404, "GET", "/nowhere", {"headers": HTML}),
    "wrong method": (405, "DELETE", "/api/v1/info", {}),
    "preflight": (405, "OPTIONS", "/api/v1/info", {"headers": {"Origin": "https://elsewhere.example"}}),
    "trace": (405, "TRACE", "/", {}),
    "too large": (413, "POST", "/api/v1/uploads", {"content": bytes(400_000)}),
    "invalid": (422, "GET", "/api/v1/latents?limit=x", {}),
    "invalid deadline": (422, "GET", "/", {"headers": {"X-Deadline-Ms": "x"}}),
    "another site": (403, "POST", "/api/v1/retrieve", {"headers": {"Sec-Fetch-Site": "cross-site"}}),
    "unknown host": (403, "GET", "/", {"headers": {"Host": "elsewhere.example"}}),
}


@pytest.mark.parametrize("kind", ANSWERS)
def test_every_kind_of_answer_is_guarded_and_private(client: TestClient, kind: str) -> None:
    status, method, path, how = ANSWERS[kind]
    answer = client.request(method, path, follow_redirects=False, **how)
    assert answer.status_code == status, answer.text[:300]
    assert_guarded(answer)
    # A shared cache on the way must not keep it: with keys, others would get it without one.
    assert answer.headers["cache-control"].startswith("private") or answer.headers["cache-control"] == "no-store"


def test_an_answer_that_changed_nothing(client: TestClient) -> None:
    tag = client.get("/api/v1/info").headers["etag"]
    answer = client.get("/api/v1/info", headers={"If-None-Match": tag})
    assert answer.status_code == 304
    assert_guarded(answer)
    assert answer.headers["cache-control"] == "private, no-cache"


@pytest.mark.parametrize("path", ["/static/css/base.css", "/static/vendor/plotly.min.js", "/static/nowhere.js"])
def test_static_files_are_everybodys(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert_guarded(answer)
    assert "cache-control" not in answer.headers


def test_refusals_before_the_routes(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(f"ann {'0' * 64}\n")
    limited = small_client(rate_limit="1/hour")
    answers = [
        (401, small_client(api_keys=tmp_path / "keys").get("/api/v1/me")),
        (500, small_client().get("/api/v1/explode")),
        (503, small_client().get("/readyz")),
        (200, limited.get("/api/v1/me")),
        (429, limited.get("/api/v1/me")),
    ]
    for status, answer in answers:
        assert answer.status_code == status
        assert_guarded(answer)
        assert answer.headers["cache-control"] == "private, no-cache"


def test_files_are_sent_as_files(client: TestClient) -> None:
    """A table's cells come from the corpus: no browser may show it as a page of ours."""
    answer = client.get("/api/v1/evaluation/tables/reconstruction/csv")
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="reconstruction.csv"'
