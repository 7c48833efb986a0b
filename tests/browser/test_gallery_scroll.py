"""8,192 latents under the page's own scroll bar: few cards, the right ones, and the place when one returns."""

from typing import Any

import pytest

from benchmarks.many_latents import N_LATENTS, ManyLatents
from server.schemas import Info
from tests.browser.looking import keep

pytestmark = pytest.mark.browser

MOST_CARDS = 100
# The latent in the middle of the window, first of its row, and the one that is to be there.
IN_SIGHT = """() => {
  const list = document.querySelector('#latents'), cards = [...list.querySelectorAll('.card')];
  const middle = innerHeight / 2, gap = 16;
  const pitch = cards[0].getBoundingClientRect().height + gap;
  const columns = getComputedStyle(list).gridTemplateColumns.split(' ').length;
  const row = Math.floor((middle - list.getBoundingClientRect().top) / pitch);
  const card = cards.find((one) => {
    const { top, bottom } = one.getBoundingClientRect();
    return top <= middle && bottom + gap > middle;
  });
  return { latent: Number(card.dataset.latent), expected: row * columns, cards: cards.length };
}"""
AT_REST = "() => !document.querySelector('.card--waiting')"


def many_latents(page: Any) -> list[int]:
    """Put a gallery of 8,192 latents on the screen; returns where the windows begin that it asks for."""
    page.goto("/")
    info = Info.model_validate_json(page.locator("#info").text_content())
    items = page.eval_on_selector_all(".strip img", "all => all.map(img => img.alt.replace('item ', ''))")
    asked = ManyLatents(info.streams, items).answer_in(page)
    page.select_option("select[name=sort]", "id")
    page.wait_for_selector("#status:has-text('8,192 latents')")
    page.wait_for_function(AT_REST)
    return asked


@pytest.fixture
def asked(page: Any) -> list[int]:
    return many_latents(page)


def to(page: Any, share: float) -> dict[str, int]:
    """Scroll to a share of the page and wait until the cards there are known."""
    page.evaluate(
        "share => scrollTo({ top: share * document.documentElement.scrollHeight, behavior: 'instant' })", share
    )
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    page.wait_for_function(AT_REST)
    found: dict[str, int] = page.evaluate(IN_SIGHT)
    return found


def test_few_cards_are_in_the_page_and_they_are_the_right_ones(page: Any, asked: list[int]) -> None:
    for share in (0.1, 0.5, 0.77, 0.25):
        found = to(page, share)
        assert found["latent"] == found["expected"]
        assert found["cards"] < MOST_CARDS
    page.keyboard.press("End")
    page.wait_for_selector(f".card[data-latent='{N_LATENTS - 1}']")
    assert page.locator(".card").count() < MOST_CARDS
    keep(page, "02-scroll-the-last-of-8192")


