"""The search box of every page: suggestions as one types, scopes, keys, numbers, pictures, errors, narrow screens."""

import base64
import io
import re
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image

from tests.browser.looking import keep

pytestmark = pytest.mark.browser

BOX = "#search-box"
PANEL = "#search-panel"
TEXT = "a cat in the snow"
PAGES = ("caption?q=", "retrieve?term=text:", "find?text=")
HREFS = "options => options.map(option => option.getAttribute('href'))"
SELECTED = "document.querySelector('#search-options [aria-selected=true]')"
# However busy the machine is, there is no time between these keys.
TYPE_AT_ONCE = """text => {
  const box = document.querySelector('#search-box');
  for (let end = 1; end <= text.length; end++) {
    box.value = text.slice(0, end);
    box.dispatchEvent(new Event('input', { bubbles: true }));
  }
}"""
# What the browser makes of files that are pasted or dropped.
HAND_OVER = """([kind, selector, files, text]) => {
  const data = new DataTransfer();
  for (const [name, type, content] of files) {
    data.items.add(new File([Uint8Array.from(atob(content), c => c.charCodeAt(0))], name, { type }));
  }
  if (text) data.setData('text/plain', text);
  const target = document.querySelector(selector);
  const how = { bubbles: true, cancelable: true };
  const fire = name => target.dispatchEvent(name === 'paste'
    ? new ClipboardEvent(name, { clipboardData: data, ...how }) : new DragEvent(name, { dataTransfer: data, ...how }));
  for (const name of kind === 'drop' ? ['dragover', 'drop'] : [kind]) fire(name);
}"""


def picture(colour: str = "red") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (120, 90), colour).save(out, "PNG")
    return out.getvalue()


def hand_over(page: Any, kind: str, selector: str = "body", content: bytes | None = None, text: str = "") -> None:
    """Paste or drop a picture, or drag it over something."""
    files = [("scene.png", "image/png", base64.b64encode(content or picture()).decode())]
    page.evaluate(HAND_OVER, [kind, selector, files, text])


def group(page: Any, key: str) -> Any:
    return page.locator(f"#search-options [data-key={key}]")


def await_groups(page: Any, *keys: str) -> None:
    for key in keys:
        page.wait_for_selector(f"#search-options [data-key={key}]:not([aria-busy])")


def suggest(page: Any, text: str, *keys: str) -> None:
    """Type a text and wait until there are suggestions for it, in these groups."""
    page.fill(BOX, text)
    said = f"/latents/{text[1:]}" if text.startswith("#") else text.replace(" ", "+")
    page.wait_for_selector(f"#search-options [data-key=pages] a[href*='{said}']")
    await_groups(page, *keys)


def hrefs(page: Any, key: str) -> list[str]:
    return page.eval_on_selector_all(f"#search-options [data-key={key}] a", HREFS)


def scope_of(page: Any) -> str:
    return page.evaluate("document.querySelector('#search').elements.scope.value")


def choose_scope(page: Any, scope: str) -> None:
    page.locator(f".search__scopes label:has([value={scope}])").click()


def asked(page: Any, path: str, body: dict[str, Any] | None = None) -> Any:
    """What the API answers to whoever asks it."""
    answer = page.request.post(path, data=body) if body else page.request.get(path)
    assert answer.ok
    return answer.json()


@pytest.fixture
def tolerant(chromium: Any, address: str) -> Iterator[Any]:
    """A page on which requests may fail."""
    context = chromium.new_context(base_url=address, viewport={"width": 1280, "height": 860})
    yield context.new_page()
    context.close()


