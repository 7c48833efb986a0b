"""The retrieval page as the server sends it: chips as they will be, folded choices, and room for the drawer."""

from xml.etree.ElementTree import Element

import pytest
from fastapi.testclient import TestClient

from tests.server.html_tree import text_of, tree_of


def page(client: TestClient, query: str) -> Element:
    return tree_of(client.get(f"/retrieve?{query}").text)


def test_chips_say_weights_and_signs(client: TestClient) -> None:
    tree = page(client, "term=text:a+cat&term=-0.5+text:night&term=0+latent:3")
    chips = tree.findall(".//ul[@id='terms']/li")
    parts = [{span.get("class", ""): text_of(span) for span in chip.iterfind("span")} for chip in chips]
    assert [part["term__sign"] for part in parts] == ["+", "−", "+"]
    assert [part["term__weight"] for part in parts] == ["1", "-0.5", "0"]
    assert ["data-negative" in chip.attrib for chip in chips] == [False, True, False]
    assert ["data-off" in chip.attrib for chip in chips] == [False, False, True]
    bars = [chip.find("./span[@class='term__slider']") for chip in chips]
    assert [bar.get("style") for bar in bars if bar is not None] == ["--at:0.75", "--at:0.375", "--at:0.5"]


@pytest.mark.parametrize(("query", "is_open"), [("term=text:a", False), ("", False), ("term=text:a&split=test", True)])
def test_choices_are_folded_unless_they_say_something(client: TestClient, query: str, is_open: bool) -> None:
    choices = page(client, query).find(".//details[@id='choices']")
    assert choices is not None
    assert ("open" in choices.attrib) == is_open


@pytest.mark.parametrize(
    ("query", "hidden"), [("term=text:a", True), ("term=text:a&why=s000003", False), ("why=a", True)]
)
def test_the_drawer_has_its_room_from_the_start(client: TestClient, query: str, hidden: bool) -> None:
    drawer = page(client, query).find(".//aside[@id='why']")
    assert drawer is not None
    assert ("hidden" in drawer.attrib) == hidden
