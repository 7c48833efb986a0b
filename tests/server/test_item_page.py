"""An item's page: which latents its streams share, the items beside it, and pictures that no tower can look at."""

from types import SimpleNamespace
from typing import Any

import pytest
from fastapi.testclient import TestClient

from server.item_view import Sharing, item_view
from server.schemas import Item, LatentActivation, StreamInfo
from server.services.items import Neighbours
from sparc_core.bundle import Bundle
from sparc_core.errors import NotFoundError
from tests.server.html_tree import text_of, tree_of


def streams(*names: str) -> Any:
    infos = [
        StreamInfo(
            name=name,
            title=name.upper(),
            modality="image",
            d=8,
            backbone="",
            vectors="exact",
            vectors_recall=None,
            can_read=False,
        )
        for name in names
    ]
    return SimpleNamespace(streams=infos)


def item(**codes: dict[int, float]) -> Item:
    named = {
        stream: [LatentActivation(latent=latent, name=f"l{latent}", activation=a) for latent, a in code.items()]
        for stream, code in codes.items()
    }
    return Item(item_id="a", caption="", labels=[], width=1, height=1, split="train", codes=named)


def test_what_streams_share_is_counted_and_weighed() -> None:
    view = item_view(item(a={1: 4.0, 2: 2.0, 3: 2.0}, b={1: 1.0, 2: 3.0}, c={1: 5.0, 4: 5.0}), streams("a", "b", "c"))
    assert view.counts == {Sharing.all: 4, Sharing.shared: 1, Sharing.some: 1, Sharing.one: 2}
    assert [column.shared for column in view.columns] == [0.5, 0.25, 0.5]
    first, second, third = view.columns[0].entries
    assert (first.mark, first.length, first.active_in) == ("all", 1.0, (True, True, True))
    assert (second.mark, second.length, second.active_in) == ("2 of 3", 0.5, (True, True, False))
    assert (third.mark, third.sharing, third.active_in) == ("A only", Sharing.one, (True, False, False))
    assert [entry.mark for entry in view.columns[2].entries] == ["all", "C only"]


def test_a_stream_without_active_latents_shares_nothing() -> None:
    view = item_view(item(a={1: 1.0}, b={}), streams("a", "b"))
    assert [column.shared for column in view.columns] == [0.0, 0.0]
    assert view.counts[Sharing.one] == 1


def test_items_are_beside_each_other_in_the_corpus(client: TestClient, bundle: Bundle) -> None:
    items = client.app.state.serving.explorer.items  # type: ignore[attr-defined]
    ids = [item.item_id for item in bundle.items.take(range(200))]
    assert items.neighbours(ids[0]) == Neighbours(None, ids[1])
    assert items.neighbours(ids[5]) == Neighbours(ids[4], ids[6])
    assert items.neighbours(ids[199]) == Neighbours(ids[198], None)
    with pytest.raises(NotFoundError):
        items.neighbours("nobody")
    page = tree_of(client.get(f"/items/{ids[5]}").text)
    beside = {link.get("rel"): link.get("href") for link in page.iterfind(".//nav[@class='beside']/a")}
    assert beside == {"prev": f"/items/{ids[4]}", "next": f"/items/{ids[6]}"}


def test_the_page_marks_what_the_codes_of_the_api_share(client: TestClient) -> None:
    codes = client.get("/api/v1/items/s000003").json()["codes"]
    active = {stream: {entry["latent"] for entry in code} for stream, code in codes.items()}
    page = tree_of(client.get("/items/s000003?show=shared").text)
    assert page.find(".//section[@id='codes']").get("data-show") == "shared"  # type: ignore[union-attr]
    columns = page.findall(".//section[@id='codes']//section")
    assert len(columns) == 3
    for column, (stream, own) in zip(columns, active.items(), strict=True):
        rows = column.findall(".//li")
        assert [int(row.get("data-latent", "")) for row in rows] == [entry["latent"] for entry in codes[stream]]
        for row in rows:
            n = sum(int(row.get("data-latent", "")) in others for others in active.values())
            assert row.get("data-sharing") == {1: "one", 2: "some", 3: "shared"}[n]
        in_all = sum(e["activation"] for e in codes[stream] if all(e["latent"] in others for others in active.values()))
        share = in_all / sum(entry["activation"] for entry in codes[stream])
        said = text_of(column.find(".//p[@class='column__facts']"))  # type: ignore[arg-type]
        assert float(said.partition("%")[0]) == pytest.approx(100 * share, abs=0.51)
        assert own


def test_without_backbones_the_picture_is_there_once_and_the_page_says_why(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    explorer = client.app.state.serving.explorer  # type: ignore[attr-defined]
    known = explorer.info()
    blind = [stream.model_copy(update={"can_read": False, "backbone": ""}) for stream in known.streams]
    monkeypatch.setattr(type(explorer), "info", lambda _: known.model_copy(update={"streams": blind}))
    page = tree_of(client.get("/items/s000003").text)
    looks = page.find(".//section[@id='looks']")
    assert looks is not None
    assert len(looks.findall(".//img")) == 1
    assert "backbone to look with" in text_of(looks)
    assert looks.find(".//form") is None


def test_only_known_ways_to_share_are_shown(client: TestClient) -> None:
    assert client.get("/items/s000003?show=none").status_code == 422
