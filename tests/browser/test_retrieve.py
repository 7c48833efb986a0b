"""The retrieval page in a real browser: sums of terms, filters, ways, and what makes a hit's score."""

import io
import math
import re
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image

from tests.browser.looking import keep

pytestmark = pytest.mark.browser

PENGUIN = "/retrieve?term=text:a+penguin+and+a+fire+engine"
CHIPS = (
    "chips => chips.map(chip => [chip.querySelector('.term__sign').innerText, "
    "chip.querySelector('.term__name').innerText, chip.querySelector('.term__weight').value])"
)
SHARES = "bars => bars.map(bar => [...bar.children].map(part => +part.dataset.share))"


def picture() -> bytes:
    out = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").resize((300, 200)).save(out, "PNG")
    return out.getvalue()


def await_hits(page: Any) -> None:
    page.wait_for_selector("#status:has-text('hits in')")


def hits_of(page: Any) -> list[str]:
    return page.eval_on_selector_all(".hit", "hits => hits.map(hit => hit.dataset.item)")


def chips_of(page: Any) -> list[list[str]]:
    return page.eval_on_selector_all("#terms > .term", CHIPS)


def unfold(page: Any) -> None:
    page.locator("#choices > summary").click()


def move_slider(page: Any, nth: int, *weights: float) -> None:
    """The slider of a chip moves through these weights, as if a pointer held it."""
    page.locator(".term__slider").nth(nth).evaluate(
        "(slider, weights) => weights.forEach(weight => { slider.value = weight; "
        "slider.dispatchEvent(new Event('input', { bubbles: true })); })",
        list(weights),
    )


def let_go(page: Any, nth: int) -> None:
    page.locator(".term__slider").nth(nth).evaluate(
        "slider => slider.dispatchEvent(new Event('change', { bubbles: true }))"
    )


