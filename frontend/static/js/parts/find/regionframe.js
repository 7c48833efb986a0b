// A picture with a rectangle on it that is drawn with the pointer, moved with arrow keys, or given in numbers.
import { el } from "../../dom.js";

const EDGES = ["left", "top", "right", "bottom"];
const SMALLEST = 0.03; // share of the picture; less is a click, not a rectangle
const STEP = 0.05;
const DIGITS = 3; // of a region's edges, as written

/** @typedef {{left: number, top: number, right: number, bottom: number}} Region in shares of width and height */

/** A region as addresses have it: "0.2,0.5,0.6,1"; null where it is none. @returns {Region | null} */
export function readRegion(written) {
  const edges = written.split(",").map(Number);
  if (edges.length !== 4 || edges.some(Number.isNaN)) return null;
  const [left, top, right, bottom] = edges;
  return { left, top, right, bottom };
}

/** The other way round; "" for none. @param {Region | null} region */
export function writeRegion(region) {
  return region ? EDGES.map((edge) => Number(region[edge].toFixed(DIGITS))).join(",") : "";
}

/** The `region` of find.html, and the panes of item.html. */
export class RegionFrame {
  #frame;
  #edges;
  #onRegion;
  #snap;
  #step;
  #region = null;
  #box = el("div", { class: "region__box", tabindex: "0", role: "group", "aria-label": "Region: arrow keys move it, with Shift they change its size" });

  /**
   * @param {HTMLElement} place
   * @param {(region: Region | null) => void} onRegion
   * @param {object} [grid] that rectangles keep to
   * @param {(region: Region) => Region} [grid.snap]
   * @param {() => [number, number]} [grid.step] of an arrow key, across and down
   */
  constructor(place, onRegion, { snap = (region) => region, step = () => [STEP, STEP] } = {}) {
    [this.#snap, this.#step] = [snap, step];
    this.#frame = place.querySelector(".region__frame");
    this.#edges = place.querySelector(".region__edges");
    this.#onRegion = onRegion;
    this.#frame.addEventListener("pointerdown", (event) => this.#draw(event));
    this.#box.addEventListener("keydown", (event) => this.#move(event));
    this.#edges.addEventListener("change", () => this.#readEdges());
    this.#edges.addEventListener("submit", (event) => event.preventDefault());
    place.querySelector("[data-whole]").addEventListener("click", () => onRegion(null));
  }

  /** Shows a picture, and the rectangle where there is one. @param {string} src @param {Region | null} region */
  show(src, region) {
    if (this.#frame.querySelector("img")?.getAttribute("src") !== src) this.#frame.replaceChildren(el("img", { src, alt: "The picture that is searched by" }));
    const img = this.#frame.querySelector("img");
    img.draggable = false;
    if (this.#box.parentElement !== this.#frame) this.#frame.append(this.#box);
    this.#region = region;
    this.#place(region);
    for (const edge of EDGES) this.#edges.elements[edge].value = region ? Math.round(100 * region[edge]) : "";
  }

  #place(region) {
    this.#box.hidden = !region;
    if (!region) return;
    const { left, top, right, bottom } = region;
    for (const [edge, share] of [["left", left], ["top", top], ["width", right - left], ["height", bottom - top]]) this.#box.style[edge] = `${100 * share}%`;
  }

  #draw(event) {
    if (event.button !== 0) return;
    event.preventDefault(); // no selection, no dragging of the image
    const { left, top, width, height } = this.#frame.getBoundingClientRect();
    const at = ({ clientX, clientY }) => [clamp((clientX - left) / width), clamp((clientY - top) / height)];
    const [x, y] = at(event);
    const drawn = (now) => ordered([x, y], at(now));
    const follow = (now) => this.#place(this.#snap(drawn(now)));
    const done = (end) => {
      this.#frame.removeEventListener("pointermove", follow);
      for (const name of ["pointerup", "pointercancel"]) this.#frame.removeEventListener(name, done);
      const region = end.type === "pointerup" ? drawn(end) : null;
      if (region && region.right - region.left >= SMALLEST && region.bottom - region.top >= SMALLEST) this.#onRegion(this.#snap(region));
      else this.#place(this.#region);
    };
    this.#frame.setPointerCapture(event.pointerId);
    this.#frame.addEventListener("pointermove", follow);
    for (const name of ["pointerup", "pointercancel"]) this.#frame.addEventListener(name, done);
  }

  #move(event) {
    const [across, down] = this.#step();
    const direction = { ArrowLeft: [-across, 0], ArrowRight: [across, 0], ArrowUp: [0, -down], ArrowDown: [0, down] }[event.key];
    if (!direction || !this.#region) return;
    event.preventDefault();
    const [dx, dy] = direction;
    const { left, top, right, bottom } = this.#region;
    const [x, y] = event.shiftKey ? [0, 0] : [within(dx, left, right), within(dy, top, bottom)];
    const [wider, higher] = event.shiftKey ? [dx, dy] : [x, y];
    const region = { left: left + x, top: top + y, right: clamp(right + wider), bottom: clamp(bottom + higher) };
    if (region.right - region.left >= SMALLEST && region.bottom - region.top >= SMALLEST) this.#onRegion(this.#snap(region));
  }

  /** Four numbers make a region; until then, and where they do not fit together, nothing happens. */
  #readEdges() {
    const fields = EDGES.map((edge) => this.#edges.elements[edge]);
    if (fields.some((field) => field.value === "")) return;
    const [left, top, right, bottom] = fields.map((field) => clamp(Number(field.value) / 100));
    const fits = left < right && top < bottom;
    this.#edges.toggleAttribute("data-invalid", !fits);
    if (fits) this.#onRegion(this.#snap({ left, top, right, bottom }));
  }
}

function clamp(share) {
  return Math.min(Math.max(share, 0), 1);
}

/** As far as a step can go before an edge leaves the picture. */
function within(step, low, high) {
  return Math.max(-low, Math.min(step, 1 - high));
}

function ordered([x, y], [u, v]) {
  return { left: Math.min(x, u), top: Math.min(y, v), right: Math.max(x, u), bottom: Math.max(y, v) };
}
