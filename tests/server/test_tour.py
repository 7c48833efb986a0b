"""The guided tour: what it chooses to show, its addresses, and what its panel says."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from fastapi.testclient import TestClient

from server.tour import best_latent, n_agreeing, telling_latent
from sparc_core.bundle import Bundle
from sparc_core.bundle.tables import LatentTable
from tests.server.html_tree import text_of, tree_of

STREAMS = ("dino", "clip_img", "clip_txt")


@pytest.fixture(scope="module")
def compared(tiny_bundle: Path, twin_bundle: Path) -> Iterator[TestClient]:
    """A service with a twin beside it, trained with local selection and no cross loss."""
    from server.app import create_app
    from server.settings import Settings

    settings = Settings(bundle=tiny_bundle, beside=(twin_bundle,), threads=1, device="cpu")
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        yield client


def of_three(bundle: Bundle, **columns: Any) -> LatentTable:
    """A table of three latents, active in all streams on a tenth of the items, with a label: by hand."""
    usual = {
        "name": ["a", "b", "c"],
        "alive": ["all", "all", "all"],
        "alignment": [0.5, 0.6, 0.7],
        "purity": [0.5, 0.5, 0.5],
        "label": ["x", "x", "x"],
        "density": [0.1, 0.1, 0.1],
        "stream_label": [("x", "x", "x")] * 3,
    }
    said = {**usual, **columns}
    return replace(
        bundle.latents,
        name=said["name"],
        alive=said["alive"],
        alignment=np.array(said["alignment"], np.float32),
        purity=np.array(said["purity"], np.float32),
        label=said["label"],
        density={stream: np.array(said["density"], np.float32) for stream in STREAMS},
        stream_label={stream: [of[i] for of in said["stream_label"]] for i, stream in enumerate(STREAMS)},
    )


@pytest.mark.parametrize(
    ("columns", "best"),
    [
        ({}, 2),
        ({"purity": [0.9, 0.5, np.nan]}, 0),
        ({"label": ["x", "x", None]}, 1),
        ({"density": [0.1, 0.1, 0.004]}, 1),
        ({"density": [0.1, 0.2, 0.16]}, 0),
        ({"alive": ["all", "all", "some"]}, 1),
        ({"label": [None, None, None], "alive": ["all", "all", "none"]}, 1),  # none fits: what is active everywhere
        ({"alive": ["none", "none", "none"]}, 0),
    ],
)
def test_the_latent_to_show_is_aligned_pure_labelled_and_neither_rare_nor_common(
    bundle: Bundle, columns: dict[str, Any], best: int
) -> None:
    assert best_latent(of_three(bundle, **columns)) == best


def test_the_latent_to_compare_means_different_things_in_the_other_bundle(bundle: Bundle) -> None:
    here = of_three(bundle)
    meanings = [("cat", "sun", "tree"), ("cat", "cat", "sun"), ("cat", "cat", "cat")]
    assert telling_latent(here, of_three(bundle, stream_label=meanings)) == 0
    assert telling_latent(here, of_three(bundle, stream_label=meanings, alive=["some", "all", "all"])) == 1
    assert telling_latent(here, of_three(bundle, stream_label=[(None, "sun", "cat"), *meanings[1:]])) == 1
    assert telling_latent(here, of_three(bundle)) == 2, "where all agree, the best one"


def test_a_smaller_bundle_has_no_number_past_its_end(bundle: Bundle) -> None:
    two = of_three(bundle)
    two = replace(two, name=two.name[:2], alive=two.alive[:2], stream_label={s: ["a", s] for s in STREAMS})
    assert telling_latent(of_three(bundle), two) == 1


def test_latents_whose_streams_agree_are_counted(bundle: Bundle) -> None:
    meanings = [("cat", "cat", "cat"), ("cat", "cat", "sun"), (None, None, None)]
    assert n_agreeing(of_three(bundle, stream_label=meanings)) == 1
    assert n_agreeing(of_three(bundle, stream_label=[("a", "a", "a")] * 3, alive=["all", "some", "none"])) == 1


def walk(client: TestClient) -> list[tuple[str, str]]:
    """Every address from the start to the end, by the links alone, and the panel's text there."""
    start = client.get("/tour", follow_redirects=False)
    assert start.status_code == 303
    address, found = start.headers["location"], []
    while address is not None:
        page = client.get(address, headers={"accept": "text/html"})
        assert page.status_code == 200
        panel = tree_of(page.text).find(".//aside[@id='tour']")
        assert panel is not None, address
        found.append((address, text_of(panel)))
        onward = panel.find(".//a[@class='button button--main']")
        assert onward is not None
        address = onward.get("href") if "tour=" in onward.get("href", "") else None
    return found


def test_four_pages_follow_each_other_by_links(compared: TestClient) -> None:
    latents = compared.get("/api/v1/latents", params={"limit": 64, "alive": "alive"}).json()["latents"]
    fitting = [one for one in latents if one["label"] and 0.005 <= one["density"] <= 0.15]
    best = max(fitting, key=lambda one: one["alignment"] * one["purity"])
    steps = walk(compared)
    paths = [urlsplit(address).path for address, _ in steps]
    assert paths[:3] == [f"/latents/{best['id']}", "/caption", "/retrieve"]
    asked = [parse_qs(urlsplit(address).query) for address, _ in steps]
    assert [one["tour"] for one in asked] == [["1"], ["2"], ["3"], ["4"]]
    assert asked[1]["q"] == ["a penguin and a fire engine"], "the longest example: it has the most to find"
    assert asked[2]["term"] == ["text:a red balloon"]
    (twin,) = compared.get("/api/v1/info").json()["beside"]
    assert asked[3]["beside"] == [twin["bundle_id"]]
    texts = [text for _, text in steps]
    assert texts[0].startswith(
        f"Tour 1 of 4 One latent in three streams Latent {best['id']} is called “{best['name']}”"
    )
    assert "DINO never saw a caption" in texts[1]
    assert "one part for each latent that both have" in texts[2]
    assert "every stream chose its latents alone, and none had to reconstruct the others" in texts[3]
    there = [
        compared.get(f"/api/v1/latents/{i}", params={"bundle": twin["bundle_id"]}).json()
        for i in range(twin["n_latents"])
    ]
    same = sum(
        one["alive"] == "alive" and len({own["label"] for own in one["streams"]} | {None}) == 2
        for one in there
        if all(own["label"] for own in one["streams"])
    )
    assert f"and for {same} of 64 there." in texts[3]


def test_without_another_bundle_the_last_page_is_the_mismatches(client: TestClient) -> None:
    address, text = walk(client)[-1]
    assert address == "/mismatches?tour=4"
    assert "Serve such a bundle beside this one to see both (sparc-serve --beside PATH)." in text
    assert "“" not in text, "no bundle is named that is not there"


def test_the_way_out_keeps_the_rest_of_the_address(client: TestClient) -> None:
    page = client.get("/caption?item=s000001&tour=2&q=a+cat", headers={"accept": "text/html"})
    leave = tree_of(page.text).find(".//a[@class='tour__leave']")
    assert leave is not None
    assert leave.get("href") == "/caption?item=s000001&q=a+cat"


@pytest.mark.parametrize(
    "address",
    ["/?tour=1", "/caption?q=a&tour=0", "/caption?q=a&tour=5", "/caption?tour=x", "/caption?q=tour", "/nothing?tour=1"],
)
def test_other_pages_are_not_on_the_tour(client: TestClient, address: str) -> None:
    page = client.get(address, headers={"accept": "text/html"})
    assert 'id="tour"' not in page.text
    assert "tour.css" not in page.text
