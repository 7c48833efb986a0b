"""Every error has the one body: a code, a sentence without insides, facts."""

import pytest
from fastapi.testclient import TestClient

from server import schemas
from tests.server.pictures import huge_png, png


def error_of(client: TestClient, method: str, path: str, **kwargs: object) -> tuple[int, schemas.ErrorDetail]:
    answer = client.request(method, path, **kwargs)  # type: ignore[arg-type]
    detail = schemas.ErrorBody.model_validate(answer.json()).error
    assert "Traceback" not in answer.text
    assert ".py" not in detail.message
    assert "/" not in detail.message.replace(path, "").replace("application/json", "").replace("GIF or", "")
    assert len(detail.message) < 300
    return answer.status_code, detail


BAD_REQUESTS = [
    ("GET", "/api/v1/latents/999999", {}, 404, "latent_not_found"),
    ("GET", "/api/v1/latents/-1", {}, 404, "page_not_found"),
    ("GET", "/api/v1/latents/one", {}, 404, "page_not_found"),
    ("GET", "/api/v1/latents/search", {}, 405, "method_not_allowed"),
    ("GET", "/api/v1/latents/" + "9" * 30, {}, 404, "page_not_found"),
    ("POST", "/api/v1/retrieve", {"json": {"query": [{"text": "a"}], "limit": "3"}}, 422, "invalid_request"),
    ("POST", "/api/v1/retrieve", {"json": {"query": [{"text": "a"}], "leave_out_query": 0}}, 422, "invalid_request"),
    ("GET", "/api/v1/latents/0/items?stream=nope", {}, 404, "stream_not_found"),
    ("GET", "/api/v1/latents/0/items", {}, 422, "invalid_request"),
    ("GET", "/api/v1/latents/0/items?stream=dino&limit=0", {}, 422, "invalid_request"),
    ("GET", "/api/v1/latents?sort=beauty", {}, 422, "invalid_request"),
    ("GET", "/api/v1/latents?alive=undead", {}, 422, "invalid_request"),
    ("GET", "/api/v1/latents?cursor=abc", {}, 422, "invalid_input"),
    ("GET", "/api/v1/latents?cursor=999999", {}, 422, "invalid_input"),
    ("GET", "/api/v1/items/nobody", {}, 404, "item_not_found"),
    ("GET", "/api/v1/items/nobody/image", {}, 404, "item_not_found"),
    ("GET", "/api/v1/items/s000000/image?size=100000", {}, 422, "invalid_request"),
    ("GET", "/api/v1/nothing", {}, 404, "page_not_found"),
    ("PUT", "/api/v1/info", {}, 405, "method_not_allowed"),
    ("POST", "/api/v1/heatmaps", {"json": {"caption": ""}}, 422, "invalid_request"),
    ("POST", "/api/v1/heatmaps", {"json": {"caption": "  \n "}}, 422, "invalid_request"),
    ("POST", "/api/v1/heatmaps", {"json": {"caption": "x" * 10_000}}, 422, "invalid_request"),
    ("POST", "/api/v1/heatmaps", {"json": {"captoin": "a cat"}}, 422, "invalid_request"),
    ("POST", "/api/v1/heatmaps", {"json": {"caption": "a cat", "streams": ["nope"]}}, 404, "stream_not_found"),
    ("POST", "/api/v1/heatmaps", {"json": {"caption": "a cat", "streams": ["clip_txt"]}}, 422, "invalid_input"),
    ("POST", "/api/v1/heatmaps", {"json": {"caption": "a cat", "item_ids": ["nobody"]}}, 404, "item_not_found"),
    ("POST", "/api/v1/heatmaps", {"json": {"caption": "a cat", "upload_id": "gone"}}, 404, "upload_not_found"),
    ("POST", "/api/v1/heatmaps", {"json": {"caption": "a", "upload_id": "x", "item_ids": []}}, 422, "invalid_request"),
    ("POST", "/api/v1/heatmaps", {"content": b"{"}, 422, "invalid_request"),
    ("POST", "/api/v1/retrieve", {"json": {}}, 422, "invalid_request"),
    ("POST", "/api/v1/retrieve", {"json": {"query": [{"text": "a", "item_id": "s000000"}]}}, 422, "invalid_request"),
    ("POST", "/api/v1/retrieve", {"json": {"query": [{"text": "a", "stream": "dino"}]}}, 422, "invalid_input"),
    ("POST", "/api/v1/retrieve", {"json": {"query": [{"text": "a"}], "target": "nope"}}, 404, "stream_not_found"),
    ("POST", "/api/v1/retrieve", {"json": {"query": [{"item_id": "nobody"}]}}, 404, "item_not_found"),
    ("POST", "/api/v1/uploads", {}, 422, "invalid_request"),
    ("POST", "/api/v1/uploads", {"files": {"file": b""}}, 422, "not_a_picture"),
    ("POST", "/api/v1/uploads", {"files": {"file": b"Dear Sir,\n"}}, 422, "not_a_picture"),
    ("POST", "/api/v1/uploads", {"files": {"file": png()[:60]}}, 422, "not_a_picture"),
    ("POST", "/api/v1/uploads", {"files": {"file": huge_png()}}, 413, "upload_too_large"),
    ("POST", "/api/v1/uploads", {"files": {"file": bytes(400_000)}}, 413, "upload_too_large"),
]


