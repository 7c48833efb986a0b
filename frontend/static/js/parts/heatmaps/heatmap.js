// The drawing of a heatmap onto a canvas.
import { heatTable } from "../colormap.js";

const SMOOTH_SIDE = 128; // pixels of an interpolated heatmap; the browser scales it from there
const FAINTEST = 0.12; // how much a heatmap covers where it is 0: the picture stays recognisable there

/**
 * Draws a heatmap.
 * @param {HTMLCanvasElement} canvas
 * @param {{rows: number, columns: number, values: number[]}} heatmap
 * @param {object} look
 * @param {number} look.scale the value of the brightest colour
 * @param {number} look.threshold share of the scale below which nothing is painted
 * @param {boolean} look.patches plain patches rather than values interpolated between patch centres
 * @param {number} [side] pixels of an interpolated heatmap, each way
 */
export function drawHeatmap(canvas, heatmap, { scale, threshold, patches }, side = SMOOTH_SIDE) {
  const width = patches ? heatmap.columns : side;
  const height = patches ? heatmap.rows : side;
  const image = new ImageData(width, height);
  const colours = heatTable();
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const value = patches ? heatmap.values[y * width + x] : between(heatmap, (x + 0.5) / width, (y + 0.5) / height);
      const share = scale > 0 ? Math.min(Math.max(value / scale, 0), 1) : 0;
      if (share < threshold) continue; // stays transparent
      const step = Math.round(255 * share);
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

/** A heatmap's largest value. */
export function largest({ values }) {
  return values.reduce((most, value) => Math.max(most, value), 0);
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
