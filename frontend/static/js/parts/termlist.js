// The query's terms as chips: a sign to turn over, what it is, a weight, and a way out.
import { imageHref, itemHref, latentHref, uploadHref } from "../bundle.js";
import { el } from "../dom.js";

const LONGEST = 40; // letters of a caption in a chip

/** The list of chips. Names of latents and captions of items are learnt on the way, first from the server's chips. */
export class TermList {
  #place;
  #onChange;
  #names = new Map();
  #terms = [];

  /** @param {HTMLElement} place @param {(terms: import("./term.js").Term[]) => void} onChange */
  constructor(place, onChange) {
    [this.#place, this.#onChange] = [place, onChange];
    for (const { dataset } of place.children) this.learn(dataset.kind, dataset.value, dataset.name);
  }

  /** Remembers the name of a latent, or the caption of an item. */
  learn(kind, value, name) {
    if (name) this.#names.set(`${kind}:${value}`, name);
  }

  /** What a term is called. */
  nameOf({ kind, value }) {
    const name = this.#names.get(`${kind}:${value}`) ?? "";
    if (kind === "upload") return "your picture";
    if (kind === "latent") return `#${value} ${name}`.trim();
    return kind === "item" ? short(name || value) : value;
  }

  /** Shows terms; a control that has the focus keeps it. */
  show(terms) {
    const focus = this.#focused();
    this.#terms = terms;
    this.#place.replaceChildren(...terms.map((term, at) => this.#chip(term, at)));
    this.#refocus(focus);
  }

  #chip(term, at) {
    const name = this.nameOf(term);
    const negative = term.weight < 0;
    const turn = () => this.#change(at, { ...term, weight: -term.weight });
    const weigh = ({ target }) => {
      const weight = Math.abs(Number(target.value));
      if (weight > 0) this.#change(at, { ...term, weight: negative ? -weight : weight });
      else target.value = Math.abs(term.weight);
    };
    return el("li", { class: "term", data: { kind: term.kind, ...(negative && { negative: "" }) } },
      el("button", { class: "term__sign", type: "button", title: negative ? "Add instead" : "Subtract instead", "aria-label": `${negative ? "Subtracted" : "Added"}: ${name}. Turn over`, data: { control: "sign" }, on: { click: turn } }, negative ? "−" : "+"),
      picture(term),
      el("span", { class: "term__name" }, link(term, name)),
      el("input", { class: "term__weight", type: "number", min: 0, max: 100, step: 0.25, value: Math.abs(term.weight), title: "Weight", "aria-label": `Weight of ${name}`, data: { control: "weight" }, on: { change: weigh } }),
      el("button", { class: "term__remove", type: "button", title: "Remove", "aria-label": `Remove ${name}`, data: { control: "remove" }, on: { click: () => this.#change(at) } }, "×"));
  }

  #change(at, ...changed) {
    this.#onChange(this.#terms.toSpliced(at, 1, ...changed));
  }

  #focused() {
    const chip = document.activeElement?.closest(".term");
    if (chip?.parentElement !== this.#place) return null;
    return { at: [...this.#place.children].indexOf(chip), control: document.activeElement.dataset.control };
  }

  #refocus(focus) {
    if (!focus) return;
    const chip = this.#place.children[Math.min(focus.at, this.#place.children.length - 1)];
    (chip?.querySelector(`[data-control=${focus.control}]`) ?? document.querySelector("[data-search]")).focus({ preventScroll: true });
  }
}

function picture({ kind, value }) {
  if (kind !== "item" && kind !== "upload") return null;
  const src = kind === "item" ? imageHref(value, 112) : uploadHref(value, 112);
  const img = el("img", { alt: "", src, width: 112, height: 112 });
  img.addEventListener("error", () => img.remove()); // no such item, or no longer kept: the answer says so
  return img;
}

function link({ kind, value }, name) {
  if (kind === "latent") return el("a", { href: latentHref(value) }, name);
  if (kind === "item") return el("a", { href: itemHref(value), title: value }, name);
  return name;
}

function short(text) {
  return text.length > LONGEST ? `${text.slice(0, LONGEST).trimEnd()}…` : text;
}
