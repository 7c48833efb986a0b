"""The collection in a real browser: what is starred is kept, tagged, noted, exported, imported and shared."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.browser.looking import keep

pytestmark = pytest.mark.browser

AT = "2026-05-0{}T12:00:00.000Z"
IMPORTED = """
  const own = await import("/static/js/collection.js");
  const link = await import("/static/js/parts/collection/sharelink.js");
"""


def entry(kind: str, id_: str, day: int = 1, **said: Any) -> dict[str, Any]:
    """An entry as the page keeps it."""
    return {"kind": kind, "id": id_, "name": f"{kind} {id_}", "tags": [], "note": "", "at": AT.format(day), **said}


def document(entries: object, **said: Any) -> dict[str, Any]:
    """A file, of a bundle that nobody serves unless it is said."""
    bundle = {"bundle_id": "0123456789abcdef", "corpus": "elsewhere"}
    return {"kind": "sparc-collection", "version": 1, **bundle, "entries": entries, **said}


def own_bundle(page: Any) -> dict[str, str]:
    info = json.loads(page.locator("#info").text_content())
    return {"bundle_id": info["bundle_id"], "corpus": info["corpus"]}


def import_file(page: Any, content: object, name: str = "collection.json") -> None:
    text = content if isinstance(content, str) else json.dumps(content)
    file = {"name": name, "mimeType": "application/json", "buffer": text.encode()}
    page.set_input_files("#import", files=[file])


def kept(page: Any) -> list[dict[str, Any]]:
    """What the browser keeps of the page's bundle, as plain data."""
    return page.evaluate(
        "id => JSON.parse(localStorage.getItem(`sparc-collection:${id}`)) ?? []", own_bundle(page)["bundle_id"]
    )


def put(page: Any, entries: list[dict[str, Any]]) -> None:
    """Have the browser keep these, and show them."""
    page.goto("/collection")
    page.evaluate(
        "([id, all]) => localStorage.setItem(`sparc-collection:${id}`, JSON.stringify(all))",
        [own_bundle(page)["bundle_id"], entries],
    )
    page.reload()
    page.wait_for_selector(".entry")


def ids(page: Any) -> list[str]:
    return page.eval_on_selector_all(".entry", "rows => rows.map(row => row.dataset.id)")


def test_what_is_starred_is_tagged_noted_and_kept(page: Any) -> None:
    page.goto("/collection")
    assert page.locator("#empty h2").inner_text() == "Nothing is starred yet"
    keep(page, "08-collection-empty")
    page.goto("/items/s000003")
    page.locator("[data-star=item]").first.click()
    page.goto("/")
    star = page.locator("[data-star=latent]").first
    latent = star.get_attribute("data-id")
    star.click()
    page.goto("/collection")
    assert ids(page) == [latent, "s000003"], "the last starred first"
    row = page.locator(".entry").first
    assert row.locator(".entry__strip").count() == 2, "a strip for each image stream"
    row.locator(".entry__strip img").first.wait_for()
    row.locator(".tag-box").fill("odd one")
    page.keyboard.press("Enter")
    row.locator(".tag-box").type("check,")
    row.locator("textarea").fill("Looks at the sky.\nOr at blue?")
    assert row.locator("textarea").evaluate("box => box.clientHeight >= box.scrollHeight"), "the note grows"
    page.wait_for_function("() => Object.values(localStorage).join().includes('blue?')")
    page.reload()
    row = page.locator(".entry").first
    assert row.locator(".tag").all_text_contents() == ["odd one×", "check×"]
    assert row.locator("textarea").input_value() == "Looks at the sky.\nOr at blue?"
    row.locator(".tag__remove").first.click()
    assert [one["tags"] for one in kept(page)] == [["check"], []]
    assert page.locator("#data-calls code").first.text_content() == f"GET /api/v1/latents?ids={latent}&sort=id&limit=1"
    keep(page, "08-collection", full=True)


def test_the_last_words_of_a_note_are_kept_when_the_page_is_left(page: Any) -> None:
    put(page, [entry("item", "s000001")])
    page.locator("textarea").type("in a hurry")
    page.goto("/evaluation")
    assert kept(page)[0]["note"] == "in a hurry"


def test_removed_entries_come_back_by_undo(page: Any) -> None:
    put(page, [entry("item", "s000003", 3), entry("latent", "2", 2), entry("item", "s000001", 1)])
    page.locator("[aria-label='Remove latent 2']").click()
    page.locator("[aria-label='Remove item s000003']").focus()
    page.keyboard.press("Enter")
    assert ids(page) == ["s000001"]
    assert page.locator("#undo span").inner_text() == "Removed 2 entries."
    assert page.evaluate("document.activeElement.textContent") == "Undo", "the focus is not lost with the button"
    page.keyboard.press("Enter")
    assert ids(page) == ["s000003", "2", "s000001"]
    assert page.locator("#undo").inner_text() == ""


