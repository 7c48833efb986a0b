"""A latent's page: its address, what its sentences claim, and the same number in another bundle."""

import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree.ElementTree import Element

import pytest
from fastapi.testclient import TestClient

from server.app import create_app
from server.latent_page import LatentAddress
from server.latent_page.beside import beside_view
from server.latent_page.meanings import meaning_sentence, mismatch_sentence
from server.latent_page.view import texts_to_try
from server.schemas import Alive, BundleBrief, Info, Interval, LabelShare, Latent, LatentStream
from server.settings import Settings
from sparc_core.bundle.manifest import read_manifest
from sparc_core.errors import NotFoundError
from tests.server.html_tree import text_of, tree_of

TITLES = ["DINO", "CLIP image", "CLIP text"]


def stream(label: str | None = None, purity: float | None = None, density: float = 0.1, name: str = "") -> LatentStream:
    return LatentStream(
        stream=name or "s", density=density, mean_activation=0.1, max_activation=0.4, purity=purity, label=label
    )


def latent(*streams: LatentStream, alignment: float | None = 0.5, **own: Any) -> Latent:
    usual: dict[str, Any] = {
        "id": 17,
        "name": "sun (3)",
        "name_source": "labels",
        "alive": Alive.alive,
        "density": 0.1,
        "profile_alignment": None,
        "purity": None,
        "name_quality": None,
        "label": None,
        "strips": {},
        "captions": {},
        "top_labels": [],
        "nearest": [],
        "histograms": [],
        "pair_alignment": {},
        "previous_id": 16,
        "next_id": 18,
    }
    return Latent(**{**usual, "alignment": alignment, "streams": list(streams), **own})


def info(bundle_id: str = "a", **own: Any) -> Info:
    usual: dict[str, Any] = {
        "bundle_id": bundle_id,
        "title": "global selection",
        "created_at": "2026-01-01",
        "corpus": "storybook",
        "licence": "",
        "n_items": 7000,
        "n_latents": 224,
        "k": 12,
        "selection": "global",
        "cross_loss_coef": 2.0,
        "streams": [],
        "similarity_streams": [],
        "metrics": {},
        "device": "cpu",
        "version": "1",
        "beside": [],
    }
    return Info(**{**usual, **own})


def brief(bundle_id: str) -> BundleBrief:
    return BundleBrief(
        bundle_id=bundle_id,
        title="local selection",
        corpus="storybook",
        n_items=7000,
        n_latents=224,
        k=12,
        selection="local",
        cross_loss_coef=0.0,
    )


def test_an_address_says_what_is_not_as_usual() -> None:
    assert LatentAddress(3).href() == "/latents/3"
    full = LatentAddress(3, Interval.random, 5, True, "a cat & a dog", "u1", "b1")
    said = "interval=random&seed=5&heat=1&try=a+cat+%26+a+dog&upload=u1&beside=b1"
    assert full.href() == f"/latents/3?{said}"
    assert full.another(4).href() == f"/latents/4?{said.replace('seed=5&', '')}"
    assert full.at(Interval.top).next_to("").href() == "/latents/3?heat=1&try=a+cat+%26+a+dog&upload=u1"
    assert LatentAddress(3, Interval.random, 5).drawn_again().href() == "/latents/3?interval=random&seed=6"


@pytest.mark.parametrize(
    ("streams", "said"),
    [
        ([stream("sun", 1.0), stream("sun", 0.9), stream("sun", 0.6)], "all three streams mean sun"),
        ([stream("sun", 1.0), stream("sun", 0.6)], "both streams mean sun"),
        ([stream("sun", 1.0)], "the only stream means sun"),
        (
            [stream("whale", 0.9), stream("penguin", 0.65), stream("whale", 0.95)],
            "DINO means whale, CLIP image penguin, CLIP text whale",
        ),
        (
            [stream("whale", 0.9), stream("penguin", 0.59), stream("whale", 0.95)],
            "DINO means whale, CLIP image fires on items without a shared label, CLIP text means whale",
        ),
        (
            [stream("octopus", 0.9), stream("octopus", 0.65), stream("purple", 0.95)],
            "DINO and CLIP image mean octopus, CLIP text purple",
        ),
        (
            [stream("octopus", 0.9), stream("purple", 0.65), stream("purple", 0.95)],
            "DINO means octopus, CLIP image and CLIP text purple",
        ),
        (
            [stream("sun", 0.9), stream(density=0.0), stream(density=0.0)],
            "DINO means sun, CLIP image and CLIP text never fire",
        ),
        (
            [stream("sun", 0.55), stream("snow", 0.4), stream(None, 0.0)],
            "all three streams fire on items without a shared label",
        ),
        (
            [stream("sun", 1.0), stream(density=0.0), stream()],
            "DINO means sun, CLIP image never fires, CLIP text fires on too few items to tell",
        ),
    ],
)
def test_a_sentence_claims_no_more_than_the_labels_of_the_streams(streams: list[LatentStream], said: str) -> None:
    titles = TITLES[: len(streams)]
    assert (
        meaning_sentence("global selection", latent(*streams), titles)
        == f"With global selection, {said} (alignment 0.50)."
    )


