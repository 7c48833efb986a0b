"""Every route of the API answers its schema, and says true things of the bundle."""

import io
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from server import schemas
from sparc_core.bundle import Bundle


@pytest.fixture(scope="module")
def bundle(tiny_bundle: Path) -> Bundle:
    return Bundle.open(tiny_bundle)


def lively_latent(bundle: Bundle) -> int:
    """A latent with many items in every stream."""
    streams = [s.name for s in bundle.manifest.streams]
    return max(
        range(bundle.manifest.sparc.n_latents),
        key=lambda latent: min(bundle.postings(s).n_items_of(latent) for s in streams),
    )


def test_every_api_route_is_tested_here(client: TestClient) -> None:
    assert set(client.get("/openapi.json").json()["paths"]) == {
        "/api/v1/info",
        "/api/v1/latents",
        "/api/v1/latents/{latent_id}",
        "/api/v1/latents/{latent_id}/items",
        "/api/v1/items/{item_id}",
        "/api/v1/items/{item_id}/image",
        "/api/v1/uploads",
        "/api/v1/retrieve",
        "/api/v1/heatmaps",
        "/healthz",
        "/readyz",
    }


def test_health_and_readiness(client: TestClient, bundle: Bundle) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {"status": "ready", "bundle_id": bundle.manifest.bundle_id}


def test_info_says_what_the_manifest_says(client: TestClient, bundle: Bundle) -> None:
    info = schemas.Info.model_validate(client.get("/api/v1/info").json())
    assert info.bundle_id == bundle.manifest.bundle_id
    assert info.n_items == len(bundle.items) == 200
    assert [s.name for s in info.streams] == ["dino", "clip_img", "clip_txt"]
    assert info.device == "cpu"


@pytest.mark.parametrize("sort", list(schemas.LatentSort))
def test_pages_of_the_gallery_visit_every_latent_once_in_order(
    client: TestClient, bundle: Bundle, sort: schemas.LatentSort
) -> None:
    seen: list[schemas.LatentSummary] = []
    cursor: str | None = None
    while True:
        params = {"sort": sort.value, "limit": 25, **({"cursor": cursor} if cursor else {})}
        page = schemas.LatentPage.model_validate(client.get("/api/v1/latents", params=params).json())
        seen += page.latents
        cursor = page.next_cursor
        if cursor is None:
            break
    assert sorted(latent.id for latent in seen) == list(range(bundle.manifest.sparc.n_latents))
    assert page.total == len(seen) == sum(page.counts.values())
    if sort is schemas.LatentSort.id:
        assert [latent.id for latent in seen] == list(range(len(seen)))
    else:
        keys = [getattr(latent, sort.value) for latent in seen]
        defined = [key for key in keys if key is not None]
        assert defined == sorted(defined, reverse=True)
        assert None not in keys[: len(defined)], "latents without a value come last"


def test_filters_count_and_search_by_name_and_number(client: TestClient) -> None:
    everything = schemas.LatentPage.model_validate(client.get("/api/v1/latents", params={"limit": 200}).json())
    for alive in schemas.Alive:
        page = schemas.LatentPage.model_validate(
            client.get("/api/v1/latents", params={"alive": alive.value, "limit": 200}).json()
        )
        assert page.total == everything.counts[alive]
        assert {latent.alive for latent in page.latents} <= {alive}
    wanted = everything.latents[3]
    found = client.get("/api/v1/latents", params={"query": wanted.name.upper(), "limit": 200}).json()["latents"]
    assert wanted.id in [latent["id"] for latent in found]
    by_number = client.get("/api/v1/latents", params={"query": f"#{wanted.id}"}).json()["latents"]
    assert [latent["id"] for latent in by_number] == [wanted.id]
    quoted = client.get("/api/v1/latents", params={"query": f'"{wanted.name}"', "limit": 200}).json()["latents"]
    assert quoted == found
    for nothing in ("no such name anywhere", "#64", "9" * 200):
        assert client.get("/api/v1/latents", params={"query": nothing}).json()["total"] == 0
    assert client.get("/", params={"query": "9" * 200}).status_code == 200
    assert client.get("/", params={"query": "9" * 5000}, headers={"accept": "text/html"}).status_code == 422


