// One hit: its picture, its score taken apart, and what can be done with it.
import { addressOf } from "../address.js";
import { imageHref, itemHref } from "../bundle.js";
import { el } from "../dom.js";
import { decimal } from "../format.js";
import { latentMenu } from "./latentmenu.js";
import { shareBar, shares } from "./shares.js";

const EAGER = 8;

/** Latents by the sum of their shares over hits, so that a colour means the same latent in every hit. */
export function strongestLatents(hits) {
  const sums = new Map();
  for (const hit of hits) for (const part of hit.shared) sums.set(part.latent, (sums.get(part.latent) ?? 0) + Math.abs(part.share));
  return [...sums.keys()].sort((a, b) => sums.get(b) - sums.get(a));
}

/**
 * A hit of the list.
 * @param {object} hit schemas.Hit
 * @param {number} rank from 1
 * @param {object} shown
 * @param {Map<number, number>} shown.ranks see ranksOf
 * @param {string} shown.score what the score is
 * @param {string} shown.text the query, where the caption page can look for it, or ""
 * @param {Set<string>} shown.ticked ids of items that are ticked as examples
 * @returns {HTMLLIElement} buttons have `data-use`, `data-add` (the weight), `data-where` and the tick `data-tick`
 */
export function hitRow(hit, rank, { ranks, score, text, ticked }) {
  const id = hit.item_id;
  return el("li", { class: "hit", data: { item: id } },
    el("a", { class: "hit__picture", href: itemHref(id), tabindex: "-1", "aria-hidden": "true" },
      el("img", { src: imageHref(id, 224), alt: "", width: 224, height: 224, loading: rank > EAGER ? "lazy" : "eager", decoding: "async" }),
      el("span", { class: "hit__rank" }, rank)),
    el("div", { class: "hit__body" },
      el("p", { class: "hit__caption caption" }, el("a", { href: itemHref(id) }, hit.caption)),
      scoreLine(hit, score),
      el("div", { class: "hit__explained" }, shares(hit.shared, ranks, { rest: hit.rest, nameOf: latentMenu })),
      el("div", { class: "hit__actions" },
        whereButton(hit, text),
        el("a", { class: "button button--small", href: addressOf("/retrieve", [["term", `item:${id}`]]), data: { use: "" } }, "Use as query"),
        el("button", { class: "button button--small", type: "button", data: { add: 1 } }, "+ Add"),
        el("button", { class: "button button--small", type: "button", data: { add: -1 } }, "− Subtract"),
        el("label", { class: "check check--small", title: "Tick examples, then find the latents that they share" }, el("input", { type: "checkbox", checked: ticked.has(id), data: { tick: "" } }), " example"))),
    el("div", { class: "hit__where", hidden: true }));
}

/** A hit in short, for columns side by side. */
export function hitInShort(hit, rank, ranks) {
  return el("li", { class: "brief" },
    el("a", { href: itemHref(hit.item_id), title: hit.caption, tabindex: "-1", "aria-hidden": "true" }, el("img", { src: imageHref(hit.item_id, 112), alt: "", width: 112, height: 112, decoding: "async" })),
    el("div", {},
      el("p", { class: "brief__caption caption" }, el("span", { class: "faint mono" }, rank), " ", el("a", { href: itemHref(hit.item_id) }, hit.caption)),
      el("div", { class: "brief__score" }, el("span", { class: "number" }, decimal(hit.score, 3)), shareBar(hit, ranks))));
}

function scoreLine({ score }, what) {
  return el("p", {}, el("span", { class: "hit__score number" }, decimal(score, 3)), el("span", { class: "faint" }, ` ${what}`));
}

/** Heatmaps of a text are the caption page's; of other queries they are shown here, of the latents that both share. */
function whereButton({ item_id: id, shared }, text) {
  if (text) return el("a", { class: "button button--small", href: addressOf("/caption", [["q", text], ["item", id]]) }, "Where?");
  if (!shared.some(({ share }) => share > 0)) return null;
  return el("button", { class: "button button--small", type: "button", "aria-expanded": "false", data: { where: "" } }, "Where?");
}