@pytest.mark.parametrize(
    ("own", "said"),
    [
        ({"name_source": "caption words"}, "it is named “sun (3)” from caption words (alignment 0.50)"),
        ({"name_source": "none", "name": "latent 17"}, "it has no name (alignment 0.50)"),
        ({"alive": Alive.dead, "alignment": None}, "it is dead"),
    ],
)
def test_without_labels_the_name_says_what_is_known(own: dict[str, Any], said: str) -> None:
    assert (
        meaning_sentence("local selection", latent(stream(), stream(), **own), TITLES[:2])
        == f"With local selection, {said}."
    )


def test_numbers_correspond_where_corpus_and_size_are_the_same() -> None:
    assert mismatch_sentence(info(), info("b")) == ""
    assert mismatch_sentence(info(), info("b", n_latents=8192)) == (
        "The numbers do not correspond: the other bundle has 8,192 latents, and this one has 224."
    )
    assert mismatch_sentence(info(), info("b", corpus="coco", n_items=5000, n_latents=64)) == (
        "The numbers do not correspond: the other bundle is of another corpus (coco, 5,000 items) "
        "and has 64 latents, and this one has 224."
    )


def test_texts_to_try_are_the_own_label_and_another_concept() -> None:
    examples = ["a red SUN", "a penguin", "a cat"]
    assert texts_to_try(latent(label="sun"), examples) == ["sun", "a penguin"]
    assert texts_to_try(latent(top_labels=[LabelShare(label="cat", share=0.3)]), examples) == ["cat", "a red SUN"]
    assert texts_to_try(latent(name="penguin", name_source="caption words"), examples) == ["a red SUN"]


class FakeExplorer:
    """Knows one bundle beside it, without the latent that is asked for."""

    def __init__(self, bundles: list[BundleBrief]) -> None:
        self.bundles = bundles

    def info(self) -> Info:
        return info("main", beside=self.bundles)

    def at(self, bundle_id: str) -> Any:
        if bundle_id != "b1":
            raise NotFoundError("bundle", f'bundle "{bundle_id}" is not served')

        def missing(number: int) -> Latent:
            raise NotFoundError("latent", f"there is no latent {number}: this bundle has latents 0 to 9")

        return SimpleNamespace(latents=SimpleNamespace(latent=missing))


def test_what_cannot_be_shown_beside_is_said() -> None:
    explorer: Any = FakeExplorer([brief("b1")])
    view = beside_view(explorer, latent(), "b1")
    assert view is not None
    assert (view.problem, view.rows) == ("There is no latent 17: this bundle has latents 0 to 9.", ())
    view = beside_view(explorer, latent(), "gone")
    assert view is not None
    assert (view.problem, view.chosen) == ('Bundle "gone" is not served.', None)
    view = beside_view(explorer, latent(), "")
    assert view is not None
    assert (view.problem, view.bundles) == ("", [brief("b1")])
    assert beside_view(explorer, latent(), "main") == view, "a bundle is not beside itself"
    alone: Any = FakeExplorer([])
    assert beside_view(alone, latent(), "") is None


@pytest.fixture(scope="module")
def both(tiny_bundle: Path, twin_bundle: Path) -> Iterator[TestClient]:
    """The tiny bundle with its twin beside it."""
    settings = Settings(bundle=tiny_bundle, beside=(twin_bundle,), threads=1, device="cpu")
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="module")
def twin(twin_bundle: Path) -> str:
    return read_manifest(twin_bundle).bundle_id


def page_of(client: TestClient, path: str) -> Element:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return tree_of(answer.text)


def all_with(tree: Element, name: str) -> list[Element]:
    return [one for one in tree.iter() if name in one.get("class", "").split()]