def best(page: Any, *terms: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    """The hits that the API finds."""
    answer = page.request.post("/api/v1/retrieve", data={"query": list(terms), **more})
    hits: list[dict[str, Any]] = answer.json()["hits"]
    return hits


def type_term(page: Any, typed: str) -> None:
    page.fill("#q", typed)
    page.keyboard.press("Enter")
    await_hits(page)


@pytest.fixture
def sent(page: Any) -> list[dict[str, Any]]:
    """The bodies of the page's retrievals, as they are sent."""
    bodies: list[dict[str, Any]] = []
    page.on("request", lambda r: bodies.append(r.post_data_json) if r.url.endswith("/retrieve") and r.post_data else 0)
    return bodies


@pytest.fixture
def tolerant(chromium: Any, address: str) -> Iterator[Any]:
    """A page on which requests may fail."""
    context = chromium.new_context(base_url=address, viewport={"width": 1280, "height": 860})
    yield context.new_page()
    context.close()


def test_a_sum_of_terms_is_in_the_address_and_survives_a_reload(page: Any, sent: list[dict[str, Any]]) -> None:
    page.goto("/retrieve")
    for typed in ("a red balloon", "- at night", "-#17"):
        type_term(page, typed)
    assert page.url.endswith("/retrieve?term=text:a+red+balloon&term=-1+text:at+night&term=-1+latent:17")
    page.locator(".term__sign").nth(2).click()
    page.wait_for_url("**term=latent:17")
    page.locator(".term__weight").nth(1).fill("-0.5")
    page.keyboard.press("Enter")
    page.wait_for_url("**term=-0.5+text:at+night**")
    await_hits(page)
    query = [{"text": "a red balloon", "weight": 1}, {"text": "at night", "weight": -0.5}, {"latent": 17, "weight": 1}]
    assert sent[-1]["query"] == query
    shown = chips_of(page)
    assert [(sign, weight) for sign, _, weight in shown] == [("+", "1"), ("−", "-0.5"), ("+", "1")]
    assert shown[2][1].startswith("#17 "), "a latent is named"
    page.reload()
    await_hits(page)
    assert chips_of(page) == shown
    assert sent[-1]["query"] == query
    page.locator(".term__remove").first.click()
    page.wait_for_url("**/retrieve?term=-0.5+text:at+night&term=latent:17")
    page.go_back()
    await_hits(page)
    assert chips_of(page) == shown


def test_terms_can_be_written_with_a_plus_and_old_links_work(page: Any, sent: list[dict[str, Any]]) -> None:
    page.goto("/retrieve?term=+1 text:at night&term=-1 latent:17&target=dino&way=reconstruction&split=test")
    await_hits(page)
    assert sent[-1]["query"] == [{"text": "at night", "weight": 1}, {"latent": 17, "weight": -1}]
    assert (sent[-1]["target"], sent[-1]["way"], sent[-1]["where"]) == ("dino", "reconstruction", {"split": "test"})
    page.goto("/retrieve?q=a+cat&target=dino")
    await_hits(page)
    assert sent[-1]["query"] == [{"text": "a cat", "weight": 1}]
    page.goto("/retrieve?item=s000003&source=dino")
    await_hits(page)
    assert sent[-1]["query"] == [{"item_id": "s000003", "weight": 1, "stream": "dino"}]
    assert page.input_value("[data-reader]") == "dino"
    page.select_option("[data-reader]", "clip_txt")
    page.wait_for_url("**term=item@clip_txt:s000003")


def test_what_is_subtracted_changes_the_hits(page: Any, sent: list[dict[str, Any]]) -> None:
    page.goto(PENGUIN)
    await_hits(page)
    before = hits_of(page)
    page.locator(".hit").first.locator("[data-add='-1']").click()
    page.wait_for_url(f"**term=-1+item:{before[0]}")
    await_hits(page)
    page.wait_for_selector(f".hit:first-child:not([data-item='{before[0]}'])")
    assert before[0] not in hits_of(page), "items of the query are left out"
    assert sent[-1]["query"][1] == {"item_id": before[0], "weight": -1}
    assert page.evaluate("document.activeElement.id") == "q", "the focus does not get lost"
    page.locator(".hit").first.locator("[data-why]").click()
    page.locator("#why [data-use]").click()
    page.wait_for_url("**/retrieve?term=item:*")
    page.wait_for_selector("#why", state="hidden")
    await_hits(page)
    assert len(chips_of(page)) == 1


def test_backspace_takes_the_last_term_back_into_the_box(page: Any) -> None:
    page.goto(f"{PENGUIN}&term=-1+text:night")
    await_hits(page)
    page.focus("#q")
    page.keyboard.press("Backspace")
    page.wait_for_url(f"**{PENGUIN}")
    assert page.input_value("#q") == "- night"


def test_filters_narrow_what_is_searched(page: Any, sent: list[dict[str, Any]]) -> None:
    page.goto(PENGUIN)
    await_hits(page)
    assert "all 200 items" in page.inner_text("#reading")
    unfold(page)
    page.focus("input[name=label]")
    page.wait_for_selector("#labels option[value=penguin]", state="attached")
    page.fill("input[name=label]", "penguin")
    page.keyboard.press("Enter")
    page.wait_for_url("**label=penguin**")
    page.select_option("select[name=split]", "test")
    page.wait_for_url("**split=test**")
    page.fill("input[name=active]", "#3")
    page.fill("input[name=above]", "0.01")
    page.keyboard.press("Tab")
    page.wait_for_url("**active=%233&above=0.01**")
    page.wait_for_selector("#hits:not([aria-busy])")
    where = {"labels": ["penguin"], "split": "test", "latents": [{"latent": 3, "above": 0.01}]}
    assert sent[-1]["where"] == where
    assert re.search(r"the \d+ items? of 200 that pass the filter", page.inner_text("#reading"))
    page.uncheck("input[name=leave_out]")
    page.wait_for_url("**leave_out=no**")
    page.reload()
    page.wait_for_selector("#status:has-text(' in ')")
    assert sent[-1]["where"] == where
    assert sent[-1]["leave_out_query"] is False
    assert page.input_value("input[name=label]") == "penguin"
    assert not page.is_checked("input[name=leave_out]")


def test_every_way_says_what_its_score_is(page: Any, sent: list[dict[str, Any]]) -> None:
    page.goto(PENGUIN)
    await_hits(page)
    unfold(page)
    page.select_option("select[name=measure]", "dot")
    page.wait_for_selector(".hit:has-text('dot product of codes')")
    for way in ("reconstruction", "backbone"):
        page.locator(f".ways label:has([value={way}])").click()
        page.wait_for_url(f"**way={way}**")
        page.wait_for_selector(".hit:has-text('cosine of features')")
        assert "measure" not in sent[-1], "codes are not what is compared"
        assert "the search is exact" in page.inner_text("#reading")
    page.go_back()
    page.go_back()
    page.wait_for_selector(".hit:has-text('dot product of codes')")
    assert page.input_value("select[name=measure]") == "dot"


def test_ways_side_by_side_and_one_that_cannot_answer_says_why(tolerant: Any) -> None:
    tolerant.goto(f"{PENGUIN}&way=all")
    tolerant.wait_for_selector("#status:has-text('3 of 3 ways')")
    assert tolerant.locator(".compare__way").count() == 3
    assert tolerant.locator(".brief").count() >= 3 * 4
    tolerant.goto(f"{PENGUIN}&term=latent:3&way=all")
    tolerant.wait_for_selector("#status:has-text('2 of 3 ways')")
    assert "none of a backbone" in tolerant.locator(".compare__way").last.inner_text()
    tolerant.goto("/retrieve?term=latent:999&way=latent")
    tolerant.wait_for_selector("[role=alert]")
    assert "no latent 999" in tolerant.inner_text("[role=alert]")
    assert tolerant.locator(".term").count() == 1, "the term can be removed"


def test_what_speaks_against_a_hit_is_shown_on_the_other_side(page: Any) -> None:
    page.goto(f"{PENGUIN}&term=-1+text:snow&way=reconstruction&target=dino")
    await_hits(page)
    bars = page.eval_on_selector_all(".hit .stack", SHARES)
    assert len(bars) == 24
    for bar in bars:
        assert sum(bar) == pytest.approx(1, abs=0.01), "parts and the rest make the whole score"
    assert any(share < 0 for bar in bars for share in bar)
    assert page.locator(".hit .stack [data-against] ~ [data-zero]").count() > 0
    assert re.search(r"no latent −?\d", page.locator(".hit").first.inner_text().replace("\n", " "))
    assert re.search(r"−\d", page.inner_text("#reading .code")), "the query moves away from some latents"


def test_more_or_less_of_a_latent(page: Any, sent: list[dict[str, Any]]) -> None:
    page.goto(PENGUIN)
    await_hits(page)
    menu = page.locator(".hit .menu").first
    menu.locator("summary").click()
    button = menu.locator("button", has_text="Less of this")
    latent = button.get_attribute("data-weigh").removeprefix("-")
    button.click()
    page.wait_for_url(f"**term=-0.5+latent:{latent}")
    await_hits(page)
    assert sent[-1]["query"][1] == {"latent": int(latent), "weight": -0.5}
    page.locator("#reading .menu summary").first.click()
    page.wait_for_selector("#reading .menu[open]")
    page.keyboard.press("Escape")
    page.wait_for_selector("#reading .menu:not([open])")
    summary = page.locator(f"#reading li[data-latent='{latent}'] .menu summary")
    summary.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "latent" not in url)
    assert len(chips_of(page)) == 1, "as much more as less: nothing is left of it"