def test_typing_suggests_latents_by_name_and_by_meaning(page: Any) -> None:
    page.goto("/evaluation")
    name = asked(page, "/api/v1/latents?limit=1")["latents"][0]["name"].split(" (")[0]
    page.keyboard.press("/")
    page.keyboard.type(name)
    await_groups(page, "named", "read")
    by_name = asked(page, f"/api/v1/latents?query={name}&limit=5")["latents"]
    by_meaning = asked(page, "/api/v1/latents/search", {"text": name, "limit": 5})["latents"]
    assert hrefs(page, "named") == [f"/latents/{one['id']}" for one in by_name]
    assert hrefs(page, "read") == [f"/latents/{one['latent']['id']}" for one in by_meaning]
    assert f"#{by_name[0]['id']}" in group(page, "named").inner_text()
    strongest = by_name[0]["strips"]["dino"][0]
    assert f"/items/{strongest}/image" in group(page, "named").locator("img").first.get_attribute("src")
    assert group(page, "read").locator(".search__head").inner_text().split("\n") == [
        "It activates",
        "activation in CLIP text",
    ]
    keep(page, "01-search-latents")
    page.fill(BOX, "no such name")
    page.wait_for_selector("[data-key=named] .search__none:has-text('No latent has this name or label.')")


def test_every_scope_has_its_suggestions_and_its_pages(page: Any) -> None:
    page.goto("/evaluation")
    page.fill(BOX, TEXT)
    caption, retrieval, latents = [f"/{place}a+cat+in+the+snow" for place in PAGES]
    await_groups(page, "named", "read")
    assert hrefs(page, "pages") == [caption, retrieval, latents]
    assert "Where do DINO and CLIP image find it?" in group(page, "pages").inner_text()
    choose_scope(page, "images")
    await_groups(page, "images")
    found = asked(page, "/api/v1/retrieve", {"query": [{"text": TEXT}], "limit": 8})
    assert hrefs(page, "images") == [f"/items/{hit['item_id']}" for hit in found["hits"]]
    assert "Closest in CLIP image" in group(page, "images").inner_text()
    assert found["hits"][0]["caption"] in group(page, "images").inner_text()
    assert hrefs(page, "pages") == [caption, retrieval, latents]
    assert page.evaluate("document.activeElement.id") == "search-box", "one can go on typing"
    keep(page, "01-search-images")
    choose_scope(page, "captions")
    await_groups(page, "worded", "captions")
    worded = asked(page, f"/api/v1/items?caption={TEXT}&limit=5")["items"]
    closest = asked(page, "/api/v1/retrieve", {"query": [{"text": TEXT}], "target": "clip_txt", "limit": 5})["hits"]
    assert hrefs(page, "worded") == [f"/items/{item['item_id']}" for item in worded]
    assert hrefs(page, "captions") == [f"/items/{hit['item_id']}" for hit in closest]
    assert hrefs(page, "pages") == [caption, f"{retrieval}&target=clip_txt", latents]
    keep(page, "01-search-captions")
    suggest(page, "a sun", "worded", "captions")
    assert "sun" in page.locator("[data-key=worded] mark").all_inner_texts()


def test_the_scope_fits_the_page_until_one_is_chosen(page: Any) -> None:
    for path, scope in (("/retrieve", "images"), ("/caption", "captions"), ("/", "latents")):
        page.goto(path)
        assert scope_of(page) == scope
    page.focus(BOX)
    page.focus("[name=scope]:checked")
    page.keyboard.press("ArrowRight")
    assert page.locator(PANEL).is_visible()
    page.goto("/caption")
    assert scope_of(page) == "images", "what was chosen with a key is kept in this tab"


def test_enter_leads_to_the_page_of_the_scope(page: Any) -> None:
    page.goto("/evaluation")
    page.fill(BOX, TEXT)
    page.keyboard.press("Enter")
    page.wait_for_url("**/find?text=a+cat+in+the+snow")
    page.focus(BOX)
    choose_scope(page, "captions")
    page.fill(BOX, "a sun")
    page.keyboard.press("Enter")
    page.wait_for_url("**/retrieve?term=text:a+sun&target=clip_txt")
    page.focus(BOX)
    recent = group(page, "recent").locator("a")
    assert recent.all_inner_texts() == ["a sun\ncaptions", f"{TEXT}\nlatents"]
    assert "a red balloon" in group(page, "examples").inner_text()
    keep(page, "01-search-recent")
    recent.nth(1).click()
    page.wait_for_url("**/find?text=a+cat+in+the+snow")