def test_the_other_bundle_stands_below_with_its_own_items(both: TestClient, twin: str) -> None:
    offered = page_of(both, "/latents/3")
    assert all_with(offered, "beside__row") == []
    assert f"/latents/3?beside={twin}#beside" in [link.get("href") for link in offered.iter("a")]
    page = page_of(both, f"/latents/3?interval=low&beside={twin}")
    main, other = all_with(page, "beside__row")
    for row, bundle in ((main, None), (other, twin)):
        of = {"bundle": bundle} if bundle else {}
        for column, name in zip(all_with(row, "column"), ["dino", "clip_img", "clip_txt"], strict=True):
            limit = 2 if name == "clip_txt" else 4
            params = {"stream": name, "limit": limit, **of}
            items = both.get("/api/v1/latents/3/items", params=params).json()["items"]
            assert [li.get("data-item") for li in column.iter("li")] == [item["item_id"] for item in items], name
            sources = [img.get("src") or "" for img in column.iter("img")]
            assert all(source.endswith(f"bundle={row.get('data-bundle')}") for source in sources)
    assert other.get("data-bundle") == twin


def test_the_sentences_say_what_the_api_says(both: TestClient, twin: str) -> None:
    page = page_of(both, f"/latents/3?beside={twin}")
    (said,) = all_with(page, "beside__said")
    for sentence, params, title in zip(
        said, ({}, {"bundle": twin}), ("global selection", "local selection, no cross loss"), strict=True
    ):
        found = both.get("/api/v1/latents/3", params=params).json()
        text = text_of(sentence)
        assert text.startswith(f"With {title}, ")
        assert text.endswith(f"(alignment {found['alignment']:.2f}).")
        shared = {own["label"] for own in found["streams"] if (own["purity"] or 0) >= 0.6}
        assert {label for label in shared if re.search(rf"\b{label}\b", text)} == shared
        assert "means" in text or "mean " in text or not shared


def test_a_bundle_that_is_not_served_is_said_in_place(both: TestClient) -> None:
    page = page_of(both, "/latents/3?beside=b1")
    section = page.find(".//section[@id='beside']")
    assert section is not None
    assert 'Bundle "b1" is not served' in text_of(section)
    assert all_with(page, "column"), "the rest of the page is there"


def test_without_another_bundle_there_is_no_such_section(client: TestClient) -> None:
    page = page_of(client, "/latents/3")
    assert page.find(".//section[@id='beside']") is None


def test_links_keep_the_view(both: TestClient, twin: str) -> None:
    page = page_of(both, f"/latents/3?interval=random&seed=4&heat=1&beside={twin}")
    links = {link.get("data-interval") or link.get("rel"): link.get("href") for link in page.iter("a")}
    assert links["low"] == f"/latents/3?interval=low&heat=1&beside={twin}"
    assert links["next"] == f"/latents/4?interval=random&heat=1&beside={twin}"
    (again,) = [link for link in page.iter("a") if "data-again" in link.attrib]
    assert again.get("href") == f"/latents/3?interval=random&seed=5&heat=1&beside={twin}"


def test_coactive_latents_stand_beside_the_nearest(client: TestClient) -> None:
    page = page_of(client, "/latents/3")
    section = page.find(".//section[@aria-labelledby='coactive']")
    assert section is not None
    found = client.get("/api/v1/latents/3/coactive").json()["latents"]
    assert found, "or this test says nothing"
    assert [link.get("href") for link in section.iter("a")] == [f"/latents/{one['id']}" for one in found]
    first = next(section.iter("li"))
    assert first.get("title", "").endswith(f"{found[0]['lift']:.1f} times as often as by chance")
    assert text_of(first).endswith(f"{found[0]['jaccard']:.2f}")
    assert "under per-stream selection" in text_of(section)


def test_streams_with_other_labels_are_told_apart(client: TestClient) -> None:
    latents = client.get("/api/v1/latents", params={"limit": 200, "alive": "alive"}).json()["latents"]
    differ = {one["id"]: len({own["label"] for own in one["streams"]}) > 1 for one in latents}
    assert set(differ.values()) == {True, False}, "or this test says nothing"
    for expected in (True, False):
        number = next(number for number, value in differ.items() if value is expected)
        assert ("The streams differ" in client.get(f"/latents/{number}").text) is expected


def test_a_dead_latent_says_so_and_can_still_be_tested(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    app: Any = client.app
    latents = app.state.serving.explorer.latents
    found = latents.latent(3).model_copy(update={"alive": Alive.dead, "alignment": None})
    monkeypatch.setattr(latents, "latent", lambda number: found)
    page = page_of(client, "/latents/3")
    notice = page.find(".//section[@aria-label='Dead latent']")
    assert notice is not None
    assert "not active on any of the 200 items" in text_of(notice)
    assert page.find(".//section[@id='test']") is not None
    assert page.find(".//section[@aria-labelledby='nearest']") is not None
    assert all_with(page, "column") == []
    assert page.find(".//*[@id='heat']") is None