def test_where_leads_to_the_caption_page_or_shows_heatmaps_in_the_drawer(page: Any) -> None:
    page.set_default_timeout(240_000)  # trust on a machine that is busy otherwise
    page.goto(PENGUIN)
    await_hits(page)
    first = hits_of(page)[0]
    page.locator(".hit [data-why]").first.click()
    where = page.locator("#why a", has_text="Where is the whole text?")
    assert where.get_attribute("href") == f"/caption?q=a+penguin+and+a+fire+engine&item={first}"
    type_term(page, "- night")
    page.locator(".hit [data-why]").first.click()
    with page.expect_request("**/heatmaps") as asked:
        page.locator("#why [data-where]").click()
    body = asked.value.post_data_json
    assert body["item_ids"] == [hits_of(page)[0]]
    assert 1 <= len(body["latents"]) <= 8
    page.wait_for_selector("#why .trust[data-judged]")
    assert page.locator("#why canvas").count() == 2
    assert page.locator("#why a", has_text="Where is the whole text?").count() == 0


def test_a_slider_ranks_anew_while_it_moves_and_is_one_step_back(page: Any, sent: list[dict[str, Any]]) -> None:
    night = {"text": "night"}
    penguin = {"text": "a penguin and a fire engine"}
    page.goto(f"{PENGUIN}&term=text:night")
    await_hits(page)
    steps = page.evaluate("history.length")
    page.evaluate("for (const row of document.querySelectorAll('.hit')) row.known = true")
    moved = []
    page.expose_function("glided", lambda: moved.append(1))
    page.evaluate(
        "() => { const animate = Element.prototype.animate; Element.prototype.animate = function (frames, how) "
        "{ if (frames[0].transform) glided(); return animate.call(this, frames, how); }; }"
    )
    slider = page.locator(".term__slider").nth(1)
    box = slider.bounding_box()
    page.mouse.move(box["x"] + 0.75 * box["width"], box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.02 * box["width"], box["y"] + box["height"] / 2, steps=6)
    page.wait_for_url("**term=-2+text:night")
    expected = best(page, penguin, {**night, "weight": -2})
    page.wait_for_selector(f".hit:first-child[data-item='{expected[0]['item_id']}']")
    page.wait_for_function("n => document.querySelectorAll('.hit').length === n", arg=len(expected))
    assert hits_of(page) == [hit["item_id"] for hit in expected]
    assert page.evaluate("history.length") == steps, "while it moves there is no step for each weight"
    stayed = page.locator(".hit").evaluate_all("rows => rows.filter(row => row.known).length")
    assert moved if stayed else not moved
    keep(page, "06-retrieve-slider")
    page.mouse.up()
    page.wait_for_function("n => history.length === n", arg=steps + 1)
    await_hits(page)
    assert page.locator(".term__weight").nth(1).input_value() == "-2"
    page.go_back()
    page.wait_for_url(f"**{PENGUIN}&term=text:night")
    page.wait_for_function("() => document.querySelectorAll('.term__weight')[1].value === '1'")
    await_hits(page)
    assert hits_of(page) == [hit["item_id"] for hit in best(page, penguin, night)]