def test_a_latent_agrees_with_the_codes(client: TestClient, bundle: Bundle) -> None:
    number = lively_latent(bundle)
    latent = schemas.Latent.model_validate(client.get(f"/api/v1/latents/{number}").json())
    for stream in latent.streams:
        codes = bundle.codes(stream.stream)
        column = np.where(codes.latents == number, codes.activations, 0).max(1)
        assert stream.density == pytest.approx((column > 0).mean(), abs=1e-6)
        assert stream.max_activation == pytest.approx(column.max(), rel=1e-3)
        histogram = next(h for h in latent.histograms if h.stream == stream.stream)
        assert sum(histogram.counts) == (column > 0).sum()
    assert latent.next_id == number + 1 or latent.next_id is None
    similarities = [near.similarity for near in latent.nearest]
    assert similarities == sorted(similarities, reverse=True)


def test_strongest_items_are_the_strongest(client: TestClient, bundle: Bundle) -> None:
    number = lively_latent(bundle)
    for stream in ("dino", "clip_txt"):
        answer = client.get(f"/api/v1/latents/{number}/items", params={"stream": stream, "limit": 5})
        items = schemas.LatentItems.model_validate(answer.json())
        codes = bundle.codes(stream)
        column = np.where(codes.latents == number, codes.activations, 0).max(1).astype(float)
        expected = np.sort(column)[::-1][:5]
        assert [item.activation for item in items.items] == pytest.approx(expected[expected > 0].tolist())
        assert items.total == (column > 0).sum()


def test_an_item_and_its_picture(client: TestClient, bundle: Bundle) -> None:
    item = schemas.Item.model_validate(client.get("/api/v1/items/s000007").json())
    row = bundle.items.row_of("s000007")
    assert item.caption == bundle.items[row].caption
    assert item.codes["dino"][0].activation == pytest.approx(float(bundle.codes("dino").activations[row].max()))
    answer = client.get("/api/v1/items/s000007/image", params={"size": 64})
    assert answer.headers["content-type"] == "image/webp"
    assert Image.open(io.BytesIO(answer.content)).size == (64, 64)


def test_retrieval_by_text_is_exact_and_explained(client: TestClient, bundle: Bundle) -> None:
    body = {"text": "a red car in the snow", "limit": 10}
    found = schemas.Retrieval.model_validate(client.post("/api/v1/retrieve", json=body).json())
    assert (found.source, found.target) == ("clip_txt", "clip_img")
    n_latents = bundle.manifest.sparc.n_latents
    query = np.zeros(n_latents)
    for entry in found.query_code:
        query[entry.latent] = entry.activation
    codes = bundle.codes("clip_img", "local")
    dense = np.zeros((len(bundle.items), n_latents))
    np.put_along_axis(dense, codes.latents.astype(int), codes.activations.astype(float), 1)
    norms = np.linalg.norm(dense, axis=1) * np.linalg.norm(query)
    expected = np.divide(dense @ query, norms, out=np.zeros(len(dense)), where=norms > 0)
    best = np.sort(expected)[::-1][:10]
    assert [hit.score for hit in found.hits] == pytest.approx(best[best > 0].tolist(), abs=1e-3)
    for hit in found.hits:
        assert sum(part.share for part in hit.shared) == pytest.approx(1, abs=1e-5)
        assert hit.score == pytest.approx(expected[bundle.items.row_of(hit.item_id)], abs=1e-3)
    assert found.words is not None
    assert [word.text for word in found.words] == ["a", "red", "car", "in", "the", "snow"]
    assert max(word.relevance for word in found.words) == pytest.approx(1)


def test_retrieval_by_an_item_leaves_the_item_out(client: TestClient) -> None:
    found = client.post("/api/v1/retrieve", json={"item_id": "s000003", "target": "clip_txt", "limit": 200}).json()
    assert (found["source"], found["target"]) == ("clip_img", "clip_txt")
    assert "s000003" not in [hit["item_id"] for hit in found["hits"]]


def test_the_service_sees_a_stored_picture_as_the_builder_saw_it(client: TestClient, bundle: Bundle) -> None:
    stored = bundle.media_path(bundle.items.row_of("s000005")).read_bytes()
    upload = schemas.Upload.model_validate(client.post("/api/v1/uploads", files={"file": stored}).json())
    for source in ("dino", "clip_img"):
        body = {"upload_id": upload.upload_id, "source": source, "target": source, "limit": 1}
        hit = client.post("/api/v1/retrieve", json=body).json()["hits"][0]
        assert hit["item_id"] == "s000005"
        assert hit["score"] == pytest.approx(1, abs=2e-3)


def test_answers_carry_security_headers_and_timing(client: TestClient) -> None:
    for path in ("/", "/api/v1/info", "/static/css/tokens.css", "/nowhere"):
        headers = client.get(path).headers
        assert "default-src 'self'" in headers["content-security-policy"], path
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["server-timing"].startswith("total;dur=")
