"""A text or picture tried on one latent, against logits of the models and activations of the whole corpus."""

import io
from typing import Any

import numpy as np
import pytest
import torch
from fastapi.testclient import TestClient
from PIL import Image

from server import schemas
from server.services.latent_test import rank_of
from server.services.towers import Towers
from sparc_core.backbones.features import unit_features
from sparc_core.bundle import Bundle
from sparc_core.picture_files import open_media
from tests.server.test_retrieval import dense, items_dense, text_features

TEXT = "a red car in the snow"
K = 6


def tried(client: TestClient, latent: int, **body: object) -> dict[str, schemas.TriedStream]:
    answer = client.post(f"/api/v1/latents/{latent}/activation", json=body)
    assert answer.status_code == 200, answer.text
    found = schemas.LatentTest.model_validate(answer.json())
    assert found.latent == latent
    return {one.stream: one for one in found.streams}


def refusal(client: TestClient, latent: int, **body: object) -> tuple[int, str]:
    answer = client.post(f"/api/v1/latents/{latent}/activation", json=body)
    return answer.status_code, answer.json()["error"]["message"]


def logits_of(towers: Towers, stream: str, features: np.ndarray) -> np.ndarray:
    own = {name: value.detach().numpy() for name, value in towers.sparc.autoencoder(stream).named_parameters()}
    found: np.ndarray = own["encoder"] @ (features - own["pre_bias"]) + own["latent_bias"]
    return found


def picture_features(towers: Towers, stream: str, picture: Image.Image) -> np.ndarray:
    backbone = towers.image(stream)
    with torch.no_grad():
        found: np.ndarray = unit_features(backbone, backbone.preprocess([picture]))[0].numpy()
    return found


def agrees(bundle: Bundle, one: schemas.TriedStream, latent: int, logits: np.ndarray) -> None:
    """An answer says what these logits, and the stored codes, say."""
    order = np.argsort(-logits, kind="stable")
    selected = latent in order[:K]
    assert one.logit == pytest.approx(logits[latent], abs=1e-4)
    assert one.threshold == pytest.approx(np.sort(logits)[-K], abs=1e-4)
    assert one.rank == 1 + order.tolist().index(latent)
    assert one.activation == pytest.approx(max(logits[latent], 0) if selected else 0, abs=1e-4)
    corpus = items_dense(bundle, one.stream)[:, latent]
    assert one.max_activation == pytest.approx(corpus.max())
    assert one.share_below == pytest.approx((corpus < np.float16(one.activation)).mean())


def test_of_equal_logits_the_lower_latent_comes_first() -> None:
    logits = np.array([0.5, 2, 0.5, 0.5, -1], np.float32)
    assert [rank_of(latent, logits) for latent in range(5)] == [2, 1, 3, 4, 5]


def test_what_the_corpus_does_is_under_per_stream_selection(client: TestClient, bundle: Bundle) -> None:
    local, own = (dense(bundle.codes("clip_txt", selection), 64) for selection in ("local", "own"))

    def below(activations: np.ndarray, row: int, latent: int) -> float:
        return float((activations[:, latent] < local[row, latent]).mean())

    # Weak activations, which a selection shared with other streams leaves out.
    weakest = [(row, int(np.where(code > 0, code, np.inf).argmin())) for row, code in enumerate(local)]
    row, latent = max(weakest, key=lambda one: abs(below(local, *one) - below(own, *one)))
    assert abs(below(local, row, latent) - below(own, row, latent)) > 0.03, "the two selections agree"
    found = tried(client, latent, text=bundle.items[row].caption)["clip_txt"]
    assert found.share_below == pytest.approx(below(local, row, latent), abs=0.011)


def test_a_text_in_a_latent_that_it_activates_and_in_others(client: TestClient, bundle: Bundle, towers: Towers) -> None:
    logits = logits_of(towers, "clip_txt", text_features(towers, TEXT))
    order = np.argsort(-logits).tolist()
    for latent in (order[0], order[K - 1], order[K], order[-1]):
        found = tried(client, latent, text=TEXT)
        assert list(found) == ["clip_txt"]
        agrees(bundle, found["clip_txt"], latent, logits)


def test_words_are_shaded_by_how_far_the_latent_s_logit_falls_without_them(client: TestClient, towers: Towers) -> None:
    words = TEXT.split()
    whole = logits_of(towers, "clip_txt", text_features(towers, TEXT))
    without = [
        logits_of(towers, "clip_txt", text_features(towers, " ".join(words[:place] + words[place + 1 :])))
        for place in range(len(words))
    ]
    shaded = []
    for latent in np.argsort(-whole)[:3].tolist():
        falls = np.array([max(float(whole[latent] - rest[latent]), 0) for rest in without])
        found = tried(client, latent, text=TEXT)["clip_txt"].words
        assert found is not None
        assert [word.text for word in found] == words
        assert all(word.known for word in found)
        assert [word.relevance for word in found] == pytest.approx((falls / falls.max()).tolist(), abs=1e-3)
        assert max(word.relevance for word in found) == 1
        shaded.append([word.relevance for word in found])
    assert shaded[0] != shaded[1], "each latent has words of its own"


def test_words_that_the_tower_never_learnt_are_said(client: TestClient) -> None:
    words = tried(client, 3, text="a qwertyish car")["clip_txt"].words
    assert words is not None
    assert [word.known for word in words] == [True, False, True]