def test_a_number_leads_to_its_latent(page: Any) -> None:
    page.goto("/evaluation")
    suggest(page, "#1", "numbers")
    assert hrefs(page, "numbers") == [f"/latents/{id_}" for id_ in (1, 10, 11, 12, 13, 14)]
    choose_scope(page, "images")
    await_groups(page, "numbers", "images")
    found = asked(page, "/api/v1/retrieve", {"query": [{"latent": 1}], "limit": 8})["hits"]
    assert hrefs(page, "images") == [f"/items/{hit['item_id']}" for hit in found]
    page.fill(BOX, "#64")
    page.wait_for_selector("[data-key=numbers] .search__none:has-text('There is no latent 64: they go from 0 to 63.')")
    page.fill(BOX, "#7")
    page.keyboard.press("Enter")
    page.wait_for_url("**/latents/7")


def test_with_keys_alone(page: Any) -> None:
    page.goto("/caption")
    page.keyboard.press("/")
    page.keyboard.type("#1")
    assert page.get_attribute(BOX, "aria-expanded") == "true"
    page.wait_for_selector("[data-key=numbers]:not([aria-busy])")
    options = hrefs(page, "numbers") + hrefs(page, "captions") + hrefs(page, "pages")

    def at(key: str) -> int | None:
        page.keyboard.press(key)
        active = page.get_attribute(BOX, "aria-activedescendant")
        assert page.evaluate(f"{SELECTED}?.id ?? null") == active
        chosen = page.evaluate(f"{SELECTED}?.getAttribute('href') ?? null")
        return None if chosen is None else options.index(chosen)

    await_groups(page, "captions")
    options = hrefs(page, "numbers") + hrefs(page, "captions") + hrefs(page, "pages")
    assert [at(key) for key in ("ArrowDown", "ArrowDown", "ArrowUp", "ArrowUp")] == [0, 1, 0, None]
    assert [at(key) for key in ("ArrowUp", "Home", "End")] == [len(options) - 1, 0, len(options) - 1]
    assert [at(key) for key in ("ArrowDown", "Home")] == [None, None], (
        "from the last one back to the text, with its own keys"
    )
    page.keyboard.press("End")
    page.keyboard.type("0")
    page.wait_for_selector("[data-key=pages] a[href='/latents/10']")
    page.keyboard.press("Escape")
    assert (page.locator(PANEL).is_visible(), page.input_value(BOX)) == (False, "#10")
    assert page.get_attribute(BOX, "aria-expanded") == "false"
    page.keyboard.press("Escape")
    assert page.input_value(BOX) == ""
    page.keyboard.type("#1")
    await_groups(page, "numbers")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url("**/latents/10")


def test_options_are_links_and_a_press_elsewhere_closes(page: Any) -> None:
    page.goto("/evaluation")
    suggest(page, "#3", "numbers")
    with page.context.expect_page() as opened:
        group(page, "numbers").locator("a").first.click(button="middle")
    opened.value.wait_for_url("**/latents/3")
    opened.value.close()
    assert page.locator(PANEL).is_visible()
    page.mouse.click(1250, 600)
    assert not page.locator(PANEL).is_visible()
    page.click(BOX)
    assert page.locator(PANEL).is_visible()


