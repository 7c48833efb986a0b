// Every latent in two streams, to point at: the nearest one is named and can be opened, a box drawn over them chooses.
// The mark is a link, so that it can be reached by keys, opened in a tab, and followed by arrows from latent to latent.
import { latentHref } from "../../bundle.js";
import { el } from "../../dom.js";
import { decimal, percent } from "../../format.js";
import { announce } from "../../status.js";
import { Cloud } from "./cloud.js";
import { paletteOf } from "./palette.js";

const REACH = 28;
const DRAGGED = 5; // pixels before a press is a drag
const STEPS = { ArrowLeft: ["first_density", -1], ArrowRight: ["first_density", 1], ArrowDown: ["second_density", -1], ArrowUp: ["second_density", 1] };

/** The points in their place. */
export class Scatter {
  #canvas = el("canvas", { role: "img" });
  #mark = el("a", { class: "scatter__mark", draggable: "false", data: { away: "" } });
  #tip = el("div", { class: "scatter__tip", hidden: true });
  #box = el("div", { class: "scatter__box", hidden: true });
  #field = el("div", { class: "scatter__field" }, this.#box, this.#mark, this.#tip);
  #place;
  #pairs;
  #titles;
  #onBox;
  #cloud = null;
  #at = 0;
  #chosen = null;
  #shownBox = null;
  #press = null;
  #dragged = false;

