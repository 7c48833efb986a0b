"""Heatmaps over HTTP: lines as they are ready, files by `Accept`, trust, and one clear sentence for what cannot be."""

import asyncio
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fastapi.testclient import TestClient
from PIL import Image

import server.services.heatmaps
import server.services.trust
from server import schemas
from server.heatmap_files import HEAT_STOPS, overlay_png
from sparc_core.bundle import Bundle
from sparc_core.bundle.postings import Postings
from tests.server.pictures import png

URL = "/api/v1/heatmaps"
TOKENS_CSS = Path(__file__).parents[2] / "frontend" / "static" / "css" / "tokens.css"


@pytest.fixture(scope="module")
def bundle(tiny_bundle: Path) -> Bundle:
    return Bundle.open(tiny_bundle)


def lines(client: TestClient, **body: Any) -> list[dict[str, Any]]:
    answer = client.post(URL, json=body)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    return [json.loads(line) for line in answer.text.splitlines()]


def pictures(client: TestClient, **body: Any) -> list[schemas.PictureHeatmaps]:
    found = [line for line in lines(client, **body) if line["kind"] == "picture"]
    return [schemas.PictureHeatmaps.model_validate(line) for line in found]


def error(client: TestClient, status: int, **body: Any) -> str:
    answer = client.post(URL, json=body)
    assert answer.status_code == status, answer.text
    return schemas.ErrorBody.model_validate(answer.json()).error.message


def test_a_reading_pictures_and_an_end_come_in_lines(client: TestClient) -> None:
    first, *found, last = lines(client, caption="a blue balloon qzxv", n_items=3)
    reading = schemas.CaptionReading.model_validate(first)
    known = [(word.text, word.known) for word in reading.words]
    assert known == [("a", True), ("blue", True), ("balloon", True), ("qzxv", False)]
    maps = [schemas.PictureHeatmaps.model_validate(picture) for picture in found]
    assert [picture.item_id for picture in maps] == reading.item_ids
    assert len(maps) == 3
    done = schemas.HeatmapsDone.model_validate(last)
    assert {"caption", "look", "dino", "clip_img"} == set(done.milliseconds)
    for stream in ("dino", "clip_img"):
        values = [h.values for picture in maps for h in picture.heatmaps if h.stream == stream]
        assert all(len(v) == 28 * 28 and min(v) >= 0 for v in values)
        assert done.scale[stream] == max(max(v) for v in values)


def test_values_and_contributions_add_up_to_the_score(client: TestClient) -> None:
    for picture in pictures(client, caption="a blue balloon", n_items=3):
        for heatmap in picture.heatmaps:
            assert sum(heatmap.values) == pytest.approx(heatmap.score, abs=1e-3)
            shares = [part.share for part in heatmap.contributions]
            assert sum(shares) == pytest.approx(1, abs=1e-5)
            assert shares == sorted(shares, reverse=True)
            products = [part.query_activation * part.target_activation for part in heatmap.contributions]
            assert [product / sum(products) for product in products] == pytest.approx(shares, abs=1e-4)


def test_shares_of_words_add_up_and_are_what_is_lost_without_them(client: TestClient) -> None:
    best = pictures(client, caption="a red car in the snow", n_items=1)[0]
    asked: dict[str, Any] = {"item_ids": [best.item_id], "streams": ["clip_img"]}
    whole = pictures(client, caption="a red car in the snow", **asked)[0].heatmaps[0]
    assert whole.words is not None
    assert sum(whole.words) == pytest.approx(1, abs=1e-5)
    words = "a red car in the snow".split()
    scores = []
    for left_out in range(len(words)):
        text = " ".join(word for i, word in enumerate(words) if i != left_out)
        scores.append(pictures(client, caption=text, **asked)[0].heatmaps[0].score)
    losses = np.maximum(whole.score - np.array(scores), 0)
    assert whole.words == pytest.approx((losses / losses.sum()).tolist(), abs=0.03)
    alone = pictures(client, caption="a red car", **asked, latents=[whole.contributions[0].latent])
    assert alone[0].heatmaps[0].words is None


