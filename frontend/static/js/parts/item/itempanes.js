// The panes of the item page: one latent's heatmaps over the picture, on one scale, and the same as a file.
import { imageHref, info, streamIndex, streamTitle } from "../../bundle.js";
import { el } from "../../dom.js";
import { decimal, significant } from "../../format.js";
import { heatStrip } from "../colormap.js";
import { PICTURE_PIXELS } from "../heatmaps/download.js";
import { drawHeatmap } from "../heatmaps/heatmap.js";
import { addReadout, paneOf, placeOver } from "../heatmaps/picture.js";
import { drawSheet } from "../heatmaps/sheet.js";

const OPACITY = 0.68; // as the caption page begins with

/** Shows heatmaps in the panes of item.html. */
export class ItemPanes {
  #place;
  #scale;
  #look = null;
  #canvases = new Map(); // stream -> its canvas, once it was needed

  /** @param {HTMLElement} place holds the panes @param {HTMLElement} scale the legend */
  constructor(place, scale) {
    [this.#place, this.#scale] = [place, scale];
    scale.querySelector(".legend__strip").append(heatStrip());
  }

  /** @param {import("./itemheatmaps.js").Look | null} look null: the picture as it is */
  show(look) {
    this.#look = look;
    if (look) this.#place.style.setProperty("--opacity", OPACITY);
    else this.#place.style.removeProperty("--opacity");
    this.#scale.hidden = !look;
    for (const pane of this.#place.querySelectorAll(".pane[data-name]")) {
      const heatmap = this.#heatmapOf(pane.dataset.name);
      if (heatmap) this.#draw(pane, heatmap);
      else this.#canvases.get(pane.dataset.name)?.toggleAttribute("hidden", true);
      pane.querySelector(".pane__score .number").textContent = heatmap ? `activation ${decimal(heatmap.score)}` : "";
    }
    if (look) this.#scale.querySelector(".number").textContent = significant(look.scale);
  }

  /** What is shown, on one canvas. @param {{item: string, caption: string}} about */
  draw({ item, caption }) {
    const { latent, name, heatmaps, scale } = this.#look;
    return drawSheet({
      title: name,
      notes: [`Latent ${latent} in item ${item}: ${caption}`],
      address: imageHref(item, PICTURE_PIXELS),
      opacity: OPACITY,
      panes: heatmaps.map((heatmap) => ({
        heatmap,
        look: lookOf(scale),
        stream: streamIndex(heatmap.stream),
        title: streamTitle(heatmap.stream),
        score: `activation ${decimal(heatmap.score)}`,
        legend: `${significant(scale)}, largest of all panes`,
        words: heatmap.note ?? "",
        muted: false,
      })),
      foot: `${item} · bundle ${info.bundle_id} · SPARC Explorer`,
    });
  }

  #heatmapOf(stream) {
    return this.#look?.heatmaps.find((heatmap) => heatmap.stream === stream) ?? null;
  }

  #draw(pane, heatmap) {
    const canvas = this.#canvasOf(pane);
    canvas.hidden = false;
    canvas.setAttribute("aria-label", `${streamTitle(heatmap.stream)} heatmap of ${this.#look.name}, activation ${decimal(heatmap.score)}`);
    placeOver(canvas, heatmap.window);
    drawHeatmap(canvas, heatmap, lookOf(this.#look.scale));
  }

  #canvasOf(pane) {
    const stream = pane.dataset.name;
    if (!this.#canvases.has(stream)) {
      const canvas = el("canvas", { role: "img" });
      const frame = paneOf(this.#place, stream).querySelector(".pane__frame");
      frame.querySelector("img").after(canvas);
      addReadout(frame, canvas, () => this.#heatmapOf(stream));
      this.#canvases.set(stream, canvas);
    }
    return this.#canvases.get(stream);
  }
}

function lookOf(scale) {
  return { scale, threshold: 0, patches: false };
}
