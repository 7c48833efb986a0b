"""Finding latents in a real browser: by filters, meaning, pictures, regions, examples, mismatches; and their items."""

import io
import re
from typing import Any

import pytest
from PIL import Image

pytestmark = pytest.mark.browser

CARDS = "cards => cards.slice(0, 6).map(card => card.innerText.replace(/\\s+/g, ' '))"
TILES = "items => items.map(item => item.outerHTML.replace(/\\s+/g, ' '))"


def picture() -> bytes:
    out = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").resize((300, 200)).save(out, "PNG")
    return out.getvalue()


def await_latents(page: Any) -> None:
    page.wait_for_selector("#status:has-text('latent')")
    page.wait_for_selector("#latents:not([aria-busy])")


def cards_of(page: Any) -> list[str]:
    return page.eval_on_selector_all("#latents > li", CARDS)


def count_of(page: Any, value: str) -> int:
    """The number beside a choice of "Active in"."""
    return int(page.inner_text(f"[data-count=alive][data-value='{value}']"))


@pytest.fixture
def sent(page: Any) -> list[dict[str, Any]]:
    """The bodies of the page's latent searches, as they are sent."""
    bodies: list[dict[str, Any]] = []
    page.on("request", lambda r: bodies.append(r.post_data_json) if r.url.endswith("/latents/search") else 0)
    return bodies


def test_filters_of_the_gallery(page: Any) -> None:
    page.goto("/")
    everything = count_of(page, "")
    page.locator(".filters > summary").click()
    page.fill("input[name=min_purity]", "0.8")
    page.keyboard.press("Enter")
    page.wait_for_url("**min_purity=0.8**")
    await_latents(page)
    page.wait_for_function("n => Number(document.querySelector('[data-count=alive]').textContent) < n", arg=everything)
    assert 0 < count_of(page, "") < everything
    page.check("input[name=active_in][value=dino]")
    page.wait_for_url("**active_in=dino**")
    page.check("input[name=active_in][value=clip_txt]")
    page.wait_for_url("**active_in=dino&active_in=clip_txt**")
    await_latents(page)
    shown = cards_of(page)
    ids = [int(card.split("#")[1].split()[0]) for card in shown]
    purities = [page.request.get(f"/api/v1/latents/{latent}").json()["purity"] for latent in ids]
    assert min(purities) >= 0.8
    page.reload()
    assert cards_of(page) == shown, "the server filters alike"
    assert page.locator(".filters[open]").count() == 1
    page.go_back()
    page.wait_for_selector("input[name=active_in][value=clip_txt]:not(:checked)")
    page.go_back()
    page.go_back()
    page.wait_for_selector(f"[data-count=alive][data-value='']:has-text('{everything}')")


def test_a_meaning_finds_latents_and_says_why(page: Any, sent: list[dict[str, Any]]) -> None:
    page.goto("/")
    page.fill("input[name=query]", "penguin")
    page.wait_for_url("**query=penguin")
    await_latents(page)
    page.locator(".tabs a", has_text="Meaning").click()
    page.wait_for_url("**/find?text=penguin")
    await_latents(page)
    assert re.fullmatch(r"activated \d\.\d\d", page.locator(".card__why").first.inner_text())
    assert re.fullmatch(r"direction, cosine \d\.\d\d", page.locator(".card__why").last.text_content())
    assert page.locator(".word").inner_text() == "penguin"
    page.fill("input[name=text]", "a red balloon")
    page.keyboard.press("Enter")
    page.wait_for_url("**/find?text=a+red+balloon")
    page.wait_for_selector(".word:has-text('balloon')")
    assert sent[-1] == {"text": "a red balloon"}
    few = page.locator("#latents > li").count()
    page.locator("#more").click()
    page.wait_for_url("**limit=100")
    page.wait_for_selector(f"#latents > li:nth-child({few + 1})")
    page.go_back()
    page.go_back()
    page.wait_for_selector(".word:has-text('penguin')")
    assert page.input_value("input[name=text]") == "penguin"


