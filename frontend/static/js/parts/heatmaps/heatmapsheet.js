// All pictures of an answer with their heatmaps on one canvas: a column for each stream.
import { info, streamIndex, streamTitle } from "../../bundle.js";
import { decimal } from "../../format.js";
import { drawContactSheet } from "../contactsheet.js";
import { drawHeatmap } from "./heatmap.js";

const SIDE = 336; // pixels of a heatmap: twice a tile of the sheet

/**
 * Draws the sheet.
 * @param {object} sheet
 * @param {string} sheet.title the caption
 * @param {string[]} sheet.notes lines under it
 * @param {string[]} sheet.streams a column each
 * @param {{picture: object, address: string, ratio: number}[]} sheet.pictures schemas.PictureHeatmaps, with the address of
 *   the picture and its width as a share of its height
 * @param {number} sheet.opacity of the heatmaps
 * @param {(heatmap: object) => object} sheet.lookOf how one is drawn
 * @returns {Promise<HTMLCanvasElement>}
 */
export function drawHeatmapSheet({ title, notes, streams, pictures, opacity, lookOf }) {
  const cell = ({ picture, address, ratio }, stream) => {
    const heatmap = picture.heatmaps.find((one) => one.stream === stream);
    return { address, text: `${decimal(heatmap.score)} ${picture.caption ?? "your picture"}`, picture: overTile(heatmap, lookOf(heatmap), ratio, opacity) };
  };
  return drawContactSheet({
    title,
    notes,
    columns: streams.map((stream) => ({ title: streamTitle(stream), stream: streamIndex(stream), cells: pictures.map((one) => cell(one, stream)) })),
    foot: `bundle ${info.bundle_id} · SPARC Explorer`,
  });
}

/** A heatmap as it lies over the middle square of its picture, which is what a tile shows. */
function overTile(heatmap, look, ratio, opacity) {
  const [canvas, heat] = [document.createElement("canvas"), document.createElement("canvas")];
  canvas.width = canvas.height = SIDE;
  drawHeatmap(heat, heatmap, look, SIDE);
  const [width, height] = [SIDE * Math.max(ratio, 1), SIDE / Math.min(ratio, 1)]; // of the whole picture
  const { left, top, right, bottom } = heatmap.window;
  const context = canvas.getContext("2d");
  context.globalAlpha = opacity;
  context.imageSmoothingEnabled = !look.patches;
  context.drawImage(heat, left * width - (width - SIDE) / 2, top * height - (height - SIDE) / 2, (right - left) * width, (bottom - top) * height);
  return canvas;
}