@pytest.mark.parametrize(("method", "path", "body", "status", "code"), BAD_REQUESTS)
def test_bad_requests(
    client: TestClient, method: str, path: str, body: dict[str, object], status: int, code: str
) -> None:
    seen, detail = error_of(client, method, path, **body)
    assert (seen, detail.code) == (status, code), detail.message


def test_messages_say_what_was_seen_and_expected(client: TestClient) -> None:
    _, unknown = error_of(client, "GET", "/api/v1/latents/999999")
    assert unknown.message == "there is no latent 999999: this bundle has latents 0 to 63"
    _, long = error_of(client, "POST", "/api/v1/heatmaps", json={"caption": "x" * 10_000})
    assert long.message == "caption has 10,000 characters, at most 500 are read: shorten it"
    _, empty = error_of(client, "POST", "/api/v1/retrieve", json={"query": [{"text": ""}]})
    assert empty.message == "query.0.text is empty: type at least one word"
    _, huge = error_of(client, "POST", "/api/v1/uploads", files={"file": huge_png()})
    assert huge.message.startswith("the picture has 20,000 x 20,000 pixels, at most 40 million are accepted")
    headers = {"content-type": "application/json"}
    _, broken = error_of(client, "POST", "/api/v1/retrieve", content=b"{", headers=headers)
    assert broken.message == "the body of the request is not valid JSON"
    _, nothing = error_of(client, "POST", "/api/v1/retrieve", json={})
    assert nothing.message == "query: Field required"
    _, long_query = error_of(client, "GET", "/api/v1/latents?query=" + "x" * 201)
    assert long_query.message == "query has 201 characters, at most 200 are read: shorten it"
    _, misspelt = error_of(client, "POST", "/api/v1/heatmaps", json={"caption": "a", "n_itmes": 3})
    assert misspelt.detail["field"] == "n_itmes"


def test_a_large_body_of_unknown_length_is_refused_too(client: TestClient) -> None:
    def pieces() -> object:
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
        for _ in range(40):
            yield bytes(20_000)

    answer = client.post(
        "/api/v1/uploads", content=pieces(), headers={"content-type": "multipart/form-data; boundary=x"}
    )  # type: ignore[arg-type]
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "upload_too_large"


def test_browsers_get_error_pages_and_programs_get_json(client: TestClient) -> None:
    page = client.get("/latents/999999", headers={"accept": "text/html"})
    assert page.status_code == 404
    assert "here is no latent 999999" in page.text
    assert page.headers["content-type"].startswith("text/html")
    assert client.get("/latents/999999", headers={"accept": "application/json"}).json()["error"]["code"]


def test_an_unexpected_error_says_nothing_of_the_inside(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(*_: object) -> None:
        raise RuntimeError("secret path /etc/somewhere")

    monkeypatch.setattr(client.app.state.serving.explorer.latents, "latent", explode)  # type: ignore[attr-defined]
    status, detail = error_of(client, "GET", "/api/v1/latents/0")
    assert (status, detail.code) == (500, "internal_error")
    assert "secret" not in detail.message


def test_numbers_of_thousands_of_digits_are_no_latents(client: TestClient) -> None:
    assert client.get("/api/v1/latents/" + "9" * 5000).status_code == 404
