// The query's terms as chips: a sign to turn over, what it is, a slider for its weight and the number, and a way out.
import { imageHref, itemHref, latentHref, uploadHref } from "../../bundle.js";
import { el } from "../../dom.js";
import { rounded } from "./term.js";

const LONGEST = 40; // letters of a caption in a chip
const REACH = 2; // of the slider, either way; the number may go further
const STEP = 0.1;

/** The list of chips. Names of latents and captions of items are learnt on the way, first from the server's chips. */
export class TermList {
  #place;
  #onChange;
  #onSlide;
  #names = new Map();
  #terms = [];

  /**
   * @param {HTMLElement} place
   * @param {(terms: import("./term.js").Term[], at: number | null) => void} onChange the terms are to be these; `at` says
   *   which weight was slid, null where the change was another one
   * @param {(terms: import("./term.js").Term[]) => void} onSlide while a weight still moves
   */
  constructor(place, onChange, onSlide) {
    [this.#place, this.#onChange, this.#onSlide] = [place, onChange, onSlide];
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

  /** Shows terms. Chips of the same things stay, so that a slider can go on moving; a control that has the focus keeps it. */
  show(terms) {
    const [before, focus] = [this.#terms.map(thing), this.#focused()];
    this.#terms = terms;
    const stay = before.length === terms.length && terms.every((term, at) => thing(term) === before[at]);
    if (!stay) this.#place.replaceChildren(...terms.map((term, at) => this.#chip(term, at)));
    terms.forEach((term, at) => this.#write(this.#place.children[at], term));
    if (!stay) this.#refocus(focus);
  }

  #chip(term, at) {
    const control = (name, tag, attributes, ...children) => el(tag, { class: `term__${name}`, data: { control: name }, ...attributes }, ...children);
    const turn = () => this.#change(at, null, { ...this.#terms[at], weight: -this.#terms[at].weight });
    const slid = ({ target }) => ({ ...this.#terms[at], weight: rounded(Number(target.value)) });
    const weigh = ({ target }) => {
      if (target.value !== "") this.#change(at, null, slid({ target }));
      else target.value = this.#terms[at].weight;
    };
    return el("li", { class: "term", data: { kind: term.kind } },
      control("sign", "button", { type: "button", on: { click: turn } }),
      picture(term),
      el("span", { class: "term__name" }),
      control("slider", "input", {
        type: "range", min: -REACH, max: REACH, step: STEP,
        on: { input: (event) => this.#onSlide(this.#terms.with(at, slid(event))), change: (event) => this.#change(at, at, slid(event)) },
      }),
      control("weight", "input", { type: "number", min: -100, max: 100, step: STEP, title: "Weight", on: { change: weigh } }),
      control("remove", "button", { type: "button", title: "Remove", on: { click: () => this.#change(at, null) } }, "×"));
  }

  /** Writes into a chip what may change while it stays. */
  #write(chip, term) {
    const [sign, slider, weight, remove] = ["sign", "slider", "weight", "remove"].map((name) => chip.querySelector(`.term__${name}`));
    const name = this.nameOf(term);
    const negative = term.weight < 0;
    chip.toggleAttribute("data-negative", negative);
    chip.toggleAttribute("data-off", term.weight === 0);
    sign.textContent = negative ? "−" : "+";
    sign.title = negative ? "Add instead" : "Subtract instead";
    sign.setAttribute("aria-label", `${negative ? "Subtracted" : "Added"}: ${name}. Turn over`);
    const label = chip.querySelector(".term__name");
    if (label.textContent !== name) label.replaceChildren(link(term, name));
    if (Number(slider.value) !== term.weight) slider.value = term.weight;
    if (document.activeElement !== weight || Number(weight.value) !== term.weight) weight.value = term.weight;
    slider.style.setProperty("--at", (Math.min(Math.max(term.weight / REACH, -1), 1) + 1) / 2);
    for (const input of [slider, weight]) input.setAttribute("aria-label", `Weight of ${name}`);
    remove.setAttribute("aria-label", `Remove ${name}`);
  }

  #change(at, slid, ...changed) {
    this.#onChange(this.#terms.toSpliced(at, 1, ...changed), slid);
  }

  #focused() {
    const chip = document.activeElement?.closest(".term");
    if (chip?.parentElement !== this.#place) return null;
    return { at: [...this.#place.children].indexOf(chip), control: document.activeElement.dataset.control };
  }

  #refocus(focus) {
    if (!focus) return;
    const chip = this.#place.children[Math.min(focus.at, this.#place.children.length - 1)];
    (chip?.querySelector(`[data-control=${focus.control}]`) ?? document.querySelector("#q")).focus({ preventScroll: true });
  }
}

function thing({ kind, value }) {
  return `${kind}:${value}`;
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
