"""Every route of the API answers its schema, and says true things of the bundle."""

import io

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from server import schemas
from sparc_core.bundle import Bundle


def lively_latent(bundle: Bundle) -> int:
    """A latent with many items in every stream."""
    streams = [s.name for s in bundle.manifest.streams]
    return max(
        range(bundle.manifest.sparc.n_latents),
        key=lambda latent: min(bundle.postings(s).n_items_of(latent) for s in streams),
    )


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


def test_answers_carry_security_headers_and_timing(client: TestClient) -> None:
    for path in ("/", "/api/v1/info", "/static/css/tokens.css", "/nowhere"):
        headers = client.get(path).headers
        assert "default-src 'self'" in headers["content-security-policy"], path
        assert headers["x-content-type-options"] == "nosniff"
        assert "total;dur=" in headers["server-timing"]


def test_every_example_of_the_description_is_answered(client: TestClient) -> None:
    description = client.get("/openapi.json").json()
    asked = []
    for path, operations in description["paths"].items():
        body = operations.get("post", {}).get("requestBody", {}).get("content", {}).get("application/json")
        if body is None or "admin" in path:
            continue
        examples = description["components"]["schemas"][body["schema"]["$ref"].rpartition("/")[2]]["examples"]
        for example in examples:
            answer = client.post(path.replace("{latent_id}", "3"), json=example)
            assert answer.status_code == 200, (path, example, answer.text)
            asked.append(path)
    assert {path.rpartition("/")[2] for path in asked} == {"search", "activation", "encode", "retrieve", "heatmaps"}