def test_a_region_that_is_drawn_or_written_is_what_is_searched_by(page: Any, sent: list[dict[str, Any]]) -> None:
    page.goto("/items/s000003")
    page.locator("text=Search by a part of it").click()
    page.wait_for_url("**/find?by=picture&item=s000003")
    await_latents(page)
    assert sent[-1] == {"item_id": "s000003"}
    box = page.locator(".region__frame").bounding_box()
    page.mouse.move(box["x"] + 0.1 * box["width"], box["y"] + 0.2 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 0.9 * box["height"], steps=4)
    page.mouse.up()
    page.wait_for_url("**region=**")
    await_latents(page)
    region = sent[-1]["region"]
    assert list(region.values()) == pytest.approx([0.1, 0.2, 0.6, 0.9], abs=0.02)
    assert page.input_value("input[name=right]") == "60"
    page.fill("input[name=right]", "80")
    page.keyboard.press("Tab")
    page.wait_for_url("**,0.8,**")
    page.focus(".region__box")
    page.keyboard.press("ArrowLeft")
    page.wait_for_url("**,0.75,**")
    page.keyboard.press("Shift+ArrowDown")
    page.wait_for_url("**,0.95")
    page.reload()
    await_latents(page)
    moved = list(sent[-1]["region"].values())
    assert moved == pytest.approx([0.05, 0.2, 0.75, 0.95], abs=0.02)
    page.locator("[data-whole]").click()
    page.wait_for_url(lambda url: "region" not in url)
    assert not page.locator(".region__box").is_visible()
    page.go_back()
    page.wait_for_selector(".region__box")


def test_a_sent_picture_finds_latents_and_is_there_after_a_reload(page: Any, sent: list[dict[str, Any]]) -> None:
    page.goto("/find?by=picture")
    page.set_input_files("#file", {"name": "mine.png", "mimeType": "image/png", "buffer": picture()})
    page.wait_for_url("**upload=**")
    await_latents(page)
    page.reload()
    await_latents(page)
    assert "upload_id" in sent[-1]
    width, height = page.evaluate(
        "(img => img.decode().then(() => [img.naturalWidth, img.naturalHeight]))(document.querySelector('.region img'))"
    )
    assert width / height == pytest.approx(1.5, abs=0.02)
    page.select_option("select[name=stream]", "dino")
    page.wait_for_url("**stream=dino")
    await_latents(page)
    assert sent[-1]["stream"] == "dino"


def test_examples_come_from_an_item_and_from_words_of_captions(page: Any, sent: list[dict[str, Any]]) -> None:
    page.goto("/items/s000003")
    page.locator("text=Find its latents").click()
    page.wait_for_url("**/find?by=examples&item=s000003")
    await_latents(page)
    assert re.fullmatch(r"active in the example and in [\d.]+% of all", page.locator(".card__why").first.inner_text())
    page.fill("input[name=add]", "penguin")
    page.locator("#offered button").first.click()
    page.wait_for_url("**item=s000003&item=*")
    await_latents(page)
    assert len(sent[-1]["item_ids"]) == 2
    page.wait_for_selector(".card__why:has-text('of the examples')")
    page.fill("input[name=add]", "s000007")
    page.keyboard.press("Enter")
    page.wait_for_url("**item=s000007")
    assert page.locator("#chosen li").count() == 3
    page.locator("#chosen button").first.click()
    page.wait_for_url(lambda url: "s000003" not in url)
    assert page.locator("#chosen li").count() == 2


