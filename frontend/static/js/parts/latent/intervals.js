// Which of a latent's items are shown: the switch, and the columns that follow it.
import { addressOf } from "../../address.js";
import * as api from "../../api.js";
import { info } from "../../bundle.js";
import { isPlainClick } from "../../dom.js";
import { announce, isAbort, troubleBox } from "../../status.js";
import { showCall } from "../data.js";
import { latentItems } from "./latentitems.js";
import { change, currentView, latentId, viewHref } from "./latentview.js";

const find = (id) => document.getElementById(id);

/** The switch of latent_columns.html; the address holds the interval, and the seed of a draw. */
export class Intervals {
  #switch = find("intervals");
  #columns = find("columns");
  #trouble = find("trouble");
  #limits = JSON.parse(this.#switch.dataset.limits);
  #again = this.#switch.querySelector("[data-again]");
  #request = new AbortController();
  #shown = drawOf(currentView());
  #onLeave;
  #onShow;

  /**
   * @param {object} told
   * @param {() => void} told.onLeave the items that are shown will go
   * @param {() => void} told.onShow others are there
   */
  constructor({ onLeave, onShow }) {
    [this.#onLeave, this.#onShow] = [onLeave, onShow];
    this.#switch.addEventListener("click", (event) => {
      const link = event.target.closest("a");
      if (!link || !isPlainClick(event)) return;
      event.preventDefault();
      const given = new URL(link.href).searchParams;
      if (change({ interval: given.get("interval") ?? "top", seed: given.get("seed") ?? "0" })) this.follow();
    });
  }

  /** Shows the items that the address asks for; whatever was under way is given up. */
  follow() {
    const view = currentView();
    this.#mark(view);
    if (drawOf(view) !== this.#shown) this.#show(view);
  }

  async #show(view) {
    this.#request.abort();
    this.#request = new AbortController();
    const { signal } = this.#request;
    this.#shown = drawOf(view);
    this.#onLeave();
    this.#trouble.replaceChildren();
    this.#columns.setAttribute("aria-busy", "true");
    try {
      const queries = info.streams.map(({ name, modality }) => [["stream", name], ["interval", view.interval], ["seed", view.seed], ["limit", this.#limits[modality]]]);
      const found = await Promise.all(queries.map((query) => api.latentItems(latentId, query, signal)));
      if (!signal.aborted) this.#fill(found, queries, view.interval);
    } catch (error) {
      if (signal.aborted || isAbort(error)) return;
      this.#shown = "";
      this.#trouble.replaceChildren(troubleBox(error, () => this.follow()));
    } finally {
      if (!signal.aborted) this.#columns.removeAttribute("aria-busy");
    }
  }

  #mark({ interval, seed, ...rest }) {
    for (const link of this.#switch.querySelectorAll("[data-interval]")) {
      link.href = viewHref({ ...rest, interval: link.dataset.interval, seed: "0" });
      if (link.dataset.interval === interval) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
    for (const help of this.#switch.querySelectorAll("[data-help]")) help.hidden = help.dataset.help !== interval;
    this.#again.hidden = interval !== "random";
    this.#again.href = viewHref({ ...rest, interval: "random", seed: String(Number(seed) + 1) });
  }

  #fill(found, queries, interval) {
    info.streams.forEach((stream, at) => {
      const column = this.#columns.children[at];
      const place = column.querySelector("[data-items]");
      place.replaceChildren(latentItems(stream, Number(place.dataset.most), found[at]));
      column.querySelector("[data-shown]").textContent = `${found[at].items.length} of ${found[at].total.toLocaleString("en")} shown`;
      showCall(`items-${stream.name}`, { title: `Items in ${stream.title}`, method: "GET", path: addressOf(`${api.ROOT}/latents/${latentId}/items`, queries[at]) });
    });
    announce(`Items of the interval ${interval.replace("_", " ")}`);
    this.#onShow();
  }
}

/** What decides the items. */
function drawOf({ interval, seed }) {
  return `${interval} ${seed}`;
}
