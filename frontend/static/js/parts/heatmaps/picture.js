// One picture with its heatmaps: a pane per stream, its score taken apart, and whether to believe it.
import { imageHref, itemHref, streamIndex, streamTitle, uploadHref } from "../../bundle.js";
import { el } from "../../dom.js";
import { decimal, percent, significant } from "../../format.js";
import { offerIsolation } from "./isolation.js";
import { shares } from "../shares.js";
import { starButton } from "../star.js";
import { evidencePlace, startTrust } from "./trust.js";

const NAMED_SHARES = 2;
const PANE_PIXELS = 224;
const ratios = new Map(); // address -> width / height, so that a picture shown again takes its shape at once

/**
 * A picture whose heatmaps are still to come.
 * @param {string} itemId
 * @param {string[]} streams
 * @param {object} [how]
 * @param {string} [how.upload] id of a sent picture, where it is none of the corpus
 * @param {string} [how.tag] of the element
 * @param {boolean} [how.save] whether it can be kept as a file
 * @returns {HTMLElement}
 */
export function pictureFigure(itemId, streams, { upload = "", tag = "li", save: saved = true } = {}) {
  const src = upload ? uploadHref(upload, PANE_PIXELS) : imageHref(itemId, PANE_PIXELS);
  const name = upload ? el("span", { class: "caption" }, "your picture") : el("a", { href: itemHref(itemId), class: "caption" }, itemId);
  const save = saved && el("button", { class: "button button--small", type: "button", hidden: true, title: "Download this picture with its heatmaps", data: { save: itemId } }, "Save PNG");
  return el(tag, { class: "picture" },
    el("figure", {},
      el("div", { class: "panes", style: `--n:${streams.length}` }, streams.map((stream) => emptyPane(stream, src))),
      el("figcaption", { class: "picture__caption" }, name, !upload && starButton("item", itemId, itemId)),
      el("div", { class: "picture__more" }, evidencePlace(), save)));
}

/** A figure's pane of a stream. */
export function paneOf(figure, stream) {
  return figure.querySelector(`.pane[data-name="${CSS.escape(stream)}"]`);
}

/**
 * Puts a picture's heatmaps into its figure.
 * @param {HTMLElement} figure from pictureFigure
 * @param {object} picture schemas.PictureHeatmaps
 * @param {Map<number, number>} ranks see ranksOf
 * @param {string | null} isolated the latent that is shown alone, "" for none; null where that cannot be asked for
 * @returns {{pane: HTMLElement, canvas: HTMLCanvasElement, heatmap: object}[]} to draw with drawHeatmap, again whenever the scale changes
 */
export function fillPicture(figure, picture, ranks, isolated) {
  const link = figure.querySelector("figcaption a");
  if (link && picture.caption) [link.textContent, figure.querySelector("[data-star]").dataset.name] = [picture.caption, picture.caption];
  figure.querySelector("[data-save]")?.toggleAttribute("hidden", false);
  return picture.heatmaps.map((heatmap) => {
    const pane = paneOf(figure, heatmap.stream);
    const frame = pane.querySelector(".pane__frame");
    const canvas = el("canvas", { class: "fade-in", role: "img", "aria-label": `${streamTitle(heatmap.stream)} heatmap, score ${decimal(heatmap.score)}` });
    placeOver(canvas, heatmap.window);
    frame.append(canvas);
    frame.removeAttribute("data-waiting");
    frame.querySelector("img").alt = picture.caption ?? "your picture";
    pane.querySelector(".number").textContent = `score ${decimal(heatmap.score)}`;
    const parts = pane.querySelector(".pane__parts");
    if (heatmap.note) parts.append(el("p", { class: "pane__note" }, heatmap.note));
    else startTrust(pane);
    if (heatmap.contributions.length) parts.append(...shares(heatmap.contributions, ranks, { named: NAMED_SHARES }));
    else if (!heatmap.note) parts.append(el("p", { class: "pane__note" }, "Features compared as they are, without latents"));
    if (isolated !== null) offerIsolation(parts, isolated);
    addReadout(frame, canvas, () => heatmap);
    return { pane, canvas, heatmap };
  });
}

function emptyPane(stream, src) {
  const img = el("img", { src, alt: "", width: PANE_PIXELS, height: PANE_PIXELS, decoding: "async" });
  return el("div", { class: "pane", data: { stream: streamIndex(stream), name: stream } },
    takeShape(el("div", { class: "pane__frame", style: "--ratio:1", "data-waiting": true }, img), img),
    el("div", { class: "pane__score" }, el("span", { class: "stream-name" }, streamTitle(stream)), el("span", { class: "number" })),
    el("div", { class: "pane__parts" }),
    el("p", { class: "trust" }));
}

/** Lays a canvas over the part of the frame that its heatmap is of: towers that crop see the middle only. */
export function placeOver(canvas, { left, top, right, bottom }) {
  canvas.style.left = `${100 * left}%`;
  canvas.style.top = `${100 * top}%`;
  canvas.style.width = `${100 * (right - left)}%`;
  canvas.style.height = `${100 * (bottom - top)}%`;
}

/** Gives a frame the shape of its picture once that is known. */
function takeShape(frame, img) {
  const show = () => frame.style.setProperty("--ratio", ratios.get(img.src));
  if (ratios.has(img.src)) show();
  else img.addEventListener("load", () => show(ratios.set(img.src, img.naturalWidth / img.naturalHeight)), { once: true });
  return frame;
}

/**
 * Shows the value of the patch under the pointer, and how much of the score that is.
 * @param {() => object | null} heatmapNow what the canvas shows; null for nothing
 */
export function addReadout(frame, canvas, heatmapNow) {
  const readout = el("span", { class: "pane__readout", hidden: true, "aria-hidden": "true" });
  frame.append(readout);
  frame.addEventListener("pointermove", (event) => {
    const heatmap = heatmapNow();
    readout.hidden = !heatmap;
    if (!heatmap) return;
    const { rows, columns, values } = heatmap;
    const sum = values.reduce((total, value) => total + value, 0);
    const box = canvas.getBoundingClientRect();
    const column = Math.floor(((event.clientX - box.left) / box.width) * columns);
    const row = Math.floor(((event.clientY - box.top) / box.height) * rows);
    const inside = row >= 0 && row < rows && column >= 0 && column < columns;
    const value = inside ? values[row * columns + column] : undefined;
    readout.hidden = value === undefined;
    if (value !== undefined) readout.textContent = sum > 0 ? `${significant(value)}, ${percent(value / sum)} of the score` : significant(value);
  });
  frame.addEventListener("pointerleave", () => (readout.hidden = true));
}