def test_kinds_tags_and_words_filter_and_the_address_says_so(page: Any) -> None:
    put(
        page,
        [
            entry("latent", "5", 3, tags=["sky", "odd"], note="Rain"),
            entry("item", "s000003", 2, tags=["sky"]),
            entry("latent", "2", 1, tags=["food"]),
        ],
    )
    assert page.locator("#view small").all_inner_texts() == ["3", "2", "1"]
    page.locator("#tag-filter [data-tag=sky]").click()
    page.wait_for_url("**?tag=sky")
    assert ids(page) == ["5", "s000003"]
    assert page.locator("#tag-filter button").all_inner_texts() == ["odd 1", "sky 2"], "with what each would leave"
    page.locator("#view label", has_text="latents").click()
    page.wait_for_url("**?kind=latent&tag=sky")
    assert ids(page) == ["5"]
    page.go_back()
    page.wait_for_selector("[data-id=s000003]")
    page.fill("#view input[name=q]", "rAIN")
    page.wait_for_url("**&q=rAIN")
    assert ids(page) == ["5"]
    page.fill("#view input[name=q]", "nothing like it")
    page.locator("#empty button").click()
    assert ids(page) == ["5", "s000003", "2"]


def test_what_is_shown_can_be_examples(page: Any) -> None:
    put(page, [entry("item", f"s{i:06d}") for i in range(20)] + [entry("latent", "2"), entry("latent", "3")])
    hrefs = page.eval_on_selector_all("#uses a", "links => links.map(link => link.getAttribute('href'))")
    assert hrefs[0] == "/find?by=examples&" + "&".join(f"item=s{i:06d}" for i in range(20))
    assert hrefs[1] == "/retrieve?" + "&".join(f"term=item:s{i:06d}" for i in range(16)), "as many as a query may have"
    assert hrefs[2] == "/retrieve?term=latent:2&term=latent:3"
    page.locator("#uses a").nth(1).click()
    page.wait_for_selector("#status:has-text('hits in')")


def test_exported_files_say_all_of_it(page: Any, tmp_path: Path) -> None:
    entries = [
        entry("latent", "2", 2, tags=["a", "b"], note='two\nlines, and "quotes"'),
        entry("item", "s000001", 1, name="a cat, a hat"),
    ]
    put(page, entries)
    with page.expect_download() as download:
        page.locator("[data-keep=json]").click()
    assert download.value.suggested_filename == f"sparc-collection_storybook_{own_bundle(page)['bundle_id']}.json"
    found = json.loads(Path(download.value.path()).read_text())
    assert found.pop("exported_at").endswith("Z")
    assert found == document(entries, **own_bundle(page))
    with page.expect_download() as download:
        page.locator("[data-keep=csv]").click()
    rows = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text(), newline="")))
    assert [(row["id"], row["tags"], row["note"]) for row in rows] == [
        ("2", "a; b", 'two\nlines, and "quotes"'),
        ("s000001", "", ""),
    ]
    page.locator("#data summary").click()
    with page.expect_download() as download:
        page.locator("[aria-label='PNG: The collection']").click()
    assert Path(download.value.path()).read_bytes().startswith(b"\x89PNG")


def test_an_imported_file_is_merged(page: Any) -> None:
    mine = [
        entry("latent", "2", 5, tags=["a"], note="mine"),
        entry("latent", "3", 4, note="the same"),
        entry("item", "s000001", 1),
    ]
    theirs = [
        {"kind": "latent", "id": 2, "tags": ["b", "a"], "note": "theirs", "at": AT.format(6)},
        entry("latent", "3", 9, note="the same"),
        entry("item", "s000001", 9, note="only theirs"),
        {"kind": "item", "id": "s000007", "name": "new", "at": AT.format(3)},
    ]
    put(page, mine)
    import_file(page, document(theirs, **own_bundle(page)))
    page.wait_for_selector("#status:has-text('1 added, 2 united with yours, 1 there already.')")
    merged = {one["id"]: one for one in kept(page)}
    assert list(merged) == ["2", "3", "s000007", "s000001"], "still the last starred first, as mine says it"
    assert merged["2"]["tags"] == ["a", "b"]
    assert merged["2"]["note"] == "theirs\n\nmine", "the newer first"
    assert merged["3"]["note"] == "the same"
    assert merged["s000001"]["note"] == "only theirs"
    assert page.locator("[data-id='2'] textarea").input_value() == "theirs\n\nmine"
    before = kept(page)
    import_file(page, document(theirs, **own_bundle(page)))
    page.wait_for_selector("#status:has-text('4 there already.')")
    assert kept(page) == before, "twice is once"


