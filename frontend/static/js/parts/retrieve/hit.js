// One hit: its picture, its score taken apart, and what can be done with it. A hit that stays is written anew in its place.
import { imageHref, itemHref } from "../../bundle.js";
import { el } from "../../dom.js";
import { decimal } from "../../format.js";
import { latentMenu } from "./latentmenu.js";
import { shares } from "../shares.js";
import { starButton } from "../star.js";

const EAGER = 9;
const NAMED = 3;

/** Latents by the sum of their shares over hits, so that a colour means the same latent in every hit. */
export function strongestLatents(hits) {
  const sums = new Map();
  for (const hit of hits) for (const part of hit.shared) sums.set(part.latent, (sums.get(part.latent) ?? 0) + Math.abs(part.share));
  return [...sums.keys()].sort((a, b) => sums.get(b) - sums.get(a));
}

/**
 * A hit of the list; `writeHit` says what may change.
 * @param {object} hit schemas.Hit
 * @param {number} rank from 1
 * @param {Set<string>} ticked ids of items that are ticked as examples
 * @returns {HTMLLIElement} buttons have `data-why`, `data-add` (the weight) and the tick `data-tick`
 */
export function hitRow({ item_id: id, caption }, rank, ticked) {
  return el("li", { class: "hit", data: { item: id } },
    el("div", { class: "hit__picture" },
      el("a", { href: itemHref(id), tabindex: "-1", "aria-hidden": "true" },
        el("img", { src: imageHref(id, 224), alt: "", width: 224, height: 224, loading: rank > EAGER ? "lazy" : "eager", decoding: "async" })),
      el("span", { class: "hit__rank" }),
      el("label", { class: "hit__tick", title: "Tick as an example, then find the latents that the examples share" },
        el("input", { type: "checkbox", checked: ticked.has(id), "aria-label": `Tick as an example: ${caption}`, data: { tick: "" } }))),
    el("div", { class: "hit__body" },
      el("p", { class: "hit__caption caption" }, el("a", { href: itemHref(id) }, caption)),
      el("p", {}, el("span", { class: "hit__score number" }), " ", el("span", { class: "hit__what faint" })),
      el("div", { class: "hit__explained" }),
      hitActions(id, caption)));
}

/**
 * Writes a hit's rank, score and explanation.
 * @param {HTMLLIElement} row from hitRow
 * @param {object} hit schemas.Hit
 * @param {number} rank from 1
 * @param {{ranks: Map<number, number>, score: string}} shown see ranksOf; and what the score is
 */
export function writeHit(row, hit, rank, { ranks, score }) {
  row.querySelector(".hit__rank").textContent = rank;
  row.querySelector(".hit__score").textContent = decimal(hit.score, 3);
  row.querySelector(".hit__what").textContent = score;
  row.querySelector(".hit__explained").replaceChildren(...shares(hit.shared, ranks, { rest: hit.rest, named: NAMED, nameOf: latentMenu }));
}

/** What can be done with a hit, in short. */
export function hitActions(id, caption) {
  const button = (text, label, data) => el("button", { class: "button button--small", type: "button", title: label, "aria-label": `${label}: ${caption}`, data }, text);
  return el("div", { class: "hit__actions" },
    el("button", { class: "button button--small", type: "button", "aria-label": `Why: ${caption}`, title: "Why is this a hit?", "aria-controls": "why", data: { why: "" } }, "Why"),
    button("+", "Add to the query", { add: 1 }),
    button("−", "Subtract from the query", { add: -1 }),
    starButton("item", id, caption));
}
