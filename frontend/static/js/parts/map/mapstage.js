// The map's canvas under the hand: moving, zooming, pointing, and drawing a lasso. What it shows is mapview.js's.
import { latentHref } from "../../bundle.js";
import { el } from "../../dom.js";
import { keepInEntry } from "../place.js";
import { writeLasso } from "./lasso.js";
import { MapCamera } from "./mapcamera.js";
import { bucketsOf, drawMap, THUMB } from "./mapdraw.js";
import { watchGestures } from "./mapgestures.js";
import { readPalette } from "./mappalette.js";
import { MapThumbs } from "./mapthumbs.js";
import { MapTip, saidOf } from "./maptip.js";

const REACH = 14; // pixels between the pointer and the latent that it means
const KEY_REACH = 60; // the same of the map's middle, where keys bring latents to
const CLOSER = 2; // by a button
const GLIDE_MS = 180;
const REST_MS = 300;
const still = matchMedia("(prefers-reduced-motion: reduce)");

/** The canvas with its buttons and the card of the latent that is pointed at. */
export class MapStage {
  #gather;
  #canvas = el("canvas", { class: "map__canvas", tabindex: "0", role: "application", "aria-label": "Map of latents", "aria-describedby": "map-help" });
  #context = this.#canvas.getContext("2d");
  #lasso = tool("Lasso", "Draw a line around latents to see them as cards, or drag with Shift", () => this.#takeLasso(!this.#hasLasso()), { "aria-pressed": "false" });
  #tip = new MapTip();
  #said = el("p", { class: "visually-hidden", role: "status" });
  #camera = new MapCamera();
  #thumbs = new MapThumbs(() => this.#redraw());
  #palette = readPalette();
  /** @type {{points: import("./mappoints.js").MapPoints, scale: object, lasso: [number, number][]} | null} */
  #shown = null;
  #buckets = [];
  #pictured = []; // points that have a picture instead
  #line = []; // the lasso under the hand
  #aim = -1;
  #keyed = false; // whether keys move the map
  #frame = 0;
  #gliding = 0;
  #rest = 0;

  /** @type {HTMLElement} */
  element = el("div", { class: "map__frame", "data-waiting": true }, this.#canvas, this.#tools(), this.#tip.element, this.#said);

  /** @param {(lasso: string) => void} gather after a lasso was drawn */
  constructor(gather) {
    this.#gather = gather;
    if (history.state?.camera) this.#camera.set(history.state.camera);
    watchGestures(this.#canvas, {
      pan: (dx, dy) => this.#move(() => this.#camera.pan(dx, dy)),
      closer: (factor, x, y) => this.#move(() => this.#camera.set(this.#camera.closer(factor, x, y))),
      all: () => this.#showAll(),
      hover: (x, y) => this.#hover(x, y),
      leave: () => this.#leave(),
      tap: (x, y, event) => this.#tap(x, y, event),
      open: () => this.#aim >= 0 && this.#open(this.#aim),
      keyed: (key) => this.#aimByKeys(key),
      draws: () => this.#hasLasso(),
      draw: (x, y) => this.#drawLine(x, y),
      drawn: (cancelled) => this.#closeLine(cancelled),
    });
    this.#canvas.addEventListener("blur", () => {
      if (this.#keyed) this.#lookAt(-1); // what a finger chose stays, to be followed
      this.#keyed = false;
    });
    document.addEventListener("themechange", () => {
      this.#palette = readPalette();
      this.#redraw();
    });
    new ResizeObserver(() => this.#resize()).observe(this.element);
  }

  /** Shows points, coloured on a scale. @param {{points: object, scale: object, lasso: [number, number][], label: string}} shown */
  show({ label, ...shown }) {
    this.#shown = shown;
    this.#buckets = bucketsOf(shown.points, shown.scale, this.#palette.shades.length);
    this.#canvas.setAttribute("aria-label", label);
    this.element.removeAttribute("data-waiting");
    this.#lookAt(-1);
    this.#resize();
  }

