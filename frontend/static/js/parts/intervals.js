// Which of a latent's items are shown: the switch, and the columns that follow it.
import { addressOf, visit } from "../address.js";
import * as api from "../api.js";
import { info } from "../bundle.js";
import { isPlainClick } from "../dom.js";
import { announce, isAbort, troubleBox } from "../status.js";
import { latentItems } from "./latentitems.js";

const USUAL = "top";
const find = (id) => document.getElementById(id);

/** The switch of latent.html; the address holds the interval, and the seed of a draw. */
export class Intervals {
  #switch = find("intervals");
  #columns = find("columns");
  #trouble = find("trouble");
  #limits = JSON.parse(this.#switch.dataset.limits);
  #again = this.#switch.querySelector("[data-again]");
  #request = new AbortController();

  constructor() {
    this.#switch.addEventListener("click", (event) => {
      const link = event.target.closest("a");
      if (!link || !isPlainClick(event)) return;
      event.preventDefault();
      if (visit(link.getAttribute("href"))) this.#show();
    });
    addEventListener("popstate", () => this.#show());
  }

  /** Asks for the items of the interval in the address; whatever was under way is given up. */
  async #show() {
    this.#request.abort();
    this.#request = new AbortController();
    const { signal } = this.#request;
    const given = new URLSearchParams(location.search);
    const [interval, seed] = [given.get("interval") ?? USUAL, Number(given.get("seed") ?? 0)];
    this.#mark(interval, seed);
    this.#trouble.replaceChildren();
    this.#columns.setAttribute("aria-busy", "true");
    try {
      const asked = info.streams.map(({ name, modality }) => api.latentItems(this.#latent, [["stream", name], ["interval", interval], ["seed", seed], ["limit", this.#limits[modality]]], signal));
      const found = await Promise.all(asked);
      if (!signal.aborted) this.#fill(found, interval);
    } catch (error) {
      if (!signal.aborted && !isAbort(error)) this.#trouble.replaceChildren(troubleBox(error, () => this.#show()));
    } finally {
      if (!signal.aborted) this.#columns.removeAttribute("aria-busy");
    }
  }

  get #latent() {
    return location.pathname.split("/").at(-1);
  }

  #mark(interval, seed) {
    for (const link of this.#switch.querySelectorAll("[data-interval]")) {
      if (link.dataset.interval === interval) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
    for (const help of this.#switch.querySelectorAll("[data-help]")) help.hidden = help.dataset.help !== interval;
    this.#again.hidden = interval !== "random";
    this.#again.href = addressOf(location.pathname, [["interval", "random"], ["seed", seed + 1]]);
  }

  #fill(found, interval) {
    info.streams.forEach((stream, at) => {
      const column = this.#columns.children[at];
      const place = column.querySelector("[data-items]");
      place.replaceChildren(latentItems(stream, Number(place.dataset.most), found[at]));
      column.querySelector("[data-shown]").textContent = `${found[at].items.length} of ${found[at].total.toLocaleString("en")} shown`;
    });
    announce(`Items of the interval ${interval.replace("_", " ")}`);
  }
}
