// One query all three ways, in columns. A hit that several ways found is linked; what only one found is marked.
import * as api from "../../api.js";
import { imageHref, itemHref } from "../../bundle.js";
import { el } from "../../dom.js";
import { decimal } from "../../format.js";
import { isAbort, troubleBox } from "../../status.js";
import { ranksOf } from "../bar.js";
import { strongestLatents } from "./hit.js";
import { placeInOrder } from "./hitlist.js";
import { moveSmoothly } from "./moving.js";
import { searched } from "./queryreading.js";
import { requestFor, scoreName, WAYS } from "./search.js";
import { shareBar } from "../shares.js";

const SHOWN = 12;
const ASKED = 24; // so that a hit's rank is known a while beyond the end of a column
const TITLES = { latent: "Latents", reconstruction: "Reconstruction", backbone: "Backbone baseline" };
const SHORT = { latent: "latents", reconstruction: "reconstruction", backbone: "backbone" };

/** What is asked of a way for its column: schemas.RetrieveRequest. */
export function columnRequest(search, way) {
  return { ...requestFor(search, way), limit: ASKED };
}

/** The `compare` of retrieve.html. */
export class Columns {
  #place;
  #columns = null;

  /** @param {HTMLElement} place */
  constructor(place) {
    this.#place = place;
    for (const name of ["pointerover", "focusin"]) place.addEventListener(name, ({ target }) => this.#link(target.closest(".brief")));
    place.addEventListener("pointerleave", () => this.#link(null));
    place.addEventListener("focusout", () => this.#link(null));
  }

  /**
   * Asks all ways at once; a way that cannot answer says why in its column.
   * @param {object} search see search.js
   * @param {AbortSignal} signal
   * @param {boolean} quiet whether columns look as if nothing were under way
   * @returns {Promise<Map<string, object>>} way -> schemas.Retrieval, of those that answered
   */
  async ask(search, signal, quiet) {
    this.#begin(quiet);
    const settled = await Promise.allSettled(WAYS.map((way) => api.retrieve(columnRequest(search, way), signal)));
    const answers = new Map(WAYS.flatMap((way, i) => (settled[i].value ? [[way, settled[i].value]] : [])));
    if (signal.aborted) return answers;
    const ranks = ranksOf(strongestLatents([...answers.values()].flatMap(({ hits }) => hits)));
    const places = new Map([...answers].map(([way, { hits }]) => [way, new Map(hits.map(({ item_id: id }, index) => [id, index + 1]))]));
    WAYS.forEach((way, i) => this.#fill(way, answers.get(way), settled[i].reason, ranks, places));
    return answers;
  }

  /** Shows nothing. */
  clear() {
    this.#columns = null;
    this.#place.replaceChildren();
  }

  #begin(quiet) {
    if (!this.#columns) {
      this.#columns = new Map(WAYS.map((way) => [way, column(way)]));
      this.#place.replaceChildren(...[...this.#columns.values()].map(({ section }) => section));
    }
    if (!quiet) for (const { section } of this.#columns.values()) section.setAttribute("aria-busy", "true");
  }

  #fill(way, answer, error, ranks, places) {
    const { section, note, trouble, list } = this.#columns.get(way);
    section.removeAttribute("aria-busy");
    trouble.replaceChildren(...(error && !isAbort(error) ? [troubleBox(error)] : []));
    const name = answer ? scoreName(answer) : "";
    note.textContent = answer ? `${name[0].toUpperCase()}${name.slice(1)}. ${searched(answer)}` : "";
    const rows = new Map([...list.querySelectorAll(".brief[data-item]")].map((row) => [row.dataset.item, row]));
    const wanted = (answer?.hits.slice(0, SHOWN) ?? []).map((hit, index) => writeBrief(rows.get(hit.item_id) ?? briefRow(hit, way), hit, index + 1, ranks, places, way));
    if (answer && !wanted.length) wanted.push(el("li", { class: "empty" }, "no item matches"));
    moveSmoothly(list, () => placeInOrder(list, wanted));
  }

  /** Marks a hit in the other columns, and says from which rank to which it goes there. */
  #link(row) {
    for (const other of this.#place.querySelectorAll(".brief[data-item]")) {
      const linked = row !== null && other.dataset.item === row.dataset.item;
      other.toggleAttribute("data-linked", linked);
      other.querySelector(".brief__jump").textContent = linked && other !== row ? `${row.dataset.rank} → ${other.dataset.rank}` : "";
    }
  }
}

function column(way) {
  const [note, trouble, list] = [el("p", { class: "note" }), el("div"), el("ol", {}, Array.from({ length: SHOWN }, skeleton))];
  return { note, trouble, list, section: el("section", { class: "compare__way", "aria-label": TITLES[way] }, el("h2", {}, TITLES[way]), note, trouble, list) };
}

/** A hit in short. Its button has `data-why` and the way, `data-by`. */
function briefRow({ item_id: id, caption }, way) {
  return el("li", { class: "brief", data: { item: id } },
    el("a", { href: itemHref(id), title: caption, tabindex: "-1", "aria-hidden": "true" }, el("img", { src: imageHref(id, 112), alt: "", width: 112, height: 112, decoding: "async" })),
    el("div", { class: "brief__body" },
      el("p", { class: "brief__caption caption" }, el("span", { class: "brief__rank faint mono" }), " ", el("a", { href: itemHref(id) }, caption), " ", el("span", { class: "brief__jump mono", "aria-hidden": "true" })),
      el("div", { class: "brief__score" }),
      el("div", { class: "brief__foot" },
        el("span", { class: "brief__elsewhere" }),
        el("button", { class: "button button--small", type: "button", "aria-label": `Why: ${caption}`, title: "Why is this a hit?", "aria-controls": "why", data: { why: "", by: way } }, "Why"))));
}

function writeBrief(row, hit, rank, ranks, places, way) {
  row.dataset.rank = rank;
  row.querySelector(".brief__rank").textContent = rank;
  row.querySelector(".brief__score").replaceChildren(el("span", { class: "number" }, decimal(hit.score, 3)), shareBar(hit, ranks));
  const others = [...places].filter(([other]) => other !== way);
  const found = others.filter(([, known]) => known.has(hit.item_id));
  const elsewhere = row.querySelector(".brief__elsewhere");
  const alone = others.length > 0 && !found.length;
  row.toggleAttribute("data-alone", alone);
  elsewhere.textContent = alone ? "only this way" : found.map(([other, known]) => `${SHORT[other]} ${known.get(hit.item_id)}`).join(", ");
  elsewhere.title = alone ? `Not among the best ${ASKED} of the other ways` : "Its rank the other ways";
  return row;
}

function skeleton() {
  return el("li", { class: "brief", "aria-hidden": "true" }, el("span", { class: "brief__blank skeleton" }), el("div", { class: "brief__body" }, ["long", "bar", "short"].map((kind) => el("span", { class: `skeleton skeleton--${kind}` }))));
}
