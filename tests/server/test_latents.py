"""Latents through the API: filters, items by interval, near misses, search without labels, disagreement of streams."""

import numpy as np
import pytest
import torch
from fastapi.testclient import TestClient

from server import schemas
from server.services.towers import Towers
from sparc_core.bundle import Bundle
from tests.server.test_retrieval import TEXT, code_of, items_dense, text_features


def own_activations(bundle: Bundle, stream: str, latent: int) -> np.ndarray:
    codes = bundle.codes(stream)
    return np.where(codes.latents == latent, codes.activations, 0).max(1).astype(float)


def lively(bundle: Bundle, stream: str) -> int:
    return max(range(64), key=lambda latent: bundle.postings(stream).n_items_of(latent))


def page(client: TestClient, **params: object) -> schemas.LatentPage:
    answer = client.get("/api/v1/latents", params={"limit": 200, **params})
    assert answer.status_code == 200, answer.text
    return schemas.LatentPage.model_validate(answer.json())


def items(client: TestClient, latent: int, **params: object) -> schemas.LatentItems:
    answer = client.get(f"/api/v1/latents/{latent}/items", params=params)
    assert answer.status_code == 200, answer.text
    return schemas.LatentItems.model_validate(answer.json())


def search(client: TestClient, **body: object) -> schemas.LatentSearch:
    answer = client.post("/api/v1/latents/search", json=body)
    assert answer.status_code == 200, answer.text
    return schemas.LatentSearch.model_validate(answer.json())