def test_the_scroll_bar_covers_all_of_them_at_once(page: Any, asked: list[int]) -> None:
    tall = page.evaluate("document.querySelector('#latents').getBoundingClientRect().height")
    pitch = page.evaluate("document.querySelector('.card').getBoundingClientRect().height") + 16
    assert tall == pytest.approx(-(-N_LATENTS // 3) * pitch - 16, abs=2)
    assert page.locator("#more").is_hidden()


def test_who_flies_past_asks_for_nothing_on_the_way(page: Any, asked: list[int]) -> None:
    before = len(asked)
    blanks = page.evaluate("""async () => {
      let most = 0;
      for (let i = 1; i <= 40; i += 1) {
        scrollTo({ top: i * 5000, behavior: 'instant' });
        await new Promise(requestAnimationFrame);
        most = Math.max(most, document.querySelectorAll('.card--waiting').length);
      }
      return most;
    }""")
    assert 0 < blanks < MOST_CARDS, "they stand for what is not known"
    page.wait_for_function(AT_REST)
    assert len(asked) - before < 20, "40 places went by; a slow machine may rest at some of them"


def test_a_slow_wheel_finds_every_card_on_its_way(page: Any, asked: list[int]) -> None:
    seen: set[int] = set()
    for _ in range(24):
        page.mouse.wheel(0, 240)
        page.wait_for_function(AT_REST)
        seen |= set(page.eval_on_selector_all(".card", "all => all.map(card => Number(card.dataset.latent ?? -1))"))
        assert page.locator(".card").count() < MOST_CARDS
    assert seen - {-1} == set(range(max(seen) + 1))


def test_back_to_another_filter_returns_to_the_place(page: Any, asked: list[int]) -> None:
    to(page, 0.3)
    place = page.evaluate("scrollY")
    page.evaluate("document.querySelector('select[name=sort]').value = 'purity'")
    page.dispatch_event("select[name=sort]", "change")
    page.wait_for_url("**sort=purity")
    page.wait_for_selector("#latents:not([aria-busy])")
    page.evaluate("scrollTo(0, 0)")
    page.go_back()
    page.wait_for_function("place => Math.abs(scrollY - place) < 2", arg=place)
    page.wait_for_function(AT_REST)
    found = page.evaluate(IN_SIGHT)
    assert found["latent"] == found["expected"]


def test_back_from_a_latent_and_reload_return_to_the_place(page: Any) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto("/?sort=id")
    to(page, 0.7)
    place, latent = page.evaluate("scrollY"), page.evaluate(IN_SIGHT)["latent"]
    assert latent > 30
    page.locator(f".card[data-latent='{latent}'] a").click()
    page.wait_for_url(f"**/latents/{latent}")
    page.go_back()
    for again in (lambda: None, page.reload):
        again()
        page.wait_for_function("place => Math.abs(scrollY - place) < 2", arg=place)
        page.wait_for_function(AT_REST)
        assert page.evaluate(IN_SIGHT)["latent"] == latent


def test_the_focus_is_kept_while_its_card_is_out_of_sight(page: Any, asked: list[int]) -> None:
    page.locator(".card[data-latent='4'] a").focus()
    to(page, 0.6)
    assert page.evaluate("document.activeElement.getAttribute('href')") == "/latents/4"
    assert page.locator(".card").count() < MOST_CARDS
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('href')") == "/latents/5", "the next card in order"
    page.wait_for_function("() => document.activeElement.getBoundingClientRect().top < innerHeight")
    for latent in range(6, 16):
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        page.wait_for_function(AT_REST)
        assert page.evaluate("document.activeElement.getAttribute('href')") == f"/latents/{latent}"


def test_another_width_keeps_what_was_at_the_top(page: Any, asked: list[int]) -> None:
    found = to(page, 0.5)
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_function(
        "() => getComputedStyle(document.querySelector('#latents')).gridTemplateColumns.split(' ').length === 1"
    )
    page.wait_for_function(AT_REST)
    narrow = page.evaluate(IN_SIGHT)
    assert narrow["latent"] == narrow["expected"]
    assert abs(narrow["latent"] - found["latent"]) < 12


@pytest.mark.parametrize("name", ["cursor", "start"])
def test_an_address_of_a_later_page_has_the_whole_list(page: Any, name: str) -> None:
    cursor = page.request.get("/api/v1/latents?sort=id&limit=30").json()["next_cursor"]
    page.goto(f"/?sort=id&{name}={cursor if name == 'cursor' else 30}")
    page.wait_for_selector(".card[data-latent='0']")
    page.keyboard.press("End")
    page.wait_for_selector(".card[data-latent='63']")
    page.wait_for_function(AT_REST)
    found = page.evaluate(IN_SIGHT)
    assert found["latent"] == found["expected"]


@pytest.mark.parametrize(("width", "columns"), [(1280, 3), (1920, 4), (390, 1)])
def test_cards_and_blanks_are_of_one_height(page: Any, width: int, columns: int) -> None:
    page.set_viewport_size({"width": width, "height": 860})
    page.goto("/?sort=id")
    across = "getComputedStyle(document.querySelector('#latents')).gridTemplateColumns.split(' ').length"
    assert page.evaluate(across) == columns
    heights = page.evaluate("""async () => {
      const { waitingCard } = await import('/static/js/parts/latentcard.js');
      document.querySelector('#latents').append(waitingCard());
      return [...document.querySelectorAll('.card')].map((card) => card.getBoundingClientRect().height);
    }""")
    assert max(heights) == min(heights)


def test_a_failure_is_shown_in_place_and_can_be_tried_again(chromium: Any, address: str) -> None:
    context = chromium.new_context(base_url=address, viewport={"width": 1280, "height": 860})
    page = context.new_page()
    many_latents(page)
    broken = ["down"]
    page.route("**/api/v1/latents?*", lambda route: route.abort() if broken else route.fallback())
    page.evaluate("scrollTo(0, 40000)")
    box = page.locator("#latents-note .trouble")
    box.wait_for()
    page.wait_for_load_state("networkidle")
    assert box.bounding_box()["y"] < 860, "where it is seen"
    broken.clear()
    box.locator("button").click()
    page.wait_for_function(AT_REST)
    assert box.count() == 0
    context.close()