  /**
   * @param {HTMLElement} place a square
   * @param {object} pairs schemas.LatentPairs
   * @param {object} how
   * @param {[string, string]} how.titles of the streams
   * @param {(densities: number[] | null) => void} how.onBox a box was drawn: see Cloud.densities; null: none any more
   */
  constructor(place, pairs, { titles, onBox }) {
    [this.#place, this.#pairs, this.#titles, this.#onBox] = [place, pairs, titles, onBox];
    this.#canvas.setAttribute("aria-label", `${pairs.ids.length} latents as points: how often each is active in ${titles[0]}, along, and in ${titles[1]}, upwards. The lists on this page name those that matter most.`);
    place.replaceChildren(this.#canvas, this.#field);
    this.#at = middleOf(pairs);
    new ResizeObserver(() => this.#layOut()).observe(place);
    document.addEventListener("themechange", () => this.#draw());
    this.#listen();
    this.#layOut();
    this.#moveTo(this.#at, { quiet: true });
    this.#leave();
  }

  /** Makes some latents stand out, and shows the box that chose them. @param {Set<number> | null} positions @param {number[] | null} densities */
  choose(positions, densities) {
    [this.#chosen, this.#shownBox] = [positions, densities];
    this.#draw();
    this.#showBox(densities && this.#cloud.box(densities));
  }

  #listen() {
    const field = this.#field;
    field.addEventListener("pointermove", (event) => (this.#press ? this.#drag(event) : this.#point(event)));
    field.addEventListener("pointerleave", () => this.#press || this.#leave());
    field.addEventListener("pointerdown", (event) => this.#pressed(event));
    field.addEventListener("pointerup", (event) => this.#released(event));
    field.addEventListener("pointercancel", () => this.#dropped());
    field.addEventListener("click", (event) => this.#clicked(event));
    this.#mark.addEventListener("keydown", (event) => this.#key(event));
    this.#mark.addEventListener("focus", () => this.#mark.matches(":focus-visible") && this.#moveTo(this.#at));
    this.#mark.addEventListener("blur", () => this.#leave());
  }

  #layOut() {
    const side = this.#place.clientWidth;
    if (!side || side === this.#cloud?.side) return;
    this.#cloud = new Cloud(this.#pairs, side);
    this.#draw();
    this.#leave();
    if (this.#shownBox) this.#showBox(this.#cloud.box(this.#shownBox));
  }

  #draw() {
    const { side } = this.#cloud;
    const scale = devicePixelRatio || 1;
    [this.#canvas.width, this.#canvas.height] = [side * scale, side * scale];
    const context = this.#canvas.getContext("2d");
    context.scale(scale, scale);
    this.#cloud.draw(context, { titles: this.#titles, chosen: this.#chosen, palette: paletteOf() });
  }

  #point(event) {
    const at = this.#nearest(event);
    if (at < 0) this.#leave();
    else this.#moveTo(at, { quiet: true });
  }

  #nearest(event) {
    const { left, top } = this.#field.getBoundingClientRect();
    return this.#cloud.nearest(event.clientX - left, event.clientY - top, REACH);
  }

  /** Puts the mark on a latent and names it. */
  #moveTo(at, { quiet = false } = {}) {
    this.#at = at;
    const [x, y] = [this.#cloud.x[at], this.#cloud.y[at]];
    const { name, id, numbers } = this.#wordsOf(at);
    this.#mark.href = latentHref(id);
    this.#mark.setAttribute("aria-label", `${name}, latent ${id}: ${numbers.join(", ")}. Arrow keys go on to the next.`);
    this.#mark.style.transform = `translate(${x}px, ${y}px)`;
    this.#mark.removeAttribute("data-away");
    this.#tip.replaceChildren(el("b", {}, name, " ", el("span", { class: "faint mono" }, id)), ...numbers.map((text) => el("div", {}, text)));
    this.#tip.hidden = false;
    const { offsetWidth: width, offsetHeight: height } = this.#tip;
    const left = Math.min(Math.max(x - width / 2, 4), this.#cloud.side - width - 4);
    const top = y - height - 16 < 4 ? y + 16 : y - height - 16;
    this.#tip.style.transform = `translate(${left}px, ${top}px)`;
    if (!quiet) announce(`${name}, latent ${id}: ${numbers.join(", ")}`);
  }

  #wordsOf(at) {
    const { ids, names, first_density: first, second_density: second, alignment } = this.#pairs;
    const numbers = [`${this.#titles[0]} ${percent(first[at])}`, `${this.#titles[1]} ${percent(second[at])}`, `Jaccard ${decimal(alignment[at])}`];
    return { name: names[at], id: ids[at], numbers };
  }

  #leave() {
    if (this.#mark.matches(":focus-visible")) return;
    this.#tip.hidden = true;
    this.#mark.dataset.away = "";
  }

  #key(event) {
    if (event.key === "Escape") this.#onBox(null);
    const step = STEPS[event.key];
    if (!step) return;
    event.preventDefault();
    this.#moveTo(neighbour(this.#pairs, this.#at, ...step));
  }

  #pressed(event) {
    if (event.button !== 0 || event.pointerType === "touch") return;
    this.#press = this.#inside(event);
    this.#dragged = false;
  }

  #drag(event) {
    const now = this.#inside(event);
    const far = Math.hypot(now.x - this.#press.x, now.y - this.#press.y) > DRAGGED;
    if (!far && !this.#dragged) return;
    if (!this.#dragged) this.#field.setPointerCapture(event.pointerId);
    this.#dragged = true;
    this.#leave();
    this.#showBox(boxOf(this.#press, now));
  }

  #released(event) {
    const press = this.#press;
    this.#press = null;
    if (press && this.#dragged) this.#onBox(this.#cloud.densities(boxOf(press, this.#inside(event))));
  }

  #dropped() {
    this.#press = null;
    this.#showBox(this.#shownBox && this.#cloud.box(this.#shownBox));
  }

  /** A click near a point is one on its mark; a finger first sees what it would open. */
  #clicked(event) {
    if (this.#dragged) {
      this.#dragged = false;
      event.preventDefault();
    } else if (event.target !== this.#mark) {
      const at = this.#nearest(event);
      if (at < 0) this.#onBox(null);
      else if (event.pointerType === "touch") this.#moveTo(at);
      else this.#mark.dispatchEvent(new MouseEvent("click", event));
    }
  }

  /** Where a pointer is, at most at the edge. */
  #inside({ clientX, clientY }) {
    const { left, top } = this.#field.getBoundingClientRect();
    const within = (value) => Math.min(Math.max(value, 0), this.#cloud.side);
    return { x: within(clientX - left), y: within(clientY - top) };
  }

  #showBox(box) {
    this.#box.hidden = !box;
    if (!box) return;
    const { left, right, top, bottom } = box;
    Object.assign(this.#box.style, { transform: `translate(${left}px, ${top}px)`, width: `${right - left}px`, height: `${bottom - top}px` });
  }
}

function boxOf(a, b) {
  return { left: Math.min(a.x, b.x), right: Math.max(a.x, b.x), top: Math.min(a.y, b.y), bottom: Math.max(a.y, b.y) };
}

/** The latent that comes next in the order of one stream's densities; at the end, itself. */
function neighbour(pairs, at, column, direction) {
  const order = [...pairs.ids.keys()].sort((a, b) => pairs[column][a] - pairs[column][b] || a - b);
  return order[order.indexOf(at) + direction] ?? at;
}

/** Where arrows begin: the latent in the middle of the first stream's densities. */
function middleOf(pairs) {
  const order = [...pairs.ids.keys()].sort((a, b) => pairs.first_density[a] - pairs.first_density[b] || a - b);
  return order[Math.floor(order.length / 2)];
}
