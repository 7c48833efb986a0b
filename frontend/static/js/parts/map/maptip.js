// A small card beside the latent that is pointed at, or that the keys have brought to the middle of the map.
import { imageHref, latentHref } from "../../bundle.js";
import { el } from "../../dom.js";
import { MEASURES } from "./mappoints.js";

const BESIDE = 14; // pixels from the point
const PIXELS = 112;

/** The card; it is a link, so that a finger can follow it. */
export class MapTip {
  #picture = el("img", { alt: "", width: PIXELS, height: PIXELS, decoding: "async" });
  #name = el("b");
  #id = el("span", { class: "mono faint" });
  #numbers = el("span", { class: "tip__numbers" });
  /** @type {HTMLAnchorElement} */
  element = el("a", { class: "tip", href: "", tabindex: "-1", hidden: true }, this.#picture, el("span", { class: "tip__text" }, this.#name, this.#id, this.#numbers));

  /** Shows a point's latent. @param {import("./mappoints.js").MapPoints} points @param {{px: number, py: number, width: number}} where on the screen */
  show(points, i, { px, py, width }) {
    this.element.href = latentHref(points.ids[i]);
    this.#name.textContent = points.names[i];
    this.#id.textContent = `#${points.ids[i]}`;
    this.#numbers.replaceChildren(...Object.entries(MEASURES).map(([name, { say }]) => {
      const value = points.values[name][i];
      return el("span", {}, `${name} `, el("b", { class: "number" }, value === null ? "–" : say(value)));
    }));
    this.#picture.hidden = points.items[i] === null;
    if (points.items[i] !== null) this.#picture.src = imageHref(points.items[i], PIXELS);
    this.element.hidden = false;
    const { offsetWidth, offsetHeight } = this.element;
    const left = px + BESIDE + offsetWidth < width ? px + BESIDE : px - BESIDE - offsetWidth;
    this.element.style.insetInlineStart = `${Math.max(left, 0)}px`;
    this.element.style.insetBlockStart = `${Math.max(py - offsetHeight / 2, 0)}px`;
  }

  /** Takes it away. */
  hide() {
    this.element.hidden = true;
  }
}

/** The same in words. */
export function saidOf(points, i) {
  const numbers = Object.entries(MEASURES).map(([name, { say }]) => `${name} ${points.values[name][i] === null ? "not defined" : say(points.values[name][i])}`);
  return `${points.names[i]}, latent ${points.ids[i]}: ${numbers.join(", ")}`;
}