def test_arrow_keys_on_a_slider_are_one_step_back(page: Any) -> None:
    page.goto(f"{PENGUIN}&term=text:night")
    await_hits(page)
    steps = page.evaluate("history.length")
    page.locator(".term__slider").nth(1).focus()
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    page.wait_for_url("**term=0.7+text:night")
    await_hits(page)
    assert page.evaluate("history.length") == steps + 1
    assert page.evaluate("document.activeElement.className") == "term__slider"
    page.go_back()
    page.wait_for_url(f"**{PENGUIN}&term=text:night")


def test_a_stale_answer_never_overwrites_that_of_a_newer_weight(page: Any) -> None:
    page.goto(f"{PENGUIN}&term=text:night")
    await_hits(page)
    held: list[Any] = []

    def hold(route: Any) -> None:
        weight = route.request.post_data_json["query"][1]["weight"]
        if weight == -2:
            held.append(route)
        else:
            route.continue_()

    page.route("**/api/v1/retrieve", hold)
    with page.expect_request("**/retrieve"):
        move_slider(page, 1, -2)
    with page.expect_response("**/retrieve"):
        move_slider(page, 1, 2)
    let_go(page, 1)
    page.wait_for_url("**term=2+text:night")
    await_hits(page)
    expected = [
        hit["item_id"] for hit in best(page, {"text": "a penguin and a fire engine"}, {"text": "night", "weight": 2})
    ]
    page.wait_for_selector(f".hit:first-child[data-item='{expected[0]}']")
    assert hits_of(page) == expected
    held[0].continue_()
    page.wait_for_timeout(300)
    assert hits_of(page) == expected


def test_who_prefers_reduced_motion_sees_hits_in_their_places_at_once(page: Any) -> None:
    page.emulate_media(reduced_motion="reduce")
    page.goto(f"{PENGUIN}&term=text:night")
    await_hits(page)
    page.evaluate("() => { Element.prototype.animate = () => { throw new Error('it moves'); }; }")
    with page.expect_response("**/retrieve"):
        move_slider(page, 1, -2)
    let_go(page, 1)
    page.wait_for_url("**term=-2+text:night")
    await_hits(page)


