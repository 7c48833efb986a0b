// Every latent in two streams: the scatter, what is chosen in it, and the list of that. The address holds the choice.
import { addressOf, visit } from "../../address.js";
import * as api from "../../api.js";
import { info, streamTitle } from "../../bundle.js";
import { el } from "../../dom.js";
import { count, significant } from "../../format.js";
import { announce, isAbort, troubleBox } from "../../status.js";
import { Cloud, overlapStrip } from "./cloud.js";
import { showPicture } from "../data.js";
import { insideList } from "./insidelist.js";
import { paletteOf } from "./palette.js";
import { lineHeight, Pen } from "../pen.js";
import { Scatter } from "./scatter.js";

const PICTURE = { side: 640, scale: 2, margin: 48 };
const HINTS = [
  ["scatter__hint", "Drag a box over the points to list the latents in it. A click opens a latent."],
  ["scatter__hint--touch", "A tap names a latent, another one on its mark opens it."],
];
const LEANS = ["first", "even", "second"];
const TWICE = 2;

/** Asks for the pairs and fills `#scatter` of compare_streams.html. */
export class PairView {
  #streams;
  #titles;
  #place;
  #below;
  #request = new AbortController();
  #pairs = null;
  #scatter = null;

  /** @param {HTMLElement} element `#scatter` */
  constructor(element) {
    this.#streams = [element.dataset.first, element.dataset.second];
    this.#titles = this.#streams.map(streamTitle);
    this.#place = element.querySelector(".scatter__place");
    this.#below = element.querySelector(".scatter__below");
    addEventListener("popstate", () => this.#pairs && this.#show());
    this.#ask();
  }

  async #ask() {
    this.#request.abort();
    this.#request = new AbortController();
    try {
      this.#pairs = await api.latentPairs([["first", this.#streams[0]], ["second", this.#streams[1]]], this.#request.signal);
    } catch (error) {
      if (!isAbort(error)) this.#fail(error);
      return;
    }
    this.#place.classList.remove("skeleton");
    this.#place.removeAttribute("aria-busy");
    this.#scatter = new Scatter(this.#place, this.#pairs, { titles: this.#titles, onBox: (box) => this.#go({ box: box?.map((density) => significant(density)).join(",") }) });
    showPicture("scatter", "Every latent in both streams", () => this.#picture());
    document.addEventListener("themechange", () => this.#show({ quiet: true }));
    this.#show({ quiet: true });
  }

  #fail(error) {
    this.#place.classList.remove("skeleton");
    this.#place.removeAttribute("aria-busy");
    this.#place.replaceChildren(troubleBox(error, () => {
      this.#place.replaceChildren();
      this.#place.classList.add("skeleton");
      this.#ask();
    }));
  }

  /** Goes to a choice: a box, a lean, or none. */
  #go({ box, lean }) {
    const pairs = [["by", "streams"], ["first", this.#streams[0]], ["second", this.#streams[1]], ["box", box], ["lean", lean]];
    if (visit(addressOf("/compare", pairs))) this.#show();
  }

  #show({ quiet = false } = {}) {
    const { box, lean } = chosenBy(new URLSearchParams(location.search));
    const positions = box ? this.#within(box) : lean ? this.#leaning(lean) : null;
    this.#scatter.choose(positions && new Set(positions), box);
    const where = box ? "in the box" : lean ? this.#leanText(lean) : "";
    const list = positions ? insideList(this.#pairs, positions, { titles: this.#titles, where, clear: () => this.#go({}) }) : HINTS.map(([name, text]) => el("p", { class: `note ${name}` }, text));
    this.#below.replaceChildren(this.#legend(), this.#leanButtons(lean), ...list);
    if (!quiet) announce(positions ? `${count(positions.length, "latent")} ${where}` : "All latents");
  }

  #within([x0, x1, y0, y1]) {
    const { first_density: first, second_density: second } = this.#pairs;
    return this.#sorted((at) => first[at] >= x0 && first[at] <= x1 && second[at] >= y0 && second[at] <= y1);
  }

  #leaning(lean) {
    return this.#sorted((at) => leanOf(this.#pairs.first_density[at], this.#pairs.second_density[at]) === lean);
  }

  /** Those that agree most first. */
  #sorted(keep) {
    const { ids, alignment } = this.#pairs;
    return [...ids.keys()].filter(keep).sort((a, b) => (alignment[b] ?? -1) - (alignment[a] ?? -1));
  }

  #leanText(lean) {
    const [first, second] = this.#titles;
    return { first: `at least twice as often in ${first}`, even: "about as often in both", second: `at least twice as often in ${second}` }[lean];
  }

  #leanButtons(pressed) {
    return el("div", { class: "leans", role: "group", "aria-label": "Latents by where they are more often active" }, LEANS.map((lean) => {
      const go = () => this.#go({ lean: lean === pressed ? null : lean });
      return el("button", { class: "button button--small", type: "button", "aria-pressed": String(lean === pressed), on: { click: go } }, this.#leanText(lean), " ", el("span", { class: "number" }, this.#leaning(lean).length));
    }));
  }

  #legend() {
    const silent = this.#pairs.alignment.includes(null) && el("span", {}, "· hollow: active in one of them at most");
    return el("p", { class: "scatter__legend" }, el("span", {}, "Jaccard of active items"), el("span", {}, "0"), overlapStrip(paletteOf()), el("span", {}, "1"), silent);
  }

  /** For slides: always in the light theme. */
  async #picture() {
    const { side, scale, margin } = PICTURE;
    const palette = paletteOf("light");
    const canvas = el("canvas", { width: scale * side + 2 * margin, height: scale * side + 2 * margin + 4 * lineHeight("title") });
    const pen = new Pen(canvas.getContext("2d"));
    pen.fill("--paper", 0, 0, canvas.width, canvas.height);
    pen.write(`Latents in ${this.#titles.join(" and ")}`, "title", margin, margin);
    const below = margin + 1.4 * lineHeight("title");
    pen.write("Jaccard of active items   0", "muted", margin, below);
    const strip = margin + 230;
    pen.context.drawImage(overlapStrip(palette), strip, below + 4, 200, 14);
    pen.write("1", "muted", strip + 210, below);
    const top = below + 2 * lineHeight("plain");
    pen.context.save();
    pen.context.translate(margin, top);
    pen.context.scale(scale, scale);
    new Cloud(this.#pairs, side).draw(pen.context, { titles: this.#titles, chosen: null, palette });
    pen.context.restore();
    pen.write(`${info.corpus}, bundle ${info.bundle_id}, each stream selecting by itself · SPARC Explorer`, "muted", margin, top + scale * side + lineHeight("plain"));
    return canvas;
  }
}

/** What the address chooses; what it says wrongly is no choice. */
function chosenBy(given) {
  const box = (given.get("box") ?? "").split(",").map(Number);
  if (given.get("box") && box.length === 4 && box.every((density) => density >= 0)) return { box, lean: null };
  return { box: null, lean: LEANS.includes(given.get("lean")) ? given.get("lean") : null };
}

/** Where a latent is at least twice as often active; null where it never is. */
function leanOf(first, second) {
  if (first === 0 && second === 0) return null;
  if (first >= TWICE * second) return "first";
  return second >= TWICE * first ? "second" : "even";
}