def test_scores_of_single_latents_add_up_to_the_score_of_the_caption(client: TestClient) -> None:
    best = pictures(client, caption="a red car", n_items=1)[0]
    asked = {"caption": "a red car", "item_ids": [best.item_id], "streams": ["dino"]}
    whole = pictures(client, **asked)[0].heatmaps[0]
    assert len(whole.contributions) > 1
    parts = [pictures(client, **asked, latents=[part.latent]) for part in whole.contributions]
    scores = [part[0].heatmaps[0].score for part in parts]
    assert sum(scores) == pytest.approx(whole.score, rel=1e-3)
    assert [score / whole.score for score in scores] == pytest.approx([c.share for c in whole.contributions], abs=1e-3)
    maps = np.array([part[0].heatmaps[0].values for part in parts])
    assert maps.std(0).max() > 0, "each latent has a map of its own"


def test_one_latent_of_a_caption_is_looked_for_in_the_captions_pictures(client: TestClient) -> None:
    whole = schemas.CaptionReading.model_validate(lines(client, caption="a red car", n_items=4)[0])
    part = lines(client, caption="a red car", n_items=4, latents=[whole.code[-1].latent])[0]
    assert part["item_ids"] == whole.item_ids


def test_latents_alone_are_looked_for_without_a_caption(client: TestClient, bundle: Bundle) -> None:
    latent = max(range(64), key=lambda n: bundle.postings("dino").n_items_of(n))
    first, *found = lines(client, latents=[latent], n_items=2)
    reading = schemas.CaptionReading.model_validate(first)
    assert reading.words == []
    assert [entry.latent for entry in reading.code] == [latent]
    heatmap = schemas.PictureHeatmaps.model_validate(found[0]).heatmaps[0]
    assert heatmap.contributions[0].latent == latent
    assert heatmap.score == pytest.approx(heatmap.contributions[0].target_activation, rel=1e-4)


@pytest.mark.parametrize("method", ["glances", "propagation", "relevance", "gradcam"])
@pytest.mark.parametrize("target", ["match", "cross_modal", "code", "similarity"])
def test_every_method_explains_every_target(client: TestClient, method: str, target: str) -> None:
    body = {"caption": "a red car", "item_ids": ["s000001"], "streams": ["clip_img"]}
    heatmap = pictures(client, **body, method=method, target=target)[0].heatmaps[0]
    side = 28 if method in ("glances", "propagation") else 14
    assert (heatmap.rows, heatmap.columns) == (side, side)
    assert sum(heatmap.values) == pytest.approx(abs(heatmap.score), abs=2e-3)
    assert (heatmap.contributions == []) == (target == "similarity" or heatmap.score == 0)
    assert heatmap.layers == (1 if method == "gradcam" else 6)
    if method == "relevance":
        last = pictures(client, **body, method=method, target=target, layers=1)[0].heatmaps[0]
        assert last.layers == 1
        assert last.score == pytest.approx(heatmap.score, abs=1e-2)
        assert last.values != heatmap.values


def test_an_upload_and_named_items_are_looked_at_in_the_order_given(client: TestClient) -> None:
    upload = client.post("/api/v1/uploads", files={"file": png()}).json()
    assert (upload["width"], upload["height"]) == (40, 30)
    found = lines(client, caption="a sun", upload_id=upload["upload_id"], streams=["dino"])
    assert [line.get("item_id") for line in found] == [None, "upload", None]
    found = lines(client, caption="a sun", item_ids=["s000001", "s000000", "s000001"])
    assert [line.get("item_id") for line in found] == [None, "s000001", "s000000", None]


def test_looks_that_were_kept_give_the_same_heatmap(client: TestClient) -> None:
    body = {"caption": "a cat", "item_ids": ["s000011"], "streams": ["dino"]}
    first, again = (pictures(client, **body)[0].heatmaps[0] for _ in range(2))
    assert first.values == pytest.approx(again.values, abs=1e-6)
    cache = client.app.state.serving.explorer.looks.kept  # type: ignore[attr-defined]
    hits = cache.hits
    pictures(client, **{**body, "caption": "a dog"})
    assert cache.hits == hits + 1


def test_a_long_caption_says_how_many_words_were_not_read(client: TestClient) -> None:
    reading = schemas.CaptionReading.model_validate(lines(client, caption="a red car and " * 20, n_items=1)[0])
    assert reading.words_cut == 80 - len(reading.words) > 0


