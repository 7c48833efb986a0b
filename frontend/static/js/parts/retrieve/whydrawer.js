// The drawer that says why a hit is a hit. It stands beside the hits, which stay usable; on a narrow screen it lies below.
import { addressOf } from "../../address.js";
import * as api from "../../api.js";
import { imageHref, itemHref } from "../../bundle.js";
import { el } from "../../dom.js";
import { decimal } from "../../format.js";
import { ranksOf } from "../bar.js";
import { showCall } from "../data.js";
import { strongestLatents } from "./hit.js";
import { scoreName, WAYS } from "./search.js";
import { starButton } from "../star.js";
import { showWhere } from "./where.js";
import { differences, scoreSum } from "./whysum.js";

const WAY_TITLES = { latent: "Latents", reconstruction: "Reconstruction", backbone: "Backbone" };

/**
 * @typedef {object} Explained
 * @property {object} hit schemas.Hit
 * @property {number} rank from 1
 * @property {object} answer schemas.Retrieval that it is of
 */

/** The `why` of retrieve.html. */
export class WhyDrawer {
  #place;
  #body;
  #item = "";
  #codes = new Map(); // stream and item -> the item's code, once it is known
  #request = new AbortController();
  #whereRequest = new AbortController();
  #explained = null;
  #parts = null;

  /** @param {HTMLElement} place @param {() => void} onClose */
  constructor(place, onClose) {
    this.#place = place;
    this.#body = place.querySelector(".why__body");
    place.querySelector(".why__close").addEventListener("click", onClose);
    place.addEventListener("click", ({ target }) => {
      if (target.closest("[data-where]")) this.#look();
    });
  }

  /** The item that is explained, or "". */
  get item() {
    return this.#place.hidden ? "" : this.#item;
  }

  /** Moves the focus to the drawer. */
  focus() {
    this.#place.focus({ preventScroll: true });
  }

  /** Shows nothing. */
  hide() {
    this.#place.hidden = true;
    this.#item = "";
    this.#request.abort();
    this.#whereRequest.abort();
    for (const key of ["why-code", "where"]) showCall(key, null);
  }

