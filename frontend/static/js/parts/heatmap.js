// One picture with its heatmaps, a pane per stream, and the drawing of a heatmap onto its canvas.
import { itemHref, imageHref, streamIndex, streamTitle } from "../bundle.js";
import { el } from "../dom.js";
import { decimal, significant } from "../format.js";
import { shares } from "./bar.js";
import { heatTable } from "./colormap.js";

const SMOOTH_SIDE = 128; // pixels of an interpolated heatmap; the browser scales it from there
const NAMED_SHARES = 2;
const FAINTEST = 0.12; // how much a heatmap covers where it is 0: the picture stays recognisable there

/**
 * A picture whose heatmaps are still to come.
 * @param {string} itemId
 * @param {string[]} streams
 * @param {{address: string, ratio: number} | null} sent an upload's picture; null for an item of the corpus
 * @returns {HTMLLIElement}
 */
export function pictureFigure(itemId, streams, sent = null) {
  const panes = streams.map((stream) => el("div", { class: "pane", data: { stream: streamIndex(stream), name: stream } },
    takeShape(el("div", { class: "pane__frame", style: `--ratio:${sent?.ratio ?? 1}`, "data-waiting": true },
      el("img", { src: sent?.address ?? imageHref(itemId, 224), alt: "", width: 224, height: 224, decoding: "async" }))),
    el("div", { class: "pane__foot" },
      el("div", { class: "pane__score" }, el("span", { class: "stream-name" }, streamTitle(stream)), el("span", { class: "number" })))));
  return el("li", { class: "picture" },
    el("figure", {},
      el("div", { class: "panes", style: `--n:${streams.length}` }, panes),
      el("figcaption", { class: "picture__caption" }, sent === null && el("a", { href: itemHref(itemId), class: "caption" }, itemId))));
}

/**
 * Puts a picture's heatmaps into its figure.
 * @param {HTMLElement} figure from pictureFigure
 * @param {object} picture schemas.PictureHeatmaps
 * @param {Map<number, number>} ranks see ranksOf
 * @returns {{canvas: HTMLCanvasElement, heatmap: object}[]} to draw with drawHeatmap, again whenever the scale changes
 */
export function fillPicture(figure, picture, ranks) {
  const link = figure.querySelector("figcaption a");
  if (link && picture.caption) link.textContent = picture.caption;
  return picture.heatmaps.map((heatmap) => {
    const pane = figure.querySelector(`.pane[data-name="${CSS.escape(heatmap.stream)}"]`);
    const frame = pane.querySelector(".pane__frame");
    const canvas = el("canvas", { class: "fade-in", role: "img", "aria-label": `${streamTitle(heatmap.stream)} heatmap, score ${decimal(heatmap.score)}` });
    placeOver(canvas, heatmap.window);
    frame.append(canvas);
    frame.removeAttribute("data-waiting");
    frame.querySelector("img").alt = picture.caption ?? "your picture";
    pane.querySelector(".number").textContent = `score ${decimal(heatmap.score)}`;
    pane.querySelector(".pane__foot").append(...shares(heatmap.contributions, ranks, NAMED_SHARES));
    addReadout(frame, canvas, heatmap);
    return { canvas, heatmap };
  });
}

/**
 * Draws a heatmap.
 * @param {HTMLCanvasElement} canvas
 * @param {{rows: number, columns: number, values: number[]}} heatmap
 * @param {number} scale the value of the brightest colour
 * @param {boolean} patches plain patches rather than values interpolated between patch centres
 */
export function drawHeatmap(canvas, heatmap, scale, patches) {
  const width = patches ? heatmap.columns : SMOOTH_SIDE;
  const height = patches ? heatmap.rows : SMOOTH_SIDE;
  const image = new ImageData(width, height);
  const colours = heatTable();
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const value = patches ? heatmap.values[y * width + x] : between(heatmap, (x + 0.5) / width, (y + 0.5) / height);
      const step = scale > 0 ? Math.round(255 * Math.min(Math.max(value / scale, 0), 1)) : 0;
      const at = 4 * (y * width + x);
      for (let channel = 0; channel < 3; channel += 1) image.data[at + channel] = colours[3 * step + channel];
      image.data[at + 3] = 255 * (FAINTEST + (1 - FAINTEST) * Math.sqrt(step / 255));
    }
  }
  canvas.width = width;
  canvas.height = height;
  canvas.toggleAttribute("data-patches", patches);
  canvas.getContext("2d").putImageData(image, 0, 0);
}

/** The value at a place (0 to 1 each way), linear between patch centres, flat beyond the outermost ones. */
function between({ rows, columns, values }, across, down) {
  const x = Math.min(Math.max(across * columns - 0.5, 0), columns - 1);
  const y = Math.min(Math.max(down * rows - 0.5, 0), rows - 1);
  const [left, top] = [Math.floor(x), Math.floor(y)];
  const [right, bottom] = [Math.min(left + 1, columns - 1), Math.min(top + 1, rows - 1)];
  const [dx, dy] = [x - left, y - top];
  const upper = values[top * columns + left] * (1 - dx) + values[top * columns + right] * dx;
  const lower = values[bottom * columns + left] * (1 - dx) + values[bottom * columns + right] * dx;
  return upper * (1 - dy) + lower * dy;
}

/** Lays a canvas over the part of the frame that its heatmap is of: towers that crop see the middle only. */
function placeOver(canvas, { left, top, right, bottom }) {
  canvas.style.left = `${100 * left}%`;
  canvas.style.top = `${100 * top}%`;
  canvas.style.width = `${100 * (right - left)}%`;
  canvas.style.height = `${100 * (bottom - top)}%`;
}

/** Gives a frame the shape of its picture once that is known. */
function takeShape(frame) {
  const img = frame.querySelector("img");
  img.addEventListener("load", () => frame.style.setProperty("--ratio", img.naturalWidth / img.naturalHeight), { once: true });
  return frame;
}

/** Shows the value of the patch under the pointer. */
function addReadout(frame, canvas, { rows, columns, values }) {
  const readout = el("span", { class: "pane__readout", hidden: true, "aria-hidden": "true" });
  frame.append(readout);
  frame.addEventListener("pointermove", (event) => {
    const box = canvas.getBoundingClientRect();
    const column = Math.floor(((event.clientX - box.left) / box.width) * columns);
    const row = Math.floor(((event.clientY - box.top) / box.height) * rows);
    const inside = row >= 0 && row < rows && column >= 0 && column < columns;
    const value = inside ? values[row * columns + column] : undefined;
    readout.hidden = value === undefined;
    if (value !== undefined) readout.textContent = significant(value);
  });
  frame.addEventListener("pointerleave", () => (readout.hidden = true));
}