def test_trust_follows_the_pictures(client: TestClient) -> None:
    found = lines(client, caption="a red balloon", n_items=2, trust=True)
    assert [line["kind"] for line in found] == ["caption", "picture", "picture", "trust", "trust", "done"]
    assert found[-1]["milliseconds"]["trust"] > 0
    for line in found[3:5]:
        trust = schemas.PictureTrust.model_validate(line)
        assert [one.stream for one in trust.streams] == ["dino", "clip_img"]
        for one in trust.streams:
            assert one.deletion[0] == one.insertion[-1] == pytest.approx(1)
            assert one.deletion[-1] == one.insertion[0]
            area = np.trapezoid(one.deletion, one.shares)
            assert one.deletion_area == pytest.approx(area, abs=1e-3)
            assert one.insertion_area == pytest.approx(np.trapezoid(one.insertion, one.shares), abs=1e-3)


def test_one_heatmap_comes_as_raw_numbers_or_as_a_picture(client: TestClient) -> None:
    body = {"caption": "a cat", "item_ids": ["s000002"], "streams": ["dino"]}
    expected = pictures(client, **body)[0].heatmaps[0]
    raw = client.post(URL, json=body, headers={"accept": "application/octet-stream"})
    values = np.frombuffer(raw.content, "<f4")
    assert (raw.headers["x-rows"], raw.headers["x-columns"]) == ("28", "28")
    assert values.tolist() == pytest.approx(expected.values, abs=1e-6)
    picture = client.post(URL, json=body, headers={"accept": "image/png"})
    assert picture.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(picture.content)).size == (224, 224)
    many = client.post(URL, json={"caption": "a cat", "n_items": 2}, headers={"accept": "image/png"})
    assert many.status_code == 422
    assert "asks for 2 pictures in 2 streams" in many.json()["error"]["message"]


def test_a_picture_under_its_heatmap_is_brightest_where_the_value_is_largest() -> None:
    window = schemas.Window(left=0.25, top=0, right=0.75, bottom=1)  # a crop of a wide picture
    heatmap = schemas.Heatmap(
        stream="s", rows=2, columns=2, window=window, values=[0, 4, 0, 0], score=4, layers=1, contributions=[]
    )
    pixels = np.asarray(Image.open(io.BytesIO(overlay_png(heatmap, Image.new("RGB", (80, 40), (90, 90, 90))))), int)
    assert pixels.shape == (40, 80, 3)
    assert (pixels[:, :20] == 90).all(), "what the tower did not see stays as it is"
    assert (pixels[:, 60:] == 90).all()
    brightest = np.unravel_index(int(pixels.sum(2).argmax()), (40, 80))
    assert abs(brightest[0] - 10) <= 10
    assert abs(brightest[1] - 50) <= 10


def test_colours_of_files_are_those_of_the_pages() -> None:
    stops = re.findall(r"--heat-\d: (#[0-9a-f]{6})", TOKENS_CSS.read_text())
    assert tuple(stops) == HEAT_STOPS


def test_what_cannot_be_is_said_in_a_sentence(client: TestClient) -> None:
    assert 'knows no word of "zzqxv wvut"' in error(client, 422, caption="zzqxv wvut")
    assert "numbered 0 to 63" in error(client, 404, latents=[64])
    assert "does not activate latent" in error(client, 422, caption="a red car", latents=inactive(client))
    assert "reads text, not pictures" in error(client, 422, caption="a cat", streams=["clip_txt"])
    assert 'no stream "eyes"' in error(client, 404, caption="a cat", streams=["eyes"])
    assert "has 6 blocks, not 7" in error(client, 422, caption="a cat", layers=7)
    assert "does not share the space" in error(client, 422, caption="a cat", target="similarity", streams=["dino"])
    assert "explains a caption, without latents" in error(client, 422, latents=[1], target="code")
    assert "name a caption, latents, or both" in error(client, 422)
    thin = client.post("/api/v1/uploads", files={"file": png(1, 40)}).json()["upload_id"]
    assert "no patch is left" in error(client, 422, caption="a cat", upload_id=thin)


