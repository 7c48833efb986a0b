// A long list of cards under the page's own scroll bar. Only those around the window are in the page: padding stands for
// the others, and a card that is not known yet is a blank of the same height.
import { el } from "../dom.js";
import { troubleBox } from "../status.js";
import { CardWindows, WINDOW } from "./cardwindows.js";
import { waitingCard } from "./latentcard.js";

const AHEAD = 2; // rows beyond the window, either way
const LEAP = 0.5; // of a window's height within one frame: too fast to read, so nothing is asked for on the way
const REST_MS = 90;

/** The cards of a template's `cards` and `more_cards`. */
export class CardGrid {
  #list = document.querySelector("#latents");
  #note = document.querySelector("#latents-note");
  #how;
  #windows = new CardWindows((...asked) => this.#how.ask(...asked), (answer) => this.#arrived(answer), (error) => this.#fail(error));
  /** @type {Map<number, HTMLElement>} what is in the page, by position */
  #cards = new Map();
  #total = Number(this.#list.dataset.total);
  #columns = 1;
  #pitch = 0; // from one row to the next
  #anew = null; // while the first answer to a new question is awaited: where to scroll to
  #scrolled = scrollY;
  #width = 0;
  #frame = 0;
  #pause = 0;

  /**
   * @param {object} how
   * @param {(start: number, limit: number, signal: AbortSignal) => Promise<{latents: object[], total: number}>} how.ask
   * @param {(entry: object, answer: object) => HTMLElement} how.card
   * @param {string} how.empty said where there is no card
   * @param {(answer: object) => void} how.shown after the first answer to a new question
   */
  constructor(how) {
    this.#how = how;
    document.querySelector("#more").hidden = true;
    this.#adopt();
    const look = () => (this.#frame ||= requestAnimationFrame(() => this.#scroll()));
    addEventListener("scroll", look, { passive: true });
    this.#list.addEventListener("focusin", () => this.#look()); // its neighbours have to be there for the next Tab
    new ResizeObserver(look).observe(document.body); // what is above the list may be folded
    new ResizeObserver(() => this.#resize()).observe(this.#list);
  }

  /** Asks anew; what was under way is given up, and the cards stay until the answer is there. @param {number | null} [place] where to scroll to then */
  reload(place = null) {
    this.#anew = { place };
    this.#list.setAttribute("aria-busy", "true");
    this.#note.replaceChildren();
    this.#windows.startAgain(place === null ? 0 : Math.min(this.#positionAt(place), Math.max(this.#total - 1, 0)));
  }

  /** Cards that the server made are the first ones in the page, where it said which ones they are. */
  #adopt() {
    if (!this.#total) return;
    if (this.#list.dataset.start === undefined) return this.reload();
    const start = Number(this.#list.dataset.start);
    [...this.#list.querySelectorAll(".card")].forEach((card, i) => this.#cards.set(start + i, placed(card, start + i, this.#total)));
    this.#resize();
  }

  #arrived(answer) {
    this.#note.replaceChildren();
    if (this.#anew) this.#showAnew(answer);
    else this.#render();
  }

  #showAnew(answer) {
    const { place } = this.#anew;
    this.#anew = null;
    this.#clear(answer.total);
    if (!answer.total) this.#list.append(el("li", { class: "empty" }, this.#how.empty));
    this.#resize(place);
    this.#how.shown(answer);
  }

  #clear(total) {
    this.#list.removeAttribute("aria-busy");
    this.#list.replaceChildren();
    this.#list.style.paddingBlock = "";
    this.#cards.clear();
    [this.#total, this.#pitch, this.#width] = [total, 0, 0];
  }

  #scroll() {
    this.#frame = 0;
    const by = scrollY - this.#scrolled;
    const leapt = Math.abs(by) > LEAP * innerHeight;
    this.#scrolled = scrollY;
    if (this.#anew) return;
    clearTimeout(this.#pause);
    if (!leapt) return this.#look(Math.sign(by));
    this.#render();
    this.#windows.giveUp();
    this.#pause = setTimeout(() => this.#ask(), REST_MS);
  }

  /** Shows what is in sight, and asks for what is missing of it. @param {number} [direction] of scrolling, 1 is down */
  #look(direction = 0) {
    if (this.#anew) return;
    this.#render();
    this.#ask(direction);
  }

  /** Asks for what is missing in the page, and for what will come next. */
  #ask(direction = 0) {
    if (this.#anew || !this.#total) return;
    const positions = [...this.#cards.keys()];
    const missing = positions.filter((position) => isWaiting(this.#cards.get(position)));
    const next = direction > 0 ? Math.max(...positions) + WINDOW : Math.min(...positions) - WINDOW;
    this.#windows.want(direction && next >= 0 && next < this.#total ? [...missing, next] : missing);
  }

  #fail(error) {
    const anew = this.#anew;
    if (anew) this.#clear(0);
    this.#note.replaceChildren(troubleBox(error, () => {
      this.#note.replaceChildren();
      if (anew) this.reload(anew.place);
      else this.#ask();
    }));
  }

  /**
   * Another width may have other columns and rows: what was at the top stays there, unless another place is asked for.
   * A list that is not shown has no width; it waits until it is.
   */
  #resize(place = null) {
    const width = this.#list.clientWidth;
    if (!width || width === this.#width || !this.#total) return;
    const first = this.#positionAt(scrollY);
    this.#width = width;
    this.#measure();
    this.#render();
    if (first) place = this.#top() + Math.floor(first / this.#columns) * this.#pitch;
    if (place !== null) {
      scrollTo({ top: place, behavior: "instant" });
      this.#render();
    }
    this.#ask();
  }

  #measure() {
    const style = getComputedStyle(this.#list);
    const sample = this.#list.appendChild(waitingCard());
    this.#columns = style.gridTemplateColumns.split(" ").length;
    this.#pitch = sample.getBoundingClientRect().height + Number.parseFloat(style.rowGap);
    sample.remove();
  }

  /** Where the list begins, from the page's upper edge. */
  #top() {
    return this.#list.getBoundingClientRect().top + scrollY;
  }

  /** The first card of the row at a place of the page; 0 above the list. */
  #positionAt(y) {
    return Math.max(0, Math.floor((y - this.#top()) / (this.#pitch || Infinity))) * this.#columns || 0;
  }

  #render() {
    if (!this.#pitch || !this.#total || this.#list.clientWidth === 0) return;
    const rows = Math.ceil(this.#total / this.#columns);
    const top = -this.#list.getBoundingClientRect().top;
    const above = clamp(Math.floor(top / this.#pitch) - AHEAD, 0, rows - 1);
    const below = clamp(Math.ceil((top + innerHeight) / this.#pitch) + AHEAD, above + 1, rows);
    this.#list.style.paddingBlock = `${above * this.#pitch}px ${(rows - below) * this.#pitch}px`;
    const [from, to] = [above * this.#columns, Math.min(below * this.#columns, this.#total)];
    const aside = this.#nearFocus().filter((position) => position < from || position >= to);
    this.#fill([...aside.filter((position) => position < from), ...range(from, to), ...aside.filter((position) => position >= to)], new Set(aside));
  }

  /** The card that holds the focus and its neighbours stay in the page, so that Tab goes on from there. */
  #nearFocus() {
    const position = Number(document.activeElement?.closest?.("#latents > .card")?.dataset.position ?? NaN);
    if (Number.isNaN(position)) return [];
    return range(Math.max(position - 1, 0), Math.min(position + 2, this.#total));
  }

  /** Puts these positions, and no others, into the page; what is there already is not touched. */
  #fill(positions, aside) {
    const wanted = new Set(positions);
    this.#moveBlanks(positions, wanted);
    for (const [position, card] of this.#cards) {
      if (wanted.has(position)) continue;
      card.remove();
      this.#cards.delete(position);
    }
    const cards = positions.map((position) => this.#cardAt(position));
    let next = this.#list.firstElementChild;
    cards.forEach((card, i) => {
      if (card === next) next = next.nextElementSibling;
      else this.#list.insertBefore(card, next);
      this.#setAside(card, positions[i], aside.has(positions[i]));
    });
  }

  /** Blanks look alike: those that go stand for those that come, so that flying past changes nothing in the page. */
  #moveBlanks(positions, wanted) {
    const spare = [...this.#cards].filter(([position, card]) => !wanted.has(position) && isWaiting(card)).sort(([a], [b]) => a - b);
    const unknown = positions.filter((position) => !this.#cards.has(position) && !this.#windows.at(position));
    for (const position of unknown.slice(0, spare.length)) {
      const [before, card] = spare.shift();
      this.#cards.delete(before);
      this.#cards.set(position, card);
    }
  }

  /** The card at a position as far as it is known. One that has come takes the place of its blank. */
  #cardAt(position) {
    const present = this.#cards.get(position);
    if (present && !isWaiting(present)) return present;
    const found = this.#windows.at(position);
    if (present && !found) return present;
    const card = found ? placed(this.#how.card(found.entry, found.answer), position, this.#total) : waitingCard();
    present?.replaceWith(card);
    this.#cards.set(position, card);
    return card;
  }

  /** A card far from the window lies where it would be, outside of the rows. */
  #setAside(card, position, aside) {
    const { style } = card;
    if (!aside) {
      if (style.position) style.position = style.insetBlockStart = style.insetInlineStart = style.inlineSize = "";
      return;
    }
    const gap = Number.parseFloat(getComputedStyle(this.#list).columnGap);
    const width = (this.#list.clientWidth - gap * (this.#columns - 1)) / this.#columns;
    style.position = "absolute";
    style.insetBlockStart = `${Math.floor(position / this.#columns) * this.#pitch}px`;
    style.insetInlineStart = `${(position % this.#columns) * (width + gap)}px`;
    style.inlineSize = `${width}px`;
  }
}

/** A card that says where it stands in the list. */
function placed(card, position, total) {
  card.dataset.position = position;
  card.setAttribute("aria-posinset", position + 1);
  card.setAttribute("aria-setsize", total);
  return card;
}

function isWaiting(card) {
  return card.classList.contains("card--waiting");
}

function clamp(value, low, high) {
  return Math.min(Math.max(value, low), high);
}

function range(from, to) {
  return Array.from({ length: Math.max(to - from, 0) }, (_, i) => from + i);
}
