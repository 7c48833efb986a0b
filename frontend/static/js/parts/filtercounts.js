// Numbers beside the gallery's filters: how many latents each choice would leave, given all of the others.
import { ROOT, latentCounts } from "../api.js";
import { addressOf } from "../address.js";
import { el } from "../dom.js";
import { showCall } from "./data.js";
import { Spread } from "./spread.js";

/** The numbers, bars and suggestions in a form of gallery.html. */
export class FilterCounts {
  #form;
  #spreads;
  #request = new AbortController();

  /** @param {HTMLFormElement} form */
  constructor(form) {
    this.#form = form;
    this.#spreads = [...form.querySelectorAll("[data-spread]")].map((place) => new Spread(place, form));
  }

  /** Shows which bars lie inside the bounds that the form says. */
  showBounds() {
    for (const spread of this.#spreads) spread.showBounds();
  }

  /** Asks for the numbers of a filter; an older answer is dropped. @param {[string, string][]} filter */
  async ask(filter) {
    this.#request.abort();
    this.#request = new AbortController();
    const { signal } = this.#request;
    const counts = await latentCounts(filter, signal).catch(() => null);
    if (signal.aborted) return;
    this.#show(counts);
    if (counts) showCall("counts", { title: "Numbers beside the filters", method: "GET", path: addressOf(`${ROOT}/latents/counts`, filter) });
  }

  /** Without an answer there are no numbers: old ones would be wrong. */
  #show(counts) {
    for (const place of this.#form.querySelectorAll("[data-count]")) {
      const { count, value } = place.dataset;
      place.textContent = counts ? countOf(counts, count, value).toLocaleString("en") : "–";
    }
    if (!counts) return;
    for (const spread of this.#spreads) spread.show(counts[spread.name]);
    this.#form.querySelector("#labels").replaceChildren(...counts.labels.map(({ label, n }) => el("option", { value: label, label: `${label} (${n.toLocaleString("en")})` })));
  }
}

function countOf({ any_state: anyState, states, streams }, name, value) {
  if (name === "alive") return value ? states[value] : anyState;
  const { active, silent } = streams.find(({ stream }) => stream === value);
  return name === "active_in" ? active : silent;
}