def inactive(client: TestClient) -> list[int]:
    """A latent that "a red car" does not activate."""
    reading = schemas.CaptionReading.model_validate(lines(client, caption="a red car", n_items=1)[0])
    return [min(set(range(64)) - {entry.latent for entry in reading.code})]


def test_a_latent_that_is_dead_in_a_stream_is_said_to_be(
    client: TestClient, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"latents": [int(bundle.codes("dino").latents[0, 0])], "item_ids": [bundle.items[0].item_id]}
    assert pictures(client, **asked, streams=["dino"])[0].heatmaps[0].note is None, "the item's strongest latent"
    monkeypatch.setattr(Postings, "n_items_of", lambda self, latent: 0)  # no latent of the tiny bundle is dead
    dead = pictures(client, **asked, streams=["dino"])[0].heatmaps[0]
    assert dead.note == 'dead in "dino": no item of the corpus activates what is looked for here'


def test_a_map_of_nothing_says_so(client: TestClient, bundle: Bundle) -> None:
    black = client.post("/api/v1/uploads", files={"file": png(64, 64, "black")}).json()["upload_id"]
    notes = []
    for latent in range(64):
        heatmap = pictures(client, latents=[latent], upload_id=black, streams=["dino"])[0].heatmaps[0]
        if heatmap.score == 0 and bundle.postings("dino").n_items_of(latent):
            assert max(heatmap.values) == 0
            notes.append(heatmap.note)
    assert set(notes) == {'"dino" finds nothing of these latents in this picture'}


def test_every_line_has_the_deadline_anew_but_for_a_clients_own(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    explorer = client.app.state.serving.explorer  # type: ignore[attr-defined]
    chunk = explorer.heatmap_chunk

    async def slow(*arguments: Any) -> Any:
        await asyncio.sleep(1.0)
        return await chunk(*arguments)

    monkeypatch.setattr(explorer, "heatmap_chunk", slow)
    lines(client, caption="a cat", n_items=1)  # remembers the caption
    body = {"caption": "a cat", "n_items": 12}
    monkeypatch.setattr(client.app.middleware_stack, "_deadline_s", 4.0)  # type: ignore[attr-defined]
    assert lines(client, **body)[-1]["kind"] == "done", "five chunks of a second and more"
    answer = client.post(URL, json=body, headers={"X-Deadline-Ms": "4000"})
    assert json.loads(answer.text.splitlines()[-1])["error"]["code"] == "busy"


def test_pictures_that_do_not_fit_together_are_computed_apart(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = {"caption": "a cat in the snow", "item_ids": [f"s00002{i}" for i in range(8)], "trust": True}
    together = lines(client, **body)
    maps, curves = server.services.heatmaps.heatmaps, server.services.trust.curves
    sizes: list[int] = []

    def small(*arguments: Any) -> Any:
        looks = arguments[4]
        if len(looks.whole) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        sizes.append(len(looks.whole))
        return maps(*arguments)

    def smaller(backbone: Any, embedded: torch.Tensor, *arguments: Any) -> Any:
        if len(embedded) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return curves(backbone, embedded, *arguments)

    monkeypatch.setattr(server.services.heatmaps, "heatmaps", small)
    monkeypatch.setattr(server.services.trust, "curves", smaller)
    apart = lines(client, **body)
    assert set(sizes) == {1, 2}
    assert [line["kind"] for line in apart] == [line["kind"] for line in together]
    for one, other in zip(together[1:-1], apart[1:-1], strict=True):
        assert one["item_id"] == other["item_id"]
        for own, same in zip(one.get("heatmaps", []), other.get("heatmaps", []), strict=True):
            np.testing.assert_allclose(own["values"], same["values"], atol=1e-6)
        for own, same in zip(one.get("streams", []), other.get("streams", []), strict=True):
            np.testing.assert_allclose(own["deletion"], same["deletion"], atol=1e-3)


def test_a_picture_that_does_not_fit_alone_ends_the_lines(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory: a secret")

    monkeypatch.setattr(server.services.heatmaps, "heatmaps", none)
    last = lines(client, caption="a cat", item_ids=["s000020", "s000021"])[-1]
    assert last["error"]["code"] == "out_of_memory"
    assert "secret" not in last["error"]["message"]