def test_a_term_of_weight_0_stays_in_sight_and_is_not_asked_for(page: Any, sent: list[dict[str, Any]]) -> None:
    page.goto(f"{PENGUIN}&term=text:night")
    await_hits(page)
    move_slider(page, 1, 0)
    let_go(page, 1)
    page.wait_for_url("**term=0+text:night")
    await_hits(page)
    assert sent[-1]["query"] == [{"text": "a penguin and a fire engine", "weight": 1}]
    assert page.locator(".term").count() == 2
    page.locator(".term__weight").nth(0).fill("0")
    page.keyboard.press("Tab")
    page.wait_for_selector("#status:has-text('Every weight is 0')")
    page.locator(".term__weight").nth(1).fill("0.4")
    page.keyboard.press("Tab")
    await_hits(page)
    assert sent[-1]["query"] == [{"text": "night", "weight": 0.4}]


def test_the_drawer_writes_the_score_out(page: Any) -> None:
    page.goto(f"{PENGUIN}&term=-0.5+text:night")
    await_hits(page)
    item = hits_of(page)[1]
    page.locator(f".hit[data-item={item}] [data-why]").focus()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**why={item}")
    assert page.evaluate("document.activeElement.id") == "why", "the focus moves in"
    page.wait_for_selector(".apart__list li[data-latent]")
    hit = best(page, {"text": "a penguin and a fire engine"}, {"text": "night", "weight": -0.5})[1]
    rows = page.locator(".sum tbody tr").evaluate_all(
        "rows => rows.map(row => [...row.cells].map(cell => cell.innerText))"
    )
    adds = [float(cells[-3].replace("−", "-")) for cells in rows]
    assert sum(adds) == pytest.approx(hit["score"], abs=0.0006 * len(adds))
    assert float(page.locator(".sum tfoot td").first.inner_text()) == pytest.approx(hit["score"], abs=0.0006)
    lengths = [float(n) for n in re.findall(r"\d\.\d\d", page.inner_text(".why__rule"))]
    for cells in rows:
        if len(cells) == 6:  # a latent of its own, not "2 more latents"
            asked, active, added = (float(cell.replace("−", "-")) for cell in cells[1:4])
            assert added == pytest.approx(asked * active / math.prod(lengths), abs=0.03)
    code = page.request.post("/api/v1/encode", data={"item_id": item}).json()["codes"]
    answer = page.request.post(
        "/api/v1/retrieve",
        data={"query": [{"text": "a penguin and a fire engine"}, {"text": "night", "weight": -0.5}]},
    ).json()
    asked_for = {entry["latent"] for entry in answer["query_code"]}
    own = [str(entry["latent"]) for entry in code[answer["target"]] if entry["latent"] not in asked_for][:3]
    extra = page.locator(".apart section").last.locator("li")
    assert extra.evaluate_all("rows => rows.map(row => row.dataset.latent)") == own
    keep(page, "06-retrieve-why")
    page.keyboard.press("Escape")
    page.wait_for_url(lambda url: "why" not in url)
    assert not page.locator("#why").is_visible()
    assert page.evaluate("document.activeElement.closest('.hit').dataset.item") == item, "and back"
    page.go_back()
    page.wait_for_selector("#why:not([hidden])")
    page.reload()
    await_hits(page)
    assert page.locator("#why .why__score").inner_text().startswith(f"{hit['score']:.3f}")


def test_the_drawer_follows_the_query(page: Any, sent: list[dict[str, Any]]) -> None:
    page.goto(f"{PENGUIN}&term=-0.5+text:night")
    await_hits(page)
    page.locator(".hit [data-why]").first.click()
    before = page.inner_text(".why__score")
    move_slider(page, 1, -0.2)
    let_go(page, 1)
    page.wait_for_function("said => document.querySelector('.why__score').innerText !== said", arg=before)
    more = page.locator("#why .sum [data-weigh^='+']").first
    weighed = more.get_attribute("data-weigh")
    more.focus()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**term=0.5+latent:{weighed.removeprefix('+')}**why=*")
    await_hits(page)
    assert sent[-1]["query"][-1] == {"latent": int(weighed), "weight": 0.5}
    assert page.evaluate("document.activeElement.dataset.weigh") == weighed, "it can be pressed again"
    page.locator("#why [data-add='-1']").click()
    page.wait_for_url("**term=-1+item:**")
    page.wait_for_selector("#why:has-text('not among the hits any more')")