@pytest.mark.parametrize("name", ["density", "alignment", "purity"])
def test_statistics_lie_within_the_bounds_asked_for(client: TestClient, name: str) -> None:
    values = {latent.id: getattr(latent, name) for latent in page(client).latents}
    defined = sorted(value for value in values.values() if value is not None)
    low, high = defined[len(defined) // 4], defined[3 * len(defined) // 4]
    found = page(client, **{f"min_{name}": low, f"max_{name}": high})
    assert {latent.id for latent in found.latents} == {
        latent for latent, value in values.items() if value is not None and low <= value <= high
    }


def test_latents_by_where_they_are_active_and_by_label(client: TestClient, bundle: Bundle) -> None:
    active = {
        s: {latent for latent in range(64) if bundle.postings(s).n_items_of(latent)} for s in ("dino", "clip_txt")
    }
    found = page(client, active_in="dino", silent_in="clip_txt")
    assert {latent.id for latent in found.latents} == active["dino"] - active["clip_txt"]
    everything = page(client)
    label = next(latent.label for latent in everything.latents if latent.label)
    assert {latent.id for latent in page(client, label=label).latents} == {
        latent.id for latent in everything.latents if latent.label == label
    }
    assert client.get("/api/v1/latents", params={"active_in": "nope"}).json()["error"]["code"] == "stream_not_found"


def test_misspelt_parameters_are_errors(client: TestClient) -> None:
    for path in ("/api/v1/latents?limti=3", "/api/v1/latents/3?limit=3", "/api/v1/info?x=1", "/api/v1/items?splt=test"):
        answer = client.get(path)
        assert answer.status_code == 422, path
        assert answer.json()["error"]["message"].startswith("there is no "), path


@pytest.mark.parametrize(("interval", "low", "high"), [("high", 2 / 3, 2), ("mid", 1 / 3, 2 / 3), ("low", 0, 1 / 3)])
def test_intervals_are_thirds_of_the_largest_activation(
    client: TestClient, bundle: Bundle, interval: str, low: float, high: float
) -> None:
    latent = lively(bundle, "dino")
    activations = own_activations(bundle, "dino", latent)
    top = activations.max()
    inside = activations[(activations > low * top) & (activations <= high * top)]
    found = items(client, latent, stream="dino", interval=interval, limit=200)
    assert sorted(item.activation for item in found.items) == pytest.approx(sorted(inside))
    assert (found.total, found.n_active) == (len(inside), (activations > 0).sum())
    some = items(client, latent, stream="dino", interval=interval, limit=3)
    shown = [item.activation for item in some.items]
    assert shown == sorted(shown, reverse=True)
    assert len(shown) == min(3, len(inside))
    assert max(shown) == pytest.approx(inside.max()), "the first of the interval, then evenly on"


def test_random_items_are_active_and_change_with_the_seed(client: TestClient, bundle: Bundle) -> None:
    latent = lively(bundle, "clip_img")
    draws = [
        [item.item_id for item in items(client, latent, stream="clip_img", interval="random", limit=8, seed=seed).items]
        for seed in (0, 0, 1)
    ]
    assert draws[0] == draws[1] != draws[2]
    activations = own_activations(bundle, "clip_img", latent)
    assert all(activations[bundle.items.row_of(item_id)] > 0 for item_id in draws[0])


@pytest.mark.parametrize("stream", ["dino", "clip_txt"])
def test_near_misses_are_the_largest_logits_of_inactive_items(
    client: TestClient, bundle: Bundle, towers: Towers, stream: str
) -> None:
    latent = lively(bundle, stream)
    features = torch.from_numpy(bundle.vectors(stream).reconstruct_n(0, len(bundle.items)))
    logits = towers.sparc.logits(stream, features)[:, latent].detach().numpy()
    logits[own_activations(bundle, stream, latent) > 0] = -np.inf
    found = items(client, latent, stream=stream, interval="near_miss", limit=5)
    assert [item.logit for item in found.items] == pytest.approx(np.sort(logits)[::-1][:5].tolist(), abs=1e-4)
    assert [bundle.items.row_of(item.item_id) for item in found.items] == np.argsort(-logits)[:5].tolist()
    assert all(item.activation == 0 for item in found.items)


def test_search_by_text_finds_its_code_first_then_directions(
    client: TestClient, bundle: Bundle, towers: Towers
) -> None:
    found = search(client, text=TEXT, limit=20)
    features = text_features(towers, TEXT)
    code = code_of(towers, "clip_txt", features)
    by_code = [f for f in found.latents if f.found == "code"]
    assert [f.latent.id for f in by_code] == [int(i) for i in np.argsort(-code)[: (code > 0).sum()]]
    assert [f.score for f in by_code] == pytest.approx(np.sort(code)[::-1][: len(by_code)].tolist(), rel=1e-3)
    near = [f for f in found.latents if f.found == "direction"]
    centred = features - towers.decoder("clip_txt").pre_bias
    dictionary = towers.decoder("clip_txt").dictionary
    directions = dictionary / np.linalg.norm(dictionary, axis=1, keepdims=True) @ centred / np.linalg.norm(centred)
    directions[code > 0] = -1
    assert len(near) == 20 - len(by_code)
    assert [f.score for f in near] == pytest.approx(np.sort(directions)[::-1][: len(near)].tolist(), abs=1e-4)
    assert found.stream == "clip_txt"
    assert found.words is not None


def test_search_by_an_item_and_by_examples(client: TestClient, bundle: Bundle) -> None:
    found = search(client, item_id="s000003", stream="dino", limit=3)
    own = items_dense(bundle, "dino")[bundle.items.row_of("s000003")]
    assert [f.latent.id for f in found.latents] == np.argsort(-own)[:3].tolist()
    ids = ["s000003", "s000010", "s000021"]
    rows = [bundle.items.row_of(item_id) for item_id in ids]
    active = items_dense(bundle, "clip_img") > 0
    expected = active[rows].mean(0) - active.mean(0)
    found = search(client, item_ids=ids, limit=10)
    assert [f.score for f in found.latents] == pytest.approx(np.sort(expected)[::-1][:10].tolist(), abs=1e-5)
    for f in found.latents:
        assert f.score == pytest.approx(expected[f.latent.id], abs=1e-5)
        assert (f.of_examples, f.of_items) == pytest.approx(
            (active[rows].mean(0)[f.latent.id], active.mean(0)[f.latent.id])
        )


def test_a_region_of_all_is_the_picture_and_its_parts_are_others(client: TestClient, bundle: Bundle) -> None:
    everything = {"left": 0, "top": 0, "right": 1, "bottom": 1}
    for stream in ("dino", "clip_img"):
        whole = search(client, item_id="s000003", stream=stream, region=everything, limit=6)
        stored = search(client, item_id="s000003", stream=stream, limit=6)
        assert [f.latent.id for f in whole.latents] == [f.latent.id for f in stored.latents]
        assert [f.score for f in whole.latents] == pytest.approx([f.score for f in stored.latents], abs=0.03)
        halves = [
            search(client, item_id="s000003", stream=stream, region={**everything, **half}, limit=6)
            for half in ({"right": 0.5}, {"left": 0.5})
        ]
        assert halves[0].latents != halves[1].latents
    tiny = {"left": 0.501, "top": 0.501, "right": 0.502, "bottom": 0.502}
    answer = client.post("/api/v1/latents/search", json={"item_id": "s000003", "region": tiny})
    assert answer.status_code == 422
    assert "draw a larger one" in answer.json()["error"]["message"]
    for body in ({"text": "a", "region": everything}, {"text": "a", "item_id": "s000003"}, {}):
        assert client.post("/api/v1/latents/search", json=body).status_code == 422


@pytest.mark.parametrize("at_most", [0.1, 0.8])
@pytest.mark.parametrize("kind", ["silent", "different"])
@pytest.mark.parametrize(("strong", "weak"), [("dino", "clip_txt"), ("clip_txt", "dino")])
def test_mismatches_are_where_streams_disagree(
    client: TestClient, bundle: Bundle, kind: str, strong: str, weak: str, at_most: float
) -> None:
    params = {"strong": strong, "weak": weak, "kind": kind, "limit": 200, "at_most": at_most}
    found = schemas.MismatchPage.model_validate(client.get("/api/v1/latents/mismatches", params=params).json())
    active = {s: items_dense(bundle, s) > 0 for s in (strong, weak)}
    counts = {s: a.sum(0) for s, a in active.items()}
    both, either = (active[strong] & active[weak]).sum(0), (active[strong] | active[weak]).sum(0)
    silent = counts[weak] <= at_most * counts[strong]
    enough = (counts[strong] >= 5) & (silent if kind == "silent" else ~silent & (counts[weak] >= 5))
    assert {one.latent.id for one in found.latents} == set(np.flatnonzero(enough).tolist())
    for one in found.latents:
        assert one.strong_density == pytest.approx(counts[strong][one.latent.id] / 200)
        assert one.weak_density == pytest.approx(counts[weak][one.latent.id] / 200)
        if counts[weak][one.latent.id]:
            assert one.alignment == pytest.approx(both[one.latent.id] / either[one.latent.id], abs=1e-6)
    if kind == "silent":
        order = [one.weak_density - one.strong_density for one in found.latents]
    else:
        order = [one.alignment or 0.0 for one in found.latents]
    assert order == sorted(order)
    same = client.get("/api/v1/latents/mismatches", params={**params, "weak": strong})
    assert same.json()["error"]["message"] == f'strong and weak are both "{strong}": name two streams'


def test_pages_of_items_visit_the_corpus_once(client: TestClient, bundle: Bundle) -> None:
    seen, cursor = [], None
    while True:
        params = {"limit": 60, **({"cursor": cursor} if cursor else {})}
        found = schemas.ItemPage.model_validate(client.get("/api/v1/items", params=params).json())
        seen += [item.item_id for item in found.items]
        cursor = found.next_cursor
        if cursor is None:
            break
    assert seen == bundle.items.ids()
    word = bundle.items[7].caption.split()[-1]
    found = schemas.ItemPage.model_validate(
        client.get("/api/v1/items", params={"caption": word.upper(), "split": "train", "limit": 200}).json()
    )
    assert [item.item_id for item in found.items] == [
        item.item_id for item in bundle.items.take(range(200)) if word in item.caption.lower() and item.split == "train"
    ]
    assert client.get("/api/v1/items", params={"label": "unicorn"}).json()["error"]["code"] == "label_not_found"


def test_cursors_of_other_bundles_are_refused(client: TestClient) -> None:
    cursor = client.get("/api/v1/items", params={"limit": 5}).json()["next_cursor"]
    other = "0" * 16 + cursor[16:]
    answer = client.get("/api/v1/items", params={"cursor": other})
    assert answer.status_code == 422
    assert "of a bundle that is not served now" in answer.json()["error"]["message"]


def test_the_evaluation_is_the_bundles(client: TestClient, bundle: Bundle) -> None:
    found = schemas.Evaluation.model_validate(client.get("/api/v1/evaluation").json())
    assert found.headline == bundle.manifest.metrics
    liveness = found.liveness
    assert liveness.alive_in_all + liveness.alive_in_some + liveness.dead_in_all == found.settings.n_latents


def test_latents_are_ordered_by_what_the_evaluation_measured_of_them(client: TestClient, bundle: Bundle) -> None:
    measured = bundle.latent_evaluation
    for sort, column in (("profile_alignment", measured.profile_jaccard), ("name_quality", measured.name_auroc)):
        page = client.get("/api/v1/latents", params={"sort": sort, "limit": 200}).json()["latents"]
        found = [latent[sort] for latent in page]
        known = [value for value in found if value is not None]
        assert known == sorted(known, reverse=True)
        assert found[: len(known)] == known, "what was not measured comes last"
        for latent in page:
            value = column[latent["id"]]
            assert latent[sort] == (None if np.isnan(value) else pytest.approx(float(value)))