REFUSED = [
    ("no json {", "not JSON"),
    ("[]", "JSON without a known kind"),
    ({"kind": "recipe"}, "“recipe”"),
    (document([], version=2), "version 2, and this page reads version 1"),
    (document([], version="x"), "version “x”"),
    (document([], bundle_id=None), "no bundle_id"),
    (document({}), "no list of entries"),
    (document([entry("item", "s000001"), {"kind": "item"}]), "Entry 2 has no id"),
    (document([entry("latent", "seven")]), "“seven”"),
    (document([entry("photo", "1")]), "kind “photo”"),
    (document([entry("item", "s000001", tags="a")]), "tags"),
    (document([entry("item", "s000001", note=3)]), "note"),
    (document([entry("item", "s000001", at="yesterday")]), "“yesterday”"),
]


def test_what_is_no_collection_is_refused_whole_in_a_sentence(page: Any) -> None:
    put(page, [entry("item", "s000002")])
    before = kept(page)
    for content, word in REFUSED:
        import_file(page, content)
        page.wait_for_selector(f"#offer .trouble:has-text('{word}')")
        text = page.locator("#offer .trouble p").inner_text()
        assert text.endswith(". Nothing was imported.")
        assert text.count(". ") == 1
        page.locator("#offer button").click()
    assert kept(page) == before
    import_file(page, REFUSED[3][0])
    page.wait_for_selector("#offer .trouble")
    keep(page, "08-collection-refused")


def test_a_file_can_be_dropped_anywhere_and_pictures_are_left_to_the_search_box(page: Any) -> None:
    put(page, [entry("item", "s000001")])
    dropped = """([name, type, bytes]) => {
      const data = new DataTransfer();
      data.items.add(new File([new Uint8Array(bytes)], name, { type }));
      const how = { bubbles: true, cancelable: true, dataTransfer: data };
      return ['dragover', 'drop'].map(kind => document.querySelector('h1').dispatchEvent(new DragEvent(kind, how)));
    }"""
    text = json.dumps(document([entry("item", "s000002")], **own_bundle(page)))
    page.evaluate(dropped, ["collection.json", "application/json", list(text.encode())])
    page.wait_for_selector(".entry[data-id=s000002]")
    png = io.BytesIO()
    Image.new("RGB", (60, 40), "red").save(png, "PNG")
    page.evaluate(dropped, ["scene.png", "image/png", list(png.getvalue())])
    page.wait_for_selector("#search-panel:not([hidden])")
    assert page.locator("#offer > *").count() == 0


def test_a_file_of_another_bundle_is_asked_about_and_marked(chromium: Any, address: str) -> None:
    context = chromium.new_context(base_url=address, viewport={"width": 1280, "height": 860})
    page = context.new_page()  # no fixture: pictures of items that are not there are errors in the console
    put(page, [entry("latent", "2")])
    here = own_bundle(page)
    theirs = [entry("latent", "7", 2), entry("item", "s000004", 1)]
    import_file(page, document(theirs, corpus=here["corpus"]))
    page.wait_for_selector(".offer__warning:has-text('numbers mean other latents there')")
    assert ids(page) == ["2"], "not before it was asked"
    keep(page, "08-collection-of-another-bundle")
    page.locator(".offer button", has_text="Add only 1 item").click()
    assert [one["id"] for one in kept(page)] == ["2", "s000004"]
    assert all("bundle_id" not in one for one in kept(page)), "items of the same corpus are the same"
    import_file(page, document([*theirs, entry("latent", "4000000", 3), entry("item", "nowhere", 4)]))
    page.locator(".offer button", has_text="Add all the same").click()
    page.wait_for_selector("[data-id='7'] .entry__mark:has-text('from another bundle')")
    assert page.locator("[data-id='7'] a").count() == 0
    assert "latent:7" not in (page.locator("#uses").inner_html())
    import_file(page, document([entry("latent", "4000001", 5), entry("item", "elsewhere", 6)], **here))
    page.wait_for_selector("[data-id='4000001'] .entry__mark:has-text('not in this bundle')")
    page.wait_for_selector("[data-id='elsewhere'] .entry__mark:has-text('not in this bundle')")
    assert page.eval_on_selector_all("#uses a", "all => all.map(one => one.search)") == [
        "?by=examples&item=s000004",
        "?term=item:s000004",
        "?term=latent:2",
    ], "what is not there is no example"
    context.close()