def test_the_drawer_is_a_sheet_on_a_narrow_screen(page: Any) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(PENGUIN)
    await_hits(page)
    page.locator(".hit [data-why]").nth(1).click()
    page.wait_for_selector("#why .sum")
    sheet = page.locator("#why").bounding_box()
    assert (sheet["x"], sheet["width"]) == (0, page.locator(".masthead").bounding_box()["width"])
    assert sheet["y"] + sheet["height"] == pytest.approx(844, abs=1)
    page.wait_for_function("() => document.querySelectorAll('.hit')[1].getBoundingClientRect().top >= 0")
    assert page.locator(".hit [data-why]").nth(1).bounding_box()["y"] < sheet["y"], "the hit stays in sight"
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    keep(page, "06-retrieve-why-390")
    page.locator(".why__close").click()
    assert not page.locator("#why").is_visible()


def test_hits_of_several_ways_are_linked_and_lone_ones_marked(page: Any) -> None:
    page.goto(f"{PENGUIN}&way=all")
    page.wait_for_selector("#status:has-text('3 of 3 ways')")
    query = {"text": "a penguin and a fire engine"}
    found = {
        way: [hit["item_id"] for hit in best(page, query, way=way, limit=24)]
        for way in ("latent", "reconstruction", "backbone")
    }
    columns = [
        column.locator(".brief").evaluate_all("rows => rows.map(row => [row.dataset.item, 'alone' in row.dataset])")
        for column in page.locator(".compare__way").all()
    ]
    for (way, ids), column in zip(found.items(), columns, strict=True):
        others = set().union(*(set(known) for other, known in found.items() if other != way))
        assert [tuple(row) for row in column] == [(item, item not in others) for item in ids[:12]]
    here, there_too = found["latent"][:12], found["reconstruction"][:12]
    both = next(item for item in here if item in there_too and here.index(item) != there_too.index(item))
    page.locator(".compare__way").first.locator(f".brief[data-item={both}]").hover()
    there = page.locator(".compare__way").nth(1).locator(f".brief[data-item={both}]")
    ranks = [found[way].index(both) + 1 for way in ("latent", "reconstruction")]
    assert there.locator(".brief__jump").inner_text() == f"{ranks[0]} → {ranks[1]}"
    assert "linked" in there.evaluate("row => ({...row.dataset})")
    keep(page, "06-retrieve-columns")
    there.locator("[data-why]").click()
    page.wait_for_url(f"**why={both}&by=reconstruction")
    assert page.locator("#why .sift [aria-pressed=true]").inner_text().split() == ["Reconstruction", str(ranks[1])]
    page.locator("#why .sift [data-by=latent]").click()
    page.wait_for_url("**by=latent")
    assert (
        page.locator("#why .why__score")
        .inner_text()
        .startswith(f"{best(page, query, limit=24)[ranks[0] - 1]['score']:.3f}")
    )


def test_columns_are_ranked_anew_while_a_weight_moves(page: Any) -> None:
    page.goto(f"{PENGUIN}&term=text:night&way=all")
    page.wait_for_selector("#status:has-text('3 of 3 ways')")
    move_slider(page, 1, -1)
    page.wait_for_url("**term=-1+text:night**")
    expected = best(page, {"text": "a penguin and a fire engine"}, {"text": "night", "weight": -1}, limit=24)
    ids = [hit["item_id"] for hit in expected[:12]]
    page.wait_for_function(
        "ids => [...document.querySelectorAll('.compare__way:first-child .brief')].map(row => row.dataset.item).join() "
        "=== ids",
        arg=",".join(ids),
    )
    let_go(page, 1)
    page.wait_for_selector("#status:has-text('3 of 3 ways')")


