"""The search box of every page, as the server answers it: where a search leads, and what the box is given."""

import json
from xml.etree.ElementTree import Element

import pytest
from fastapi.testclient import TestClient

from server.services.towers import Towers
from tests.server.html_tree import tree_of

BROWSER = {"accept": "text/html"}


def leads_to(client: TestClient, **said: str) -> str:
    answer = client.get("/search", params=said, follow_redirects=False)
    assert answer.status_code == 303
    return answer.headers["location"]


@pytest.fixture
def deaf(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bundle as if its text stream had been built from given features."""
    live = Towers.live_streams
    monkeypatch.setattr(Towers, "live_streams", lambda self, kind: [] if kind == "text" else live(self, kind))


@pytest.mark.parametrize(
    ("said", "place"),
    [
        ({}, "/"),
        ({"q": "  ", "scope": "images"}, "/"),
        ({"q": " a cat & a dog? "}, "/find?text=a+cat+%26+a+dog%3F"),
        ({"q": "a cat", "scope": "latents"}, "/find?text=a+cat"),
        ({"q": "a cat", "scope": "images"}, "/retrieve?term=text:a+cat"),
        ({"q": "a cat", "scope": "captions"}, "/retrieve?term=text:a+cat&target=clip_txt"),
        ({"q": "-1 text:x", "scope": "images"}, "/retrieve?term=text:-1+text:x"),
        ({"q": "#12"}, "/latents/12"),
        ({"q": " # 012 ", "scope": "captions"}, "/latents/12"),
        ({"q": "63", "scope": "images"}, "/latents/63"),
        ({"q": "#64", "scope": "images"}, "/?query=%2364"),
        ({"q": "64"}, "/?query=64"),
        ({"q": "1984", "scope": "images"}, "/retrieve?term=text:1984"),
        ({"q": "12 cats"}, "/find?text=12+cats"),
        ({"q": "١٢"}, "/find?text=%D9%A1%D9%A2"),
        ({"upload": "abc"}, "/find?by=picture&upload=abc"),
        ({"upload": "abc", "q": "12"}, "/find?by=picture&upload=abc"),
        ({"upload": "abc", "scope": "images"}, "/retrieve?term=upload:abc"),
        ({"upload": "abc", "scope": "captions", "q": "at night"},
         "/retrieve?term=upload:abc&term=text:at+night&target=clip_txt"),
    ],
)  # fmt: skip
def test_a_search_leads_to_the_page_that_answers_it(client: TestClient, said: dict[str, str], place: str) -> None:
    assert leads_to(client, **said) == place


@pytest.mark.parametrize("query", ["a cat", "#12", "#64", "9" * 150])
@pytest.mark.parametrize("scope", ["latents", "images", "captions"])
def test_the_pages_that_it_leads_to_are_there(client: TestClient, query: str, scope: str) -> None:
    assert client.get("/search", params={"q": query, "scope": scope}, headers=BROWSER).status_code == 200


@pytest.mark.usefixtures("deaf")
def test_names_are_searched_where_no_stream_reads_text(client: TestClient) -> None:
    assert leads_to(client, q="a cat") == "/?query=a+cat"


@pytest.mark.parametrize("said", [{"q": "w" * 501}, {"q": "a cat", "scope": "everything"}, {"upload": "a" * 65}])
def test_what_cannot_be_searched_is_refused_with_a_page(client: TestClient, said: dict[str, str]) -> None:
    answer = client.get("/search", params=said, headers=BROWSER)
    assert answer.status_code == 422
    assert "<h1>" in answer.text


def test_the_box_goes_without_scripts_and_knows_texts_to_try(client: TestClient) -> None:
    form = box(client, "/")
    assert (form.get("action"), form.get("method")) == ("/search", "get")
    fields = {field.get("name") for field in form.iter("input") if "disabled" not in field.attrib}
    assert fields == {"q", "scope", None}, "the chooser of pictures has no name: only scripts send pictures"
    assert "a red balloon" in json.loads(form.get("data-examples", ""))


@pytest.mark.parametrize(
    ("path", "scope"),
    [("/", "latents"), ("/retrieve", "images"), ("/caption", "captions"), ("/items/s000001", "latents")],
)
def test_the_scope_fits_the_page(client: TestClient, path: str, scope: str) -> None:
    chosen = [field.get("value") for field in box(client, path).iter("input") if "checked" in field.attrib]
    assert chosen == [scope]


def test_an_error_page_has_the_box_too(client: TestClient) -> None:
    answer = client.get("/nowhere", headers=BROWSER)
    assert answer.status_code == 404
    assert tree_of(answer.text).find(".//form[@id='search']") is not None


def box(client: TestClient, path: str) -> Element:
    form = tree_of(client.get(path).text).find(".//form[@id='search']")
    assert form is not None
    return form