def test_mismatches_of_two_streams(page: Any) -> None:
    page.goto("/mismatches")
    from_server = cards_of(page)
    assert re.search(r"DINO [\d.]+% CLIP text [\d.]+% Jaccard 0\.\d\d$", from_server[0])
    jaccards = page.eval_on_selector_all(
        "#latents .measures div:last-child .number", "all => all.map(e => +e.textContent)"
    )
    assert jaccards == sorted(jaccards), "the greatest disagreement first"
    page.select_option("select[name=strong]", "clip_img")
    page.wait_for_url("**strong=clip_img**")
    await_latents(page)
    assert "CLIP image" in cards_of(page)[0]
    page.select_option("select[name=weak]", "clip_img")
    assert page.input_value("select[name=strong]") == "clip_txt", "one stream twice has no disagreement"
    page.wait_for_url(re.compile(r"strong=clip_txt&weak=clip_img$"))
    page.go_back()
    page.go_back()
    page.wait_for_selector("select[name=strong] >> nth=0")
    page.wait_for_selector(f"#latents > li:first-child:has-text('{from_server[0].split()[0]}')")
    page.wait_for_url("**/mismatches")
    await_latents(page)
    assert cards_of(page) == from_server, "cards made by the server and by script are alike"
    page.locator("label:has(input[value=silent])").click()
    page.select_option("select[name=at_most]", "0.8")
    page.wait_for_url("**kind=silent&at_most=0.8")
    await_latents(page)
    shares = page.eval_on_selector_all(
        "#latents > li",
        "all => all.map(e => [...e.querySelectorAll('.measures .number')].map(n => parseFloat(n.textContent)))",
    )
    assert all(weak <= 0.85 * strong for strong, weak, _ in shares)
    page.goto("/mismatches?strong=dino&weak=dino")
    assert "name two streams" in page.inner_text("main .notice")


def test_items_of_every_interval(page: Any) -> None:
    page.goto("/latents/3")
    top = page.eval_on_selector_all("#columns li", TILES)
    for interval in ("high", "mid", "low", "near_miss"):
        page.locator(f"[data-interval={interval}]").click()
        page.wait_for_url(f"**interval={interval}")
        page.wait_for_selector("#columns:not([aria-busy])")
        by_script = page.eval_on_selector_all("#columns li", TILES)
        page.reload()
        assert page.eval_on_selector_all("#columns li", TILES) == by_script, "server and script are alike"
    assert re.search(r"logit -?\d\.\d\d", page.locator("#columns").inner_text())
    page.locator("[data-interval=random]").click()
    page.locator("[data-again]").click()
    page.wait_for_url("**interval=random&seed=1")
    page.wait_for_selector("#columns:not([aria-busy])")
    drawn = page.eval_on_selector_all("#columns li", TILES)
    page.reload()
    assert page.eval_on_selector_all("#columns li", TILES) == drawn, "a draw can be linked"
    page.goto("/latents/3?interval=low")
    page.locator("[data-interval=top]").click()
    page.wait_for_url("**/latents/3")
    page.wait_for_selector("#columns:not([aria-busy])")
    assert page.eval_on_selector_all("#columns li", TILES) == top
    page.go_back()
    page.wait_for_selector("[data-interval=low][aria-current]")


def test_mismatches_and_intervals_without_script(chromium: Any, address: str) -> None:
    context = chromium.new_context(base_url=address, java_script_enabled=False)
    page = context.new_page()
    page.goto("/mismatches?strong=dino&kind=different&weak=clip_txt")
    assert page.locator("#latents > li").count() > 3
    page.goto("/latents/3")
    page.locator("text=near miss").click()
    page.wait_for_url("**interval=near_miss")
    assert "logit" in page.inner_text("#columns")
    page.goto("/?min_density=0.01&silent_in=dino&label=")
    assert page.locator("h1").inner_text() == "Latents"
    context.close()


def test_pictures_name_the_bundle_so_that_browsers_keep_them(page: Any) -> None:
    for path in ("/", "/latents/3", "/items/s000003", "/caption?item=s000003", "/retrieve?term=item:s000003"):
        page.goto(path)
        page.wait_for_load_state("networkidle")
        bundle = page.locator("footer .mono").first.inner_text()
        sources = page.eval_on_selector_all("img", "all => all.map(img => img.getAttribute('src'))")
        assert sources
        assert all(source.endswith(f"&bundle={bundle}") for source in sources)