def test_a_stale_answer_never_overwrites_a_newer_one(page: Any) -> None:
    held: list[Any] = []

    def hold_cats(route: Any) -> None:
        if route.request.post_data_json["text"] == "a cat":
            held.append(route)
        else:
            route.continue_()

    page.route("**/latents/search", hold_cats)
    page.goto("/evaluation")
    page.fill(BOX, "a cat")
    page.wait_for_selector("[data-key=read][aria-busy] .skeleton")
    assert group(page, "read").locator(".skeleton").count() == 5
    page.wait_for_timeout(200)
    suggest(page, "at night", "read")
    newer = hrefs(page, "read")
    assert len(held) == 1
    held[0].continue_()
    page.wait_for_timeout(300)
    assert hrefs(page, "read") == newer
    expected = asked(page, "/api/v1/latents/search", {"text": "at night", "limit": 5})["latents"]
    assert newer == [f"/latents/{one['latent']['id']}" for one in expected]


def test_few_questions_are_asked_while_one_types(page: Any) -> None:
    sent: list[str] = []
    page.on(
        "request",
        lambda request: sent.append(request.post_data_json["text"]) if "/latents/search" in request.url else None,
    )
    page.goto("/evaluation")
    page.focus(BOX)
    page.evaluate(TYPE_AT_ONCE, "a cat")
    await_groups(page, "read")
    page.wait_for_timeout(200)
    assert sent == ["a cat"]


def test_an_error_is_said_in_its_place_and_can_be_tried_again(tolerant: Any) -> None:
    page, failing = tolerant, [True]

    def fail(route: Any) -> None:
        if failing[0]:
            route.abort()
        else:
            route.continue_()

    page.route("**/latents/search", fail)
    page.goto("/evaluation")
    page.fill(BOX, "a cat")
    page.wait_for_selector("[data-key=read] .search__retry")
    await_groups(page, "named")
    assert "The server cannot be reached" in group(page, "read").inner_text()
    keep(page, "01-search-error")
    n_named = group(page, "named").locator("a").count()
    failing[0] = False
    for _ in range(n_named + 1):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-key=read] a")
    assert page.evaluate("document.activeElement.id") == "search-box"


def test_what_the_server_refuses_is_said_without_a_retry(tolerant: Any) -> None:
    page = tolerant
    error = {"error": {"code": "invalid_input", "message": "the query activates no latent", "detail": {}}}
    page.route("**/api/v1/retrieve", lambda route: route.fulfill(status=422, json=error))
    page.goto("/retrieve")
    page.fill(BOX, "a cat")
    page.wait_for_selector("[data-key=images] .search__none:has-text('the query activates no latent')")
    assert page.locator(".search__retry").count() == 0


@pytest.mark.parametrize("how", ["chosen", "pasted", "dropped"])
def test_a_picture_is_searched_by(page: Any, how: str) -> None:
    page.goto("/evaluation")
    if how == "chosen":
        file = {"name": "scene.png", "mimeType": "image/png", "buffer": picture()}
        page.set_input_files("#search-file", file)
    else:
        hand_over(page, {"pasted": "paste", "dropped": "drop"}[how], "main")
    await_groups(page, "seen")
    upload = asked_upload(page)
    found = asked(page, "/api/v1/latents/search", {"upload_id": upload, "limit": 5})["latents"]
    assert hrefs(page, "seen") == [f"/latents/{one['latent']['id']}" for one in found]
    assert hrefs(page, "pages") == [
        f"/caption?upload={upload}",
        f"/retrieve?term=upload:{upload}",
        f"/find?by=picture&upload={upload}",
    ]
    assert page.locator("#search-chip img").get_attribute("alt") == "your picture"
    if how == "pasted":
        keep(page, "01-search-picture")
    choose_scope(page, "captions")
    await_groups(page, "captions")
    assert f"/retrieve?term=upload:{upload}&target=clip_txt" in hrefs(page, "pages")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/retrieve?term=upload:{upload}&target=clip_txt")


def asked_upload(page: Any) -> str:
    """The id under which the picture of these tests is kept."""
    file = {"name": "scene.png", "mimeType": "image/png", "buffer": picture()}
    return page.request.post("/api/v1/uploads", multipart={"file": file}).json()["upload_id"]