def test_a_shared_link_brings_the_collection_to_another_browser(page: Any, chromium: Any, address: str) -> None:
    entries = [
        entry("latent", "2", 2, tags=["ä, ö".split(",")[0], "雨"], note="“quoted”\nline"),
        entry("item", "s000001", 1),
    ]
    put(page, entries)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator("[data-keep=link]").click()
    page.wait_for_selector("#status:has-text('Link copied')")
    link = page.evaluate("navigator.clipboard.readText()")
    assert link.startswith(f"{address}/collection#c=")

    context = chromium.new_context(base_url=address, viewport={"width": 1280, "height": 860})
    other = context.new_page()
    asked: list[str] = []
    other.on("request", lambda request: asked.append(request.url))
    other.goto(link)
    assert other.locator(".offer h2").inner_text() == "Shared collection: 1 latent, 1 item"
    assert kept(other) == [], "read-only until it is added"
    keep(other, "08-collection-shared")
    other.locator("text=Add to mine").click()
    assert kept(other) == entries
    assert other.url == f"{address}/collection", "the link has done its part"
    assert not any("c=" in one.partition("?")[2] or "雨" in one for one in asked), "nothing of it went to the server"
    other.goto(link)
    other.locator(".offer button", has_text="Dismiss").click()
    assert other.url == f"{address}/collection"
    context.close()


def test_links_that_cannot_be_read_are_said_to_be(page: Any) -> None:
    put(page, [entry("item", "s000001")])
    link = page.evaluate(f"async () => {{ {IMPORTED} return link.shareLink(own.entries()); }}")
    letters = link.partition("#c=")[2]
    letters_of = """async (text) => {
      const stream = new Blob([text]).stream().pipeThrough(new CompressionStream("deflate-raw"));
      const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
      return btoa(String.fromCharCode(...bytes)).replaceAll("=", "");
    }"""
    deflated_text = page.evaluate(letters_of, "not json")
    for wrong, word in [
        (letters[:-9], "cut short"),
        ("!!", "cut short"),
        ("", "cut short"),
        (deflated_text, "not JSON"),
    ]:
        page.goto("/collection")
        page.evaluate("hash => (location.hash = hash)", f"c={wrong}")
        page.wait_for_selector(f"#offer .trouble:has-text('{word}')")
        page.locator("#offer button").click()
        assert "#" not in page.url
    assert len(kept(page)) == 1


def test_a_link_that_is_too_long_gives_way_to_the_file(page: Any) -> None:
    noise = page.evaluate(
        "() => '' + Array.from({length: 1500}, (_, i) => (i * 7919 % 9973).toString(36) + i * i).join(' ')"
    )
    page.goto("/collection")
    put(page, [entry("item", "s000001", note=noise)])
    page.locator("[data-keep=link]").click()
    page.wait_for_selector("#offer:has-text('Export the collection as a file instead')")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator("#offer button", has_text="Copy it all the same").click()
    page.wait_for_selector("#status:has-text('Link copied')")
    hash_ = "new URL(await navigator.clipboard.readText()).hash"
    found = page.evaluate(f"async () => {{ {IMPORTED} return link.sharedCollection({hash_}); }}")
    assert found["entries"][0]["note"] == noise


def test_tabs_stay_in_step(page: Any) -> None:
    put(page, [entry("item", "s000001")])
    other = page.context.new_page()
    other.goto("/items/s000002")
    other.locator("[data-star=item]").first.click()
    page.wait_for_selector(".entry[data-id=s000002]")
    page.locator("[data-id=s000002] .tag-box").fill("here")
    page.keyboard.press("Enter")
    other.goto("/collection")
    assert other.locator("[data-id=s000002] .tag").all_text_contents() == ["here×"]
    other.close()


def test_a_latent_that_cannot_be_looked_up_says_so_and_is_tried_again(chromium: Any, address: str) -> None:
    context = chromium.new_context(base_url=address)
    page = context.new_page()  # no fixture: the browser reports the failed request
    page.route("**/api/v1/latents?**", lambda route: route.abort())
    put(page, [entry("latent", "2"), entry("latent", "3")])
    page.wait_for_selector("#trouble .trouble")
    page.unroute("**/api/v1/latents?**")
    page.locator("#trouble button").click()
    page.wait_for_selector("[data-id='3'] .entry__strip img")
    assert page.locator("#trouble .trouble").count() == 0
    context.close()


@pytest.mark.parametrize("width", [390, 1920])
def test_the_collection_fits_its_screen(page: Any, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    put(
        page,
        [
            entry("latent", "2", name=40 * "long", tags=[60 * "w", "b"], note=300 * "n"),
            entry("item", "s000001", name=200 * "m"),
        ],
    )
    import_file(page, document([entry("latent", "9", name=100 * "l", tags=[60 * "t"], note=90 * "n")]))
    page.wait_for_selector(".offer")
    page.locator("[aria-label='Remove item s000001'], [aria-label^='Remove mmm']").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    keep(page, f"08-collection-{width}", full=True)
