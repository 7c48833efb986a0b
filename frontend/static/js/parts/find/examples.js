// Items that are examples of what is looked for: those chosen, and those that the corpus offers for some words.
import * as api from "../../api.js";
import { imageHref, itemHref } from "../../bundle.js";
import { el } from "../../dom.js";
import { count } from "../../format.js";
import { isAbort } from "../../status.js";

const OFFERED = 12;
const TYPING_PAUSE_MS = 180;

/** The form and the two lists of find.html. */
export class Examples {
  #form = document.querySelector("#query");
  #offered = document.querySelector("#offered");
  #chosen = document.querySelector("#chosen");
  #onChange;
  #items = [];
  #request = new AbortController();
  #pause = 0;

  /** @param {(items: string[]) => void} onChange */
  constructor(onChange) {
    this.#onChange = onChange;
    const box = this.#form.elements.add;
    box.addEventListener("input", () => {
      clearTimeout(this.#pause);
      this.#pause = setTimeout(() => this.#offer(box.value.trim()), TYPING_PAUSE_MS);
    });
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#add(box.value.trim());
      box.value = "";
      this.#offer("");
    });
  }

  /** Shows the chosen items. @param {string[]} items ids */
  show(items) {
    this.#items = items;
    this.#chosen.replaceChildren(...items.map((id) =>
      el("li", { class: "chosen__item", data: { item: id } },
        el("a", { href: itemHref(id), title: id }, el("img", { src: imageHref(id, 112), alt: `item ${id}`, width: 112, height: 112 })),
        el("button", { class: "chosen__remove", type: "button", "aria-label": `Remove ${id}`, title: "Remove", on: { click: () => this.#onChange(items.filter((other) => other !== id)) } }, "×"))));
  }

  #add(id) {
    if (id && !this.#items.includes(id)) this.#onChange([...this.#items, id]);
  }

  async #offer(caption) {
    this.#request.abort();
    this.#request = new AbortController();
    const { signal } = this.#request;
    try {
      const page = caption ? await api.items([["caption", caption], ["limit", OFFERED]], signal) : { items: [], total: 0 };
      if (!signal.aborted) this.#showOffered(page, caption);
    } catch (error) {
      if (!isAbort(error)) this.#offered.replaceChildren(el("li", { class: "faint" }, error.message));
    }
  }

  #showOffered({ items, total }, caption) {
    this.#offered.hidden = !caption;
    const buttons = items.map(({ item_id: id, caption: text }) =>
      el("li", {}, el("button", { type: "button", title: text, "aria-label": `Add ${text}`, on: { click: () => this.#add(id) } }, el("img", { src: imageHref(id, 112), alt: "", width: 112, height: 112 }))));
    this.#offered.replaceChildren(el("li", { class: "offered__note faint" }, total ? `${count(total, "item")} with these words; press one to add it` : "no caption has these words"), ...buttons);
  }
}