def test_a_picture_and_a_text_are_searched_together_and_the_picture_can_go(page: Any) -> None:
    page.goto("/retrieve")
    hand_over(page, "paste")
    page.wait_for_selector("#search-chip img")
    page.keyboard.type("at night")
    page.wait_for_selector("[data-key=images]:not([aria-busy]) a")
    upload = asked_upload(page)
    query = [{"upload_id": upload}, {"text": "at night"}]
    page.wait_for_selector("[data-key=pages] a[href*='at+night']")
    await_groups(page, "images")
    found = asked(page, "/api/v1/retrieve", {"query": query, "limit": 8})
    assert hrefs(page, "images") == [f"/items/{hit['item_id']}" for hit in found["hits"]]
    assert hrefs(page, "pages")[:2] == [
        f"/caption?q=at+night&upload={upload}",
        f"/retrieve?term=upload:{upload}&term=text:at+night",
    ]
    page.click(".search__remove")
    assert page.evaluate("document.activeElement.id") == "search-box"
    page.wait_for_selector("[data-key=images]:not([aria-busy]) a")
    page.keyboard.press("Enter")
    page.wait_for_url("**/retrieve?term=text:at+night")


def test_enter_waits_for_a_picture_that_is_on_its_way(page: Any) -> None:
    held: list[Any] = []
    page.route("**/api/v1/uploads", lambda route: held.append(route))
    page.goto("/evaluation")
    hand_over(page, "paste")
    page.wait_for_selector("#search-chip[aria-busy] img")
    page.keyboard.press("Enter")
    page.wait_for_timeout(200)
    assert page.url.endswith("/evaluation")
    held[0].continue_()
    page.wait_for_url("**/find?by=picture&upload=*")


def test_a_picture_that_cannot_be_sent_is_sent_again(tolerant: Any) -> None:
    page = tolerant
    page.route("**/api/v1/uploads", lambda route: route.abort())
    page.goto("/evaluation")
    hand_over(page, "paste")
    page.wait_for_selector(".search__retry")
    page.unroute_all()
    page.locator(".search__retry").click()
    await_groups(page, "seen")
    page.keyboard.press("Backspace")
    assert page.locator("#search-chip").is_hidden()
    assert group(page, "examples").is_visible()
    hand_over(page, "paste", content=b"no picture")
    page.wait_for_selector("[data-key=sending] .search__none")
    assert page.locator(".search__retry").count() == 0


def test_text_is_pasted_where_one_writes(page: Any) -> None:
    page.goto("/retrieve")
    page.focus("#q")
    hand_over(page, "paste", "#q", text="a table's cells come as text and as a picture")
    page.wait_for_timeout(200)
    assert page.locator("#search-chip").is_hidden()
    hand_over(page, "paste", "#q")
    page.wait_for_selector("#search-chip img")


def test_a_drag_shows_where_the_picture_lands(page: Any) -> None:
    page.goto("/evaluation")
    hand_over(page, "dragover", "main")
    assert page.locator(".search__landing").is_visible()
    keep(page, "01-search-drag")
    page.goto("/caption")
    hand_over(page, "dragover", "main")
    assert not page.locator(".search__landing").is_visible()
    assert page.locator("#drop[data-over]").count() == 1, "the page has a place of its own"
    hand_over(page, "dragover", BOX)
    assert page.locator(".search__landing").is_visible()
    assert page.locator("#drop[data-over]").count() == 0, "the box takes what is over it"
    hand_over(page, "drop", BOX)
    page.wait_for_selector("#search-chip img")
    assert "upload=" not in page.url
    hand_over(page, "drop", "main")
    page.wait_for_url("**/caption?upload=*")