  /**
   * Explains a hit.
   * @param {string} item
   * @param {Map<string, Explained>} ways how each way that has the item among its hits explains it
   * @param {string} by the way to explain by
   * @param {string} text the query, where the caption page can look for it, or ""
   * @param {boolean} several whether the page shows several ways
   */
  show(item, ways, by, text, several) {
    const anew = this.#item !== item;
    this.#item = item;
    this.#place.hidden = false;
    const explained = ways.get(by) ?? ways.values().next().value;
    if (!explained) return this.#sayGone(item);
    if (anew || !this.#parts) this.#begin(explained.hit);
    this.#explained = explained;
    this.#whereRequest.abort();
    this.#keepFocus(() => {
      this.#parts.ways.replaceChildren(...(several ? [wayChoice(ways, explained.answer.way)] : []));
      this.#parts.where.replaceChildren(...whereOffer(explained.hit, text));
      this.#write();
    });
    this.#learnCode(explained.answer.target, item);
    return undefined;
  }

  /** A hit that is a hit no more, say since a weight was moved. */
  #sayGone(item) {
    this.#parts = this.#explained = null;
    this.#body.replaceChildren(el("p", { class: "note" }, "This item is not among the hits any more. "), el("p", {}, el("a", { href: itemHref(item) }, `Open ${item}`)));
  }

  #begin({ item_id: id, caption }) {
    const parts = { score: el("p", { class: "why__score" }), ways: el("div", { class: "why__ways" }), sum: el("section", { class: "why__sum", "aria-label": "The score, written out" }), apart: el("section", { "aria-label": "What query and hit do not share" }), where: el("section", { class: "why__where", "aria-label": "Where the shared latents are" }) };
    const act = (text, data) => el("button", { class: "button button--small", type: "button", data }, text);
    const about = el("div", { class: "why__about" },
      el("a", { href: itemHref(id), tabindex: "-1", "aria-hidden": "true" }, el("img", { src: imageHref(id, 224), alt: "", width: 224, height: 224, decoding: "async" })),
      el("div", {},
        el("p", { class: "hit__caption caption" }, el("a", { href: itemHref(id) }, caption)),
        parts.score,
        el("div", { class: "hit__actions" }, act("Use as query", { use: "" }), act("+ Add", { add: 1 }), act("− Subtract", { add: -1 }), el("a", { class: "button button--small", href: itemHref(id) }, "Open item"), starButton("item", id, caption))));
    this.#parts = parts;
    this.#body.replaceChildren(about, parts.ways, parts.sum, parts.where, parts.apart);
    this.#body.scrollTop = 0;
  }

  /** Writes anew; of buttons that do the same, the new one takes the old one's focus. */
  #keepFocus(write) {
    const held = this.#body.contains(document.activeElement) ? document.activeElement.dataset : null;
    write();
    if (!held || this.#body.contains(document.activeElement)) return;
    const name = ["weigh", "by", "where"].find((known) => known in held);
    ((name && this.#body.querySelector(`[data-${name}="${held[name]}"]`)) || this.#place).focus({ preventScroll: true });
  }

  /** Writes what depends on the answer. */
  #write() {
    const { hit, rank, answer } = this.#explained;
    const ranks = ranksOf(strongestLatents(answer.hits));
    const code = this.#codes.get(codeKey(answer.target, hit.item_id)) ?? null;
    this.#parts.score.replaceChildren(el("b", { class: "hit__score number" }, decimal(hit.score, 3)), ` ${scoreName(answer)}, `, el("span", { class: "faint" }, `hit ${rank} of ${answer.hits.length}`));
    this.#parts.sum.replaceChildren(el("h3", {}, "The score, written out"), ...scoreSum(hit, answer, ranks, code));
    this.#parts.apart.replaceChildren(differences(hit, answer, code));
  }

  /** Codes under per-stream selection are those that retrieval compares. */
  async #learnCode(stream, item) {
    this.#request.abort();
    const { signal } = (this.#request = new AbortController());
    const body = { item_id: item, streams: [stream] };
    const key = codeKey(stream, item);
    try {
      if (!this.#codes.has(key)) this.#codes.set(key, (await api.encode(body, signal)).codes[stream]);
    } catch {
      return; // the score is explained without it: what the hit has besides stays open
    }
    if (signal.aborted || this.#item !== item) return;
    this.#keepFocus(() => this.#write());
    showCall("why-code", { title: "The hit’s code", method: "POST", path: `${api.ROOT}/encode`, body });
  }

  #look() {
    this.#whereRequest = new AbortController();
    showWhere(this.#parts.where, this.#explained.hit, this.#whereRequest.signal);
  }
}

function codeKey(stream, item) {
  return `${stream} ${item}`;
}

function wayChoice(ways, current) {
  return el("div", { class: "sift", role: "group", "aria-label": "Explained by" }, WAYS.map((way) =>
    el("button", { type: "button", disabled: !ways.has(way), "aria-pressed": String(way === current), data: { by: way } },
      WAY_TITLES[way], " ", el("span", { class: "number" }, ways.get(way)?.rank ?? "–"))));
}

/** Heatmaps of a text are the caption page's; those of other queries are shown here, of the latents that both share. */
function whereOffer({ item_id: id, shared }, text) {
  const offers = [];
  if (shared.some(({ share }) => share > 0)) offers.push(el("button", { class: "button button--small", type: "button", data: { where: "" } }, "Where are the shared latents?"));
  if (text) offers.push(el("a", { class: "button button--small", href: addressOf("/caption", [["q", text], ["item", id]]) }, "Where is the whole text?"));
  return offers;
}