def test_places_of_hits_are_held_while_the_first_answer_comes(page: Any) -> None:
    held: list[Any] = []
    page.route("**/api/v1/retrieve", lambda route: held.append(route))
    page.goto(PENGUIN)
    page.wait_for_selector(".hit--skeleton")
    assert page.locator(".hit--skeleton").count() == 24
    place = page.locator(".hit--skeleton").first.bounding_box()
    held[0].continue_()
    await_hits(page)
    assert page.locator(".hit--skeleton").count() == 0
    hit = page.locator(".hit").first.bounding_box()
    assert [hit[edge] for edge in ("x", "width")] == [place[edge] for edge in ("x", "width")]
    assert hit["y"] == pytest.approx(place["y"], abs=12)


def test_the_page_says_its_calls_and_gives_hits_as_a_file(page: Any) -> None:
    page.goto(PENGUIN)
    await_hits(page)
    page.locator("#data summary").click()
    assert "POST /api/v1/retrieve" in page.inner_text("#data-calls")
    with page.expect_download() as download:
        page.get_by_role("button", name="PNG: The hits").click()
    with Image.open(download.value.path()) as image:
        assert image.format == "PNG"
    page.goto(f"{PENGUIN}&way=all")
    page.wait_for_selector("#status:has-text('3 of 3 ways')")
    page.locator("#data summary").click()
    assert page.inner_text("#data-calls").count("POST /api/v1/retrieve") == 3


def test_ticked_hits_are_examples_to_find_latents_with(page: Any) -> None:
    page.goto(PENGUIN)
    await_hits(page)
    first, second = hits_of(page)[:2]
    page.locator("[data-tick]").nth(0).check()
    page.locator("[data-tick]").nth(1).check()
    assert page.inner_text("#ticked b") == "2"
    page.locator("#ticked a").click()
    page.wait_for_url(f"**/find?by=examples&item={first}&item={second}")
    page.wait_for_selector("#latents > li")


def test_a_sent_picture_is_a_term_and_is_there_after_a_reload(page: Any) -> None:
    page.goto("/retrieve?term=text:a+cat")
    await_hits(page)
    page.set_input_files("#file", {"name": "mine.png", "mimeType": "image/png", "buffer": picture()})
    page.wait_for_url("**term=upload:**")
    await_hits(page)
    page.reload()
    await_hits(page)
    assert [name for _, name, _ in chips_of(page)] == ["a cat", "your picture"]
    page.wait_for_selector(".term img")
    assert page.evaluate("document.querySelector('.term img').decode().then(() => 1)") == 1


def test_a_picture_that_is_not_kept_any_more_is_said_kindly(tolerant: Any) -> None:
    for path in ("/retrieve?term=upload:nothing", "/caption?q=a+cat&upload=nothing", "/find?by=picture&upload=nothing"):
        tolerant.goto(path)
        tolerant.wait_for_selector("[role=alert]")
        assert "Choose it again" in tolerant.inner_text("[role=alert]")


def test_a_newer_query_wins(page: Any) -> None:
    page.goto("/retrieve")
    page.fill("#q", "a cat in the snow")
    page.keyboard.press("Enter")
    page.fill("#q", "a red balloon")
    page.keyboard.press("Enter")
    page.wait_for_selector(".read--sum .word:has-text('balloon')")
    await_hits(page)
    assert page.locator(".read__term").count() == 2


def test_choices_are_folded_unless_they_say_something(page: Any) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(PENGUIN)
    await_hits(page)
    assert not page.locator("select[name=split]").is_visible()
    unfold(page)
    page.select_option("select[name=split]", "test")
    page.wait_for_url("**split=test")
    page.reload()
    assert page.locator("select[name=split]").is_visible()


@pytest.mark.parametrize("width", [390, 1280, 1920])
def test_an_answer_fits_its_screen(page: Any, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    page.goto(f"{PENGUIN}&term=-1+text:{60 * 'w'}&term=item:s000003&way=reconstruction")
    await_hits(page)
    for name in page.locator(".hit").nth(1).locator(".menu summary").all():
        name.click()
        # "toggle", at which a menu finds the side that has room, comes after the click.
        page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.goto(f"{PENGUIN}&way=all")
    page.wait_for_selector("#status:has-text('3 of 3 ways')")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
