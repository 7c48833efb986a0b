// Hits that are ticked as examples, and the way to the latents that they share.
import { addressOf } from "../../address.js";

/** The ticked items; they stay while the page answers other queries. */
export class Ticks {
  #bar;
  #hits;

  /** @param {HTMLElement} bar of retrieve.html @param {HTMLElement} hits holds checkboxes with `data-tick` */
  constructor(bar, hits) {
    [this.#bar, this.#hits] = [bar, hits];
    this.ids = new Set();
    hits.addEventListener("change", ({ target }) => {
      if (target.matches("[data-tick]")) this.#tick(target.closest("[data-item]").dataset.item, target.checked);
    });
    bar.querySelector("button").addEventListener("click", () => this.#clear());
  }

  #tick(id, on) {
    this.ids[on ? "add" : "delete"](id);
    this.#show();
  }

  #clear() {
    this.ids.clear();
    for (const box of this.#hits.querySelectorAll("[data-tick]")) box.checked = false;
    this.#show();
    document.querySelector("#q").focus();
  }

  #show() {
    this.#bar.hidden = this.ids.size === 0;
    this.#bar.querySelector("b").textContent = this.ids.size;
    this.#bar.querySelector("a").href = addressOf("/find", [["by", "examples"], ...[...this.ids].map((id) => ["item", id])]);
  }
}
