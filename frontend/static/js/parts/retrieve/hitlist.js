// The list of hits. While weights move it is ranked anew again and again: hits that stay go to their new places.
import { el } from "../../dom.js";
import { hitRow, writeHit } from "./hit.js";
import { moveSmoothly } from "./moving.js";

/** The `hits` of retrieve.html. */
export class HitList {
  #place;
  #ticked;

  /** @param {HTMLElement} place @param {Set<string>} ticked ids of items that are ticked as examples */
  constructor(place, ticked) {
    [this.#place, this.#ticked] = [place, ticked];
  }

  /** Waits for an answer: what is shown steps back; where nothing is, empty places have the size of hits. */
  wait(expected) {
    this.#place.setAttribute("aria-busy", "true");
    if (!this.#place.childElementCount) this.#place.append(...Array.from({ length: expected }, skeleton));
  }

  /** Shows hits, best first. @param {object[]} hits schemas.Hit @param {object} shown see writeHit */
  show(hits, shown) {
    const rows = new Map([...this.#place.querySelectorAll(".hit[data-item]")].map((row) => [row.dataset.item, row]));
    const wanted = hits.map((hit, index) => {
      const row = rows.get(hit.item_id) ?? hitRow(hit, index + 1, this.#ticked);
      writeHit(row, hit, index + 1, shown);
      return row;
    });
    if (!wanted.length) wanted.push(el("li", { class: "empty" }, "No item matches. Loosen the filter, or say it in other terms."));
    moveSmoothly(this.#place, () => placeInOrder(this.#place, wanted));
    this.#place.removeAttribute("aria-busy");
  }

  /** Shows nothing. */
  clear() {
    this.#place.replaceChildren();
    this.#place.removeAttribute("aria-busy");
  }
}

/**
 * Makes these elements the children of a list. Those that are in place already are not taken out, so that what has the
 * focus keeps it.
 */
export function placeInOrder(list, wanted) {
  const stay = new Set(wanted);
  for (const child of [...list.children]) if (!stay.has(child)) child.remove();
  const focused = wanted.find((element) => element.contains(document.activeElement));
  const at = wanted.indexOf(focused);
  if (!focused || focused.parentElement !== list) return list.append(...wanted);
  for (const element of wanted.slice(0, at)) list.insertBefore(element, focused);
  return focused.after(...wanted.slice(at + 1));
}

function skeleton() {
  return el("li", { class: "hit hit--skeleton", "aria-hidden": "true" },
    el("div", { class: "hit__picture skeleton" }),
    el("div", { class: "hit__body" }, ["long", "short", "bar", "short"].map((kind) => el("span", { class: `skeleton skeleton--${kind}` }))));
}