def test_it_works_without_script(chromium: Any, address: str) -> None:
    context = chromium.new_context(base_url=address, java_script_enabled=False)
    page = context.new_page()
    page.goto("/caption")
    page.fill(BOX, TEXT)
    page.locator(".search__scopes label:has([value=images])").click()
    page.focus(BOX)
    page.keyboard.press("Enter")
    page.wait_for_url("**/retrieve?term=text:a+cat+in+the+snow")
    page.goto("/")
    page.fill(BOX, "#5")
    page.keyboard.press("Enter")
    page.wait_for_url("**/latents/5")
    context.close()


@pytest.mark.parametrize(
    ("width", "text", "scope"), [(390, "a cat", "latents"), (390, TEXT, "images"), (390, "a sun", "captions")]
)
def test_the_list_fits_a_phone(page: Any, width: int, text: str, scope: str) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    page.goto("/evaluation")
    page.fill(BOX, text)
    choose_scope(page, scope)
    await_groups(page, *{"latents": ["named", "read"], "images": ["images"], "captions": ["worded", "captions"]}[scope])
    keep(page, f"01-search-390-{scope}")
    masthead, place = page.locator(".masthead").bounding_box(), page.locator(PANEL).bounding_box()
    assert (place["x"], place["width"]) == (0, masthead["width"])
    assert place["y"] == pytest.approx(masthead["height"], abs=1.5)
    assert place["y"] + place["height"] <= 844
    heights = page.eval_on_selector_all(
        "#search-options a", "all => all.map(one => one.getBoundingClientRect().height)"
    )
    assert min(heights) >= 44
    assert min(page.eval_on_selector_all(".search__scopes span", "all => all.map(one => one.offsetHeight)")) >= 40
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", [390, 768, 1280, 1920])
def test_nothing_overlaps_or_is_cut_in_the_masthead(page: Any, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    page.goto("/collection" if width == 390 else "/evaluation")
    keep(page, f"01-masthead-{width}")
    boxes = [page.locator(selector).bounding_box() for selector in (".wordmark", "#search", ".masthead__tools", ".nav")]
    for i, one in enumerate(boxes):
        for other in boxes[:i]:
            apart_x = one["x"] >= other["x"] + other["width"] or other["x"] >= one["x"] + one["width"]
            apart_y = one["y"] >= other["y"] + other["height"] or other["y"] >= one["y"] + one["height"]
            assert apart_x or apart_y
    screen = page.evaluate("document.documentElement.clientWidth")
    current = page.locator(".nav [aria-current]").bounding_box()
    assert current["x"] >= 0
    assert current["x"] + current["width"] <= screen
    wide, room = page.evaluate(
        "[document.querySelector('.nav').scrollWidth, document.querySelector('.nav').clientWidth]"
    )
    assert wide <= room or width == 390, "the navigation is pushed sideways on a phone only"
    hint = page.evaluate(
        "(() => { const box = document.querySelector('#search-box'); return [box.scrollWidth, box.clientWidth]; })()"
    )
    assert hint[0] <= hint[1], "the box says all that it takes"


def test_keys_go_places_star_and_list_themselves(page: Any) -> None:
    page.goto("/latents/3")
    page.keyboard.press("g")
    page.keyboard.press("?")
    assert page.locator("#keys").is_visible(), "a key after g that is no place is itself"
    keep(page, "01-keys")
    listed = page.locator("#keys").inner_text()
    assert all(title in listed for title in ("Go to", "On a latent", "Everywhere", "In the search box"))
    page.keyboard.press("x")
    page.wait_for_timeout(100)
    assert page.url.endswith("/latents/3"), "keys rest while the list is there"
    page.keyboard.press("Escape")
    page.keyboard.press("s")
    assert page.locator(".latent-head [data-star]").first.get_attribute("aria-pressed") == "true"
    page.keyboard.press("]")
    page.wait_for_url("**/latents/4")
    page.keyboard.press("x")
    page.wait_for_url(re.compile(r"/latents/(?!4$)\d+$"))
    page.keyboard.press("g")
    page.keyboard.press("e")
    page.wait_for_url("**/evaluation")