  /** What is shown, to be drawn elsewhere. @returns {import("./mapdraw.js").Scene} */
  get scene() {
    return { ...this.#shown, camera: this.#camera, palette: this.#palette, thumbs: this.#thumbs, drawn: this.#line, aim: this.#aim, cross: this.#keyed };
  }

  #tools() {
    return el("div", { class: "map__tools", role: "group", "aria-label": "Map" },
      this.#lasso,
      tool("+", "Closer", () => this.#glide(this.#camera.closer(CLOSER))),
      tool("−", "Farther", () => this.#glide(this.#camera.closer(1 / CLOSER))),
      tool("All", "Show the whole map", () => this.#showAll()));
  }

  #resize() {
    const { clientWidth: width, clientHeight: height } = this.element;
    if (!width || !this.#shown) return;
    const ratio = devicePixelRatio || 1;
    [this.#canvas.width, this.#canvas.height] = [Math.round(width * ratio), Math.round(height * ratio)];
    this.#context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.#camera.fit(width, height, this.#shown.points.box);
    this.#paint();
  }

  #redraw() {
    if (this.#shown) this.#frame ||= requestAnimationFrame(() => this.#paint());
  }

  #paint() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    this.#pictured = drawMap(this.#context, this.scene, this.#buckets).thumbs;
    this.#thumbs.want(this.#pictured.map((i) => this.#shown.points.items[i]));
  }

  /** Changes what is on the screen; the place is kept in the history, for whoever comes back. */
  #move(change) {
    if (!this.#shown) return;
    cancelAnimationFrame(this.#gliding);
    change();
    this.#lookAt(-1);
    this.#redraw();
    clearTimeout(this.#rest);
    this.#rest = setTimeout(() => keepInEntry({ camera: this.#camera.view }), REST_MS);
  }

  #showAll() {
    const before = this.#camera.view;
    this.#camera.showAll();
    const all = this.#camera.view;
    this.#camera.set(before);
    this.#glide(all);
  }

  /** Goes to a view in a moment; at once for who wants no motion. */
  #glide(to) {
    if (still.matches) return this.#move(() => this.#camera.set(to));
    const [from, begun] = [this.#camera.view, performance.now()];
    const step = (now) => {
      const done = Math.min((now - begun) / GLIDE_MS, 1);
      const eased = 1 - (1 - done) ** 3;
      this.#move(() => this.#camera.set(from.map((value, i) => value + (to[i] - value) * eased)));
      if (done < 1) this.#gliding = requestAnimationFrame(step);
      else if (this.#keyed) this.#aimAtMiddle();
    };
    step(begun);
  }

  #hover(x, y) {
    if (!this.#shown) return;
    this.#keyed = false;
    this.#lookAt(this.#hasLasso() ? -1 : this.#pointAt(x, y));
  }

  /** The latent whose picture lies under a pixel, else whose point lies near it; -1 for none. */
  #pointAt(x, y) {
    const { points } = this.#shown;
    const covers = (i) => Math.max(Math.abs(this.#camera.px(points.x[i]) - x), Math.abs(this.#camera.py(points.y[i]) - y)) <= THUMB / 2;
    return this.#pictured.find(covers) ?? points.nearest(this.#camera, x, y, REACH);
  }

  #leave() {
    this.#takeLasso(false);
    this.#lookAt(-1);
  }

  /** A click opens the latent; a finger first has to see which one it is. */
  #tap(x, y, event) {
    if (!this.#shown) return;
    const found = this.#pointAt(x, y);
    if (found >= 0 && (event.pointerType === "mouse" || found === this.#aim)) this.#open(found, event.ctrlKey || event.metaKey);
    else this.#lookAt(found);
  }

  #open(i, beside = false) {
    const address = latentHref(this.#shown.points.ids[i]);
    if (beside) open(address, "_blank", "noopener");
    else location.href = address;
  }

  /** After a key, the latent nearest to the middle is looked at. */
  #aimByKeys(key) {
    if (!this.#shown || key === "Escape" || key === "Enter") return;
    this.#keyed = true;
    this.#aimAtMiddle();
  }

  #aimAtMiddle() {
    const { points } = this.#shown;
    const found = points.nearest(this.#camera, this.#camera.width / 2, this.#camera.height / 2, KEY_REACH);
    this.#lookAt(found);
    this.#said.textContent = found < 0 ? "No latent in the middle" : saidOf(points, found);
  }

  #lookAt(i) {
    const { points } = this.#shown ?? {};
    this.#canvas.style.cursor = i >= 0 ? "pointer" : "";
    if (i !== this.#aim) this.#redraw();
    this.#aim = i;
    if (i < 0) this.#tip.hide();
    else this.#tip.show(points, i, { px: this.#camera.px(points.x[i]), py: this.#camera.py(points.y[i]), width: this.#camera.width, height: this.#camera.height });
  }

  #hasLasso() {
    return this.#lasso.getAttribute("aria-pressed") === "true";
  }

  #takeLasso(taken) {
    this.#lasso.setAttribute("aria-pressed", String(taken));
    this.element.toggleAttribute("data-lasso", taken);
  }

  #drawLine(x, y) {
    if (!this.#shown) return;
    this.#lookAt(-1);
    this.#line.push(this.#camera.placeAt(x, y));
    this.#redraw();
  }

  #closeLine(cancelled) {
    const lasso = cancelled ? "" : writeLasso(this.#line);
    this.#line = [];
    this.#takeLasso(false);
    this.#redraw();
    if (lasso) this.#gather(lasso);
  }
}

/** A button; a sign is no name for who hears it. */
function tool(text, title, act, more = {}) {
  return el("button", { class: "button button--small", type: "button", title, "aria-label": text.length > 1 ? null : title, ...more, on: { click: act } }, text);
}
