"""Retrieval through the API: every way equals brute force, sums are sums, filters filter, shares add up."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fastapi.testclient import TestClient

from server import schemas
from server.app import create_app
from server.services.towers import Towers
from server.settings import Settings
from sparc_core.backbones.features import unit_features
from sparc_core.bundle import Bundle
from sparc_core.bundle.manifest import content_id, read_manifest
from sparc_core.sparse import SparseCode
from tests.server.pictures import png

TEXT = "a red car in the snow"


def ask(client: TestClient, *terms: dict[str, object], **more: object) -> schemas.Retrieval:
    answer = client.post("/api/v1/retrieve", json={"query": list(terms), **more})
    assert answer.status_code == 200, answer.text
    return schemas.Retrieval.model_validate(answer.json())


def refusal(client: TestClient, *terms: dict[str, object], **more: object) -> tuple[int, str]:
    answer = client.post("/api/v1/retrieve", json={"query": list(terms), **more})
    return answer.status_code, answer.json()["error"]["message"]


def dense(codes: Any, n_latents: int) -> np.ndarray:
    out = np.zeros((len(codes.latents), n_latents))
    np.add.at(out, (np.arange(len(out))[:, None], codes.latents.astype(int)), codes.activations.astype(float))
    return out


def items_dense(bundle: Bundle, stream: str) -> np.ndarray:
    return dense(bundle.codes(stream, "local"), bundle.manifest.sparc.n_latents)


def features_of(bundle: Bundle, stream: str) -> np.ndarray:
    return bundle.vectors(stream).reconstruct_n(0, len(bundle.items))


def text_features(towers: Towers, text: str) -> np.ndarray:
    backbone = towers.text("clip_txt")
    return unit_features(backbone, backbone.preprocess([text]))[0].numpy()


def code_of(towers: Towers, stream: str, features: np.ndarray) -> np.ndarray:
    code = towers.sparc.encode({stream: torch.from_numpy(features)[None]}, selection="local")[stream]
    out = np.zeros(towers.sparc.config.n_latents)
    out[code.latents[0].numpy()] = code.activations[0].detach().numpy()
    return out


def cosines(rows: np.ndarray, query: np.ndarray) -> np.ndarray:
    scale = np.linalg.norm(rows, axis=1) * np.linalg.norm(query)
    return np.divide(rows @ query, scale, out=np.zeros(len(rows)), where=scale > 0)


def agrees(bundle: Bundle, found: schemas.Retrieval, expected: np.ndarray) -> None:
    """The hits are the best rows of these scores."""
    best = np.sort(expected)[::-1][: len(found.hits)]
    assert found.hits, "nothing was found"
    assert [hit.score for hit in found.hits] == pytest.approx(best.tolist(), abs=2e-3)
    for hit in found.hits:
        assert hit.score == pytest.approx(expected[bundle.items.row_of(hit.item_id)], abs=2e-3)
        assert sum(part.share for part in hit.shared) + hit.rest == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("measure", ["cosine", "dot"])
@pytest.mark.parametrize("target", ["dino", "clip_img", "clip_txt"])
def test_latent_retrieval_by_text_is_exact(
    client: TestClient, bundle: Bundle, towers: Towers, target: str, measure: str
) -> None:
    found = ask(client, {"text": TEXT}, target=target, measure=measure, limit=10)
    query, rows = code_of(towers, "clip_txt", text_features(towers, TEXT)), items_dense(bundle, target)
    agrees(bundle, found, rows @ query if measure == "dot" else cosines(rows, query))
    assert {entry.latent: entry.activation for entry in found.query_code} == pytest.approx(
        {latent: a for latent, a in enumerate(query.tolist()) if a}, rel=1e-3
    )
    words = found.terms[0].words
    assert words is not None
    assert [word.text for word in words] == TEXT.split()
    assert max(word.relevance for word in words) == pytest.approx(1)
    assert (found.exact, found.recall, found.n_allowed) == (True, None, 200)


@pytest.mark.parametrize("target", ["dino", "clip_img", "clip_txt"])
def test_retrieval_by_reconstruction_equals_decoding_and_brute_force(
    client: TestClient, bundle: Bundle, towers: Towers, target: str
) -> None:
    found = ask(client, {"text": TEXT}, target=target, way="reconstruction", limit=10)
    x = torch.from_numpy(text_features(towers, TEXT))[None]
    code = towers.sparc.encode({"clip_txt": x}, selection="local")["clip_txt"]
    decoded = towers.sparc.decode(target, code)[0].detach().numpy()
    agrees(bundle, found, cosines(features_of(bundle, target), decoded))


def test_the_backbone_way_compares_features(client: TestClient, bundle: Bundle, towers: Towers) -> None:
    found = ask(client, {"text": TEXT}, way="backbone", limit=10)
    assert (found.target, found.terms[0].stream) == ("clip_img", "clip_txt")
    agrees(bundle, found, features_of(bundle, "clip_img") @ text_features(towers, TEXT))
    status, message = refusal(client, {"text": TEXT}, way="backbone", target="dino")
    assert (status, message) == (
        422,
        'features of "clip_txt" and "dino" cannot be compared without SPARC: choose another target or another way',
    )
    found = ask(client, {"item_id": "s000003"}, way="backbone", target="dino", leave_out_query=False, limit=1)
    assert (found.terms[0].stream, found.hits[0].item_id) == ("dino", "s000003")
    assert refusal(client, {"latent": 3}, way="backbone")[0] == 422


def test_a_latents_part_of_a_cosine_of_features_is_its_direction_in_the_vector(
    client: TestClient, bundle: Bundle, towers: Towers
) -> None:
    hit = ask(client, {"text": TEXT}, target="dino", way="reconstruction", limit=1).hits[0]
    x = features_of(bundle, "dino")[bundle.items.row_of(hit.item_id)]
    dictionary = towers.sparc.autoencoder("dino").dictionary.detach().numpy()
    pre_bias = towers.sparc.autoencoder("dino").pre_bias.detach().numpy()
    activations = {part.latent: part.query_activation for part in hit.shared}
    vector = sum(a * dictionary[latent] for latent, a in activations.items()) + pre_bias
    for part in hit.shared:
        expected = part.query_activation * dictionary[part.latent] @ x / np.linalg.norm(vector) / hit.score
        assert part.share == pytest.approx(expected, abs=1e-3)
    assert hit.rest == pytest.approx(pre_bias @ x / np.linalg.norm(vector) / hit.score, abs=1e-3)


def test_a_sum_adds_unit_codes_and_latents(client: TestClient, bundle: Bundle, towers: Towers) -> None:
    latent, row = 17, bundle.items.row_of("s000003")
    terms = [{"item_id": "s000003"}, {"latent": latent, "weight": -0.3}, {"text": TEXT, "weight": 0.5}]
    found = ask(client, *terms, target="dino", leave_out_query=False)
    item, text = items_dense(bundle, "clip_img")[row], code_of(towers, "clip_txt", text_features(towers, TEXT))
    query = item / np.linalg.norm(item) + 0.5 * text / np.linalg.norm(text)
    query[latent] -= 0.3
    agrees(bundle, found, cosines(items_dense(bundle, "dino"), query))
    assert [term.stream for term in found.terms] == ["clip_img", None, "clip_txt"]
    assert {e.latent: e.activation for e in found.query_code}[latent] == pytest.approx(query[latent], abs=1e-3)


def test_subtracting_what_a_query_says_leaves_nothing(client: TestClient) -> None:
    status, message = refusal(client, {"text": "a cat"}, {"text": "a cat", "weight": -1})
    assert (status, message) == (
        422,
        "the query activates no latent, or its terms cancel out: say it in other terms",
    )


def test_a_subtracted_latent_speaks_against_its_items(client: TestClient, bundle: Bundle) -> None:
    plain = ask(client, {"text": TEXT}, target="dino", limit=200)
    best = plain.hits[0].item_id
    own = set(np.flatnonzero(items_dense(bundle, "dino")[bundle.items.row_of(best)]))
    latent = int(min(own - {entry.latent for entry in plain.query_code}))
    minus = ask(client, {"text": TEXT}, {"latent": latent, "weight": -0.2}, target="dino", limit=200)
    scores = [{hit.item_id: hit.score for hit in found.hits}.get(best, 0.0) for found in (plain, minus)]
    assert scores[1] < scores[0]
    shares = [part.share for hit in minus.hits for part in hit.shared if part.latent == latent]
    assert shares
    assert all(share < 0 for share in shares)


def test_items_of_the_query_are_left_out_by_choice(client: TestClient) -> None:
    found = ask(client, {"item_id": "s000003"}, target="clip_txt", limit=200)
    assert "s000003" not in [hit.item_id for hit in found.hits]
    assert found.terms[0].stream == "clip_img"
    found = ask(client, {"item_id": "s000003"}, target="clip_img", leave_out_query=False, limit=1)
    assert (found.hits[0].item_id, found.hits[0].score) == ("s000003", pytest.approx(1, abs=1e-3))


@pytest.mark.parametrize("way", ["latent", "reconstruction", "backbone"])
def test_filters_by_label_split_and_latent(client: TestClient, bundle: Bundle, way: str) -> None:
    labels = bundle.items.labels()
    label = max({name for row in labels for name in row}, key=lambda name: sum(name in row for row in labels))
    posting = bundle.local_postings("dino").of(5)
    threshold = float(np.median(posting.activations))
    where = {
        "labels": [label],
        "split": "train",
        "latents": [{"latent": 5, "above": threshold, "stream": "dino"}],
    }
    for name in where:
        found = ask(client, {"text": "a cat"}, target="clip_img", way=way, limit=200, where={name: where[name]})
        strong = set(posting.items[posting.activations > threshold].tolist())
        allowed = {
            item.item_id
            for item in bundle.items.take(range(200))
            if (name == "labels" and label in item.labels)
            or (name == "split" and item.split == "train")
            or (name == "latents" and item.row in strong)
        }
        everything = ask(client, {"text": "a cat"}, target="clip_img", way=way, limit=200)
        expected = [hit.item_id for hit in everything.hits if hit.item_id in allowed]
        assert [hit.item_id for hit in found.hits] == expected
        assert found.n_allowed == len(allowed)


def test_a_label_stands_for_those_below_it(client: TestClient, bundle: Bundle) -> None:
    parents = {label.name: label.parent for label in bundle.manifest.labels}
    child = next(name for row in bundle.items.labels() for name in row if parents.get(name))
    carriers = {parents[child]} | {name for name, parent in parents.items() if parent == parents[child]}
    found = ask(client, {"text": "a cat"}, limit=1, where={"labels": [parents[child]]})
    assert found.n_allowed == sum(bool(carriers & set(row)) for row in bundle.items.labels())
    listed = {label["name"]: label for label in client.get("/api/v1/labels").json()}
    assert listed[parents[child]]["n_items"] == found.n_allowed


def test_what_does_not_exist_is_named(client: TestClient) -> None:
    assert refusal(client, {"text": "a"}, where={"labels": ["unicorn"]}) == (
        404,
        'no item carries the label "unicorn"',
    )
    assert refusal(client, {"text": "a"}, where={"split": "dev"})[0] == 404
    assert refusal(client, {"latent": 64}) == (404, "there is no latent 64: this bundle has latents 0 to 63")
    assert refusal(client, {"text": "a", "weight": 0})[1] == ("query.0: a term of weight 0 says nothing: leave it out")
    assert refusal(client, {"text": "a"}, way="backbone", measure="dot")[0] == 422


def test_an_upload_is_seen_as_the_builder_saw_it(client: TestClient, bundle: Bundle) -> None:
    stored = bundle.media_path(bundle.items.row_of("s000005")).read_bytes()
    upload = schemas.Upload.model_validate(client.post("/api/v1/uploads", files={"file": stored}).json())
    for stream in ("dino", "clip_img"):
        term = {"upload_id": upload.upload_id, "stream": stream}
        for way in ("latent", "backbone"):
            hit = ask(client, term, target=stream, way=way, limit=1).hits[0]
            assert (hit.item_id, hit.score) == ("s000005", pytest.approx(1, abs=2e-3))
    picture = client.get(f"/api/v1/uploads/{upload.upload_id}/image", params={"size": 32})
    assert picture.headers["content-type"] == "image/webp"
    assert "immutable" in picture.headers["cache-control"]


def test_encode_says_the_codes_that_retrieval_uses(client: TestClient, bundle: Bundle, towers: Towers) -> None:
    found = schemas.Encoding.model_validate(client.post("/api/v1/encode", json={"text": TEXT}).json())
    query = code_of(towers, "clip_txt", text_features(towers, TEXT))
    assert list(found.codes) == ["clip_txt"]
    assert {e.latent: e.activation for e in found.codes["clip_txt"]} == pytest.approx(
        {latent: a for latent, a in enumerate(query.tolist()) if a}, rel=1e-3
    )
    assert found.words is not None
    found = schemas.Encoding.model_validate(client.post("/api/v1/encode", json={"item_id": "s000004"}).json())
    row = bundle.items.row_of("s000004")
    for stream, code in found.codes.items():
        stored = items_dense(bundle, stream)[row]
        assert {e.latent: e.activation for e in code} == pytest.approx(
            {latent: a for latent, a in enumerate(stored.tolist()) if a}
        )
    upload = client.post("/api/v1/uploads", files={"file": png()}).json()["upload_id"]
    found = schemas.Encoding.model_validate(client.post("/api/v1/encode", json={"upload_id": upload}).json())
    assert set(found.codes) == {"dino", "clip_img"}
    answer = client.post("/api/v1/encode", json={"text": TEXT, "streams": ["dino"]})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_input")


def test_texts_asked_for_again_are_remembered(client: TestClient) -> None:
    texts = client.app.state.serving.explorer.encodings.texts  # type: ignore[attr-defined]
    ask(client, {"text": "a house of its own"})
    hits = texts.hits
    ask(client, {"text": "a house of its own"}, target="dino")
    assert texts.hits == hits + 1


def test_a_code_of_one_term_keeps_its_activations_and_its_weight(client: TestClient) -> None:
    once, twice = (ask(client, {"text": TEXT, "weight": weight}) for weight in (1, 2))
    assert [hit.score for hit in once.hits] == pytest.approx([hit.score for hit in twice.hits], abs=1e-5)
    assert [2 * e.activation for e in once.query_code] == pytest.approx([e.activation for e in twice.query_code])


def test_decoding_agrees_with_the_model(towers: Towers) -> None:
    decoder = towers.decoder("dino")
    code = SparseCode(torch.tensor([[3, 9]]), torch.tensor([[0.5, 0.25]]))
    expected = towers.sparc.decode("dino", code)[0].detach().numpy()
    found = 0.5 * decoder.dictionary[3] + 0.25 * decoder.dictionary[9] + decoder.pre_bias
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_the_recall_of_an_approximate_index_is_said_per_direction(tiny_bundle: Path, tmp_path: Path) -> None:
    copy = tmp_path / "approximate"
    shutil.copytree(tiny_bundle, copy)
    manifest = read_manifest(copy)
    recalls = {
        "vector_recall_at_10.reconstructions.clip_txt.dino": 0.9,
        "vector_recall_at_10.reconstructions.clip_img.dino": 0.8,
        "vector_recall_at_10.features.clip_txt.clip_img": 0.7,
    }
    measured = manifest.model_copy(update={"metrics": manifest.metrics | recalls})
    measured = measured.model_copy(update={"bundle_id": content_id(measured, measured.files)})
    (copy / "manifest.json").write_text(measured.to_json())
    text, item = {"text": "a cat"}, {"item_id": "s000003"}
    with TestClient(create_app(Settings(bundle=copy, threads=1, device="cpu"))) as client:
        assert ask(client, text, target="dino", way="reconstruction").recall == 0.9
        assert ask(client, text, item, {"latent": 3}, target="dino", way="reconstruction").recall == 0.8
        assert ask(client, text, target="clip_img", way="backbone").recall == 0.7
        assert ask(client, text, target="dino").recall is None