@pytest.mark.parametrize("item_id", ["s000003", "s000170"])
def test_a_stored_item_is_read_anew_in_every_stream(
    client: TestClient, bundle: Bundle, towers: Towers, item_id: str
) -> None:
    row = bundle.items.row_of(item_id)
    picture, caption = open_media(bundle.media_path(row)), bundle.items[row].caption
    logits = {
        stream: logits_of(towers, stream, picture_features(towers, stream, picture)) for stream in ("dino", "clip_img")
    }
    logits["clip_txt"] = logits_of(towers, "clip_txt", text_features(towers, caption))
    strongest = {stream: int(np.argmax(values)) for stream, values in logits.items()}
    for latent in {*strongest.values(), 3}:
        found = tried(client, latent, item_id=item_id)
        assert list(found) == ["dino", "clip_img", "clip_txt"]
        for stream, one in found.items():
            agrees(bundle, one, latent, logits[stream])
        assert [word.text for word in found["clip_txt"].words or []][:2] == caption.split()[:2]
        assert found["dino"].words is None
    for stream, latent in strongest.items():
        stored = items_dense(bundle, stream)[row, latent]
        assert tried(client, latent, item_id=item_id)[stream].activation == pytest.approx(stored, abs=0.02)


def test_a_picture_of_one_s_own_and_a_part_of_it(client: TestClient, bundle: Bundle, towers: Towers) -> None:
    picture = open_media(bundle.media_path(5))
    file = io.BytesIO()
    picture.save(file, "PNG")
    upload_id = client.post("/api/v1/uploads", files={"file": file.getvalue()}).json()["upload_id"]
    logits = logits_of(towers, "dino", picture_features(towers, "dino", picture))
    latent = int(np.argmax(logits))
    found = tried(client, latent, upload_id=upload_id)
    assert list(found) == ["dino", "clip_img"]
    agrees(bundle, found["dino"], latent, logits)
    half = {"left": 0, "top": 0, "right": 0.5, "bottom": 1}
    everything = {**half, "right": 1}
    part, whole = (tried(client, latent, upload_id=upload_id, region=region) for region in (half, everything))
    assert whole["dino"].logit == pytest.approx(found["dino"].logit, abs=0.02)
    assert abs(part["dino"].logit - whole["dino"].logit) > 0.02
    of_item = tried(client, latent, item_id=bundle.items[5].item_id, region=half, streams=["dino"])
    assert list(of_item) == ["dino"]
    assert of_item["dino"].logit == pytest.approx(part["dino"].logit, abs=1e-4)


def test_an_item_is_not_stronger_than_itself(client: TestClient, bundle: Bundle) -> None:
    row, latent = 0, int(bundle.codes("clip_txt", "local").latents[0, 0])
    corpus = items_dense(bundle, "clip_txt")[:, latent]
    found = tried(client, latent, text=bundle.items[row].caption)["clip_txt"]
    assert found.share_below == pytest.approx((corpus < corpus[row]).mean(), abs=0.011)


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({}, 422, "name exactly one of text, item_id and upload_id"),
        ({"text": "a", "item_id": "s000003"}, 422, "name exactly one of text, item_id and upload_id"),
        (
            {"text": "a", "region": {"left": 0, "top": 0, "right": 1, "bottom": 1}},
            422,
            "a region is part of a picture: name item_id or upload_id with it",
        ),
        ({"text": "a", "streams": ["dino"]}, 422, 'stream "dino" looks at pictures, not text'),
        (
            {"item_id": "s000003", "region": {"left": 0, "top": 0, "right": 1, "bottom": 1}, "streams": ["clip_txt"]},
            422,
            'stream "clip_txt" reads text, not pictures',
        ),
        (
            {"text": "a", "streams": ["nope"]},
            404,
            'there is no stream "nope": the streams are dino, clip_img, clip_txt',
        ),
        ({"item_id": "nope"}, 404, 'there is no item "nope"'),
    ],
)
def test_what_cannot_be_tried(client: TestClient, body: dict[str, Any], status: int, message: str) -> None:
    assert refusal(client, 3, **body) == (status, message)


def test_unknown_latents_and_uploads_are_said(client: TestClient) -> None:
    assert refusal(client, 64, text="a") == (404, "there is no latent 64: this bundle has latents 0 to 63")
    assert refusal(client, 3, upload_id="nope")[0] == 404


def test_streams_without_a_backbone_say_so(client: TestClient, towers: Towers, monkeypatch: pytest.MonkeyPatch) -> None:
    explorer = client.app.state.serving._lease.explorer
    given = {name: backbone for name, backbone in towers.backbones.items() if name == "clip_txt"}
    monkeypatch.setattr(explorer.towers, "backbones", given)
    assert list(tried(client, 3, item_id="s000003")) == ["clip_txt"]
    message = 'stream "dino" was built from given features: it has no backbone to look with'
    assert refusal(client, 3, item_id="s000003", streams=["dino"]) == (422, message)
    monkeypatch.setattr(explorer.towers, "backbones", {})
    for body, kind in (({"text": "a"}, "text "), ({"item_id": "s000003"}, "")):
        message = f"this bundle has no {kind}stream with a backbone to read it with"
        assert refusal(client, 3, **body) == (422, message)


def test_a_deadline_that_passes_is_said(client: TestClient) -> None:
    answer = client.post(
        "/api/v1/latents/3/activation", json={"text": "a very new text"}, headers={"X-Deadline-Ms": "1"}
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "busy")
