// Heatmaps of a latent over the pictures of its columns, on demand: all of them on one scale.
import * as api from "../../api.js";
import { info } from "../../bundle.js";
import { el } from "../../dom.js";
import { count, decimal, significant } from "../../format.js";
import { announce, isAbort, troubleBox } from "../../status.js";
import { heatStrip } from "../colormap.js";
import { showCall } from "../data.js";
import { drawHeatmap, largest } from "../heatmaps/heatmap.js";
import { latentId } from "./latentview.js";
import { byArea, coverBox, heatBox, place } from "../heatmaps/overlay.js";

const MOST = 24; // pictures that one request may name
const find = (id) => document.getElementById(id);

/** The heatmaps of latent_columns.html. */
export class LatentHeat {
  #columns = find("columns");
  #bar = find("heat-bar");
  #button = find("heat");
  #trouble = find("heat-trouble");
  #request = new AbortController();
  #drawn = []; // {canvas, heatmap} of what has arrived
  #scale = 0;
  #on = false;

  /** @param {(on: boolean) => void} onToggle the visitor wants heatmaps, or no longer */
  constructor(onToggle) {
    this.#bar.querySelector("[data-strip]").append(heatStrip());
    this.#button.addEventListener("click", () => onToggle(this.#button.getAttribute("aria-pressed") !== "true"));
    this.#opacity.addEventListener("input", () => this.#showOpacity());
    this.#showOpacity();
  }

  /** Shows heatmaps over the pictures that are there, or none. */
  follow(on) {
    if (on !== this.#on) this.again(on);
  }

  /** The same, anew: for other pictures, or after an error. */
  again(on = this.#on) {
    this.#on = on;
    this.#button.setAttribute("aria-pressed", on);
    this.#bar.hidden = !on;
    this.stop();
    if (on) this.#start();
    else announce("");
  }

  /** Gives up what is under way, and takes away what is there. */
  stop() {
    this.#request.abort();
    this.#trouble.replaceChildren();
    for (const { canvas } of this.#drawn) canvas.remove();
    for (const frame of this.#columns.querySelectorAll("[data-heat], [data-waiting]")) {
      frame.removeAttribute("data-heat");
      frame.removeAttribute("data-waiting");
    }
    for (const { name } of info.streams) showCall(`heat-${name}`, null);
    [this.#drawn, this.#scale] = [[], 0];
    this.#showScale();
  }

  get #opacity() {
    return this.#bar.querySelector("input[name=opacity]");
  }

  #showOpacity() {
    this.#columns.style.setProperty("--opacity", this.#opacity.value / 100);
  }

  async #start() {
    this.#request = new AbortController();
    const { signal } = this.#request;
    const wanted = [...this.#columns.querySelectorAll(".column--image")].map((column) => this.#wanted(column)).filter(Boolean);
    if (!wanted.length) return;
    announce("Drawing heatmaps", { busy: true });
    try {
      await Promise.all(wanted.map((one) => this.#ask(one, signal)));
      announce(`Heatmaps over ${count(this.#drawn.length, "picture")}`);
    } catch (error) {
      if (signal.aborted || isAbort(error)) return;
      this.#request.abort(); // the other stream's
      for (const frame of this.#columns.querySelectorAll("[data-waiting]")) frame.removeAttribute("data-waiting");
      announce("");
      this.#trouble.replaceChildren(troubleBox(error, () => this.again()));
    }
  }

  /** A column's request, and the frames that wait for its answer; null where its stream cannot look, or shows nothing. */
  #wanted(column) {
    const stream = info.streams[column.dataset.stream];
    const frames = new Map([...column.querySelectorAll("li[data-item]")].slice(0, MOST).map((tile) => [tile.dataset.item, tile.querySelector(".tile__frame")]));
    if (!stream.can_read || !frames.size) return null;
    for (const frame of frames.values()) {
      frame.setAttribute("data-waiting", "");
      frame.querySelector("img").loading = "eager"; // its shape is needed
    }
    return { stream, frames, body: { latents: [latentId], item_ids: [...frames.keys()], streams: [stream.name] } };
  }

  async #ask({ stream, frames, body }, signal) {
    showCall(`heat-${stream.name}`, { title: `Heatmaps in ${stream.title}`, method: "POST", path: `${api.ROOT}/heatmaps`, body });
    for await (const line of api.heatmaps(body, signal)) {
      if (signal.aborted) return;
      if (line.kind === "picture") this.#add(stream, frames.get(line.item_id), byArea(line.heatmaps[0]));
    }
  }

  #add(stream, frame, heatmap) {
    const about = `${stream.title} heatmap, logit ${decimal(heatmap.score)}`;
    const canvas = el("canvas", { class: "fade-in", role: "img", "aria-label": about, title: heatmap.note ?? about });
    frame.removeAttribute("data-waiting");
    frame.setAttribute("data-heat", "");
    frame.append(canvas);
    whenShaped(frame.querySelector("img"), (ratio) => place(canvas, heatBox(heatmap.window, coverBox(ratio))));
    const added = { canvas, heatmap };
    this.#drawn.push(added);
    const grows = largest(heatmap) > this.#scale;
    if (grows) this.#scale = largest(heatmap);
    for (const one of grows ? this.#drawn : [added]) drawHeatmap(one.canvas, one.heatmap, { scale: this.#scale, threshold: 0, patches: false });
    this.#showScale();
  }

  #showScale() {
    this.#bar.querySelector("[data-scale]").textContent = this.#scale ? significant(this.#scale) : "–";
  }
}

/** Calls `use` with a picture's width / height, once that is known. @param {HTMLImageElement} img */
function whenShaped(img, use) {
  const tell = () => use(img.naturalWidth / img.naturalHeight);
  if (img.naturalWidth) tell();
  else img.addEventListener("load", tell, { once: true });
}
