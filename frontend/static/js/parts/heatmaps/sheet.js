// A picture with its heatmaps on one sharp canvas, drawn anew: for slides and papers, so always in the light theme.
import { heatStrip } from "../colormap.js";
import { drawHeatmap } from "./heatmap.js";
import { lineHeight, Pen } from "../pen.js";

const PANE = 560; // pixels of a pane's width
const MARGIN = 36;
const GAP = 24;
const SQUARE = 13; // the stream's colour, before its title
const STRIP = { width: 190, height: 12 };
const MUTED = 0.4; // as caption.css does with heatmaps that are no better than chance

/**
 * Draws the sheet.
 * @param {object} sheet
 * @param {string} sheet.title the caption
 * @param {string[]} sheet.notes lines under it
 * @param {string} sheet.address the picture's
 * @param {number} sheet.opacity of the heatmaps
 * @param {{heatmap: object, look: object, stream: number, title: string, score: string, legend: string, words: string, muted: boolean}[]} sheet.panes
 * @param {string} sheet.foot
 * @returns {Promise<HTMLCanvasElement>}
 */
export async function drawSheet(sheet) {
  const picture = await load(sheet.address);
  const canvas = document.createElement("canvas");
  const pen = new Pen(canvas.getContext("2d"));
  const inner = sheet.panes.length * (PANE + GAP) - GAP;
  const height = Math.round((PANE * picture.naturalHeight) / picture.naturalWidth);
  const head = [...linesOf(pen, sheet.title, "title", inner), ...sheet.notes.flatMap((note) => linesOf(pen, note, "muted", inner))];
  const words = sheet.panes.map((pane) => linesOf(pen, pane.words, "plain", PANE));
  const foot = linesOf(pen, sheet.foot, "muted", inner);

  // From top to bottom.
  const top = MARGIN + heightOf(head) + GAP;
  const legend = top + lineHeight("strong") + height + GAP / 2;
  const below = legend + lineHeight("muted") + GAP / 2;
  const end = below + Math.max(...words.map(heightOf)) + GAP;
  canvas.width = inner + 2 * MARGIN;
  canvas.height = Math.ceil(end + heightOf(foot) + MARGIN);

  pen.fill("--paper", 0, 0, canvas.width, canvas.height);
  writeLines(pen, head, MARGIN, MARGIN);
  sheet.panes.forEach((pane, i) => {
    const x = MARGIN + i * (PANE + GAP);
    pen.fill(`--stream-${pane.stream}`, x, top + 3, SQUARE, SQUARE);
    pen.write(pane.title, "strong", x + SQUARE + 9, top);
    pen.write(pane.score, "strong", x + PANE, top, "right");
    drawPane(pen.context, picture, pane, sheet.opacity, { x, y: top + lineHeight("strong"), width: PANE, height });
    drawLegend(pen, pane.legend, x, legend);
    writeLines(pen, words[i], x, below);
  });
  writeLines(pen, foot, MARGIN, end);
  return canvas;
}

function linesOf(pen, text, style, width) {
  return pen.wrap(text, style, width).map((line) => ({ line, style }));
}

function heightOf(lines) {
  return lines.reduce((sum, { style }) => sum + lineHeight(style), 0);
}

function writeLines(pen, lines, x, y) {
  lines.forEach(({ line, style }, i) => pen.write(line, style, x, y + heightOf(lines.slice(0, i))));
}

function drawPane(context, picture, { heatmap, look, muted }, opacity, { x, y, width, height }) {
  const { left, top, right, bottom } = heatmap.window;
  const canvas = document.createElement("canvas");
  drawHeatmap(canvas, heatmap, look, width);
  context.save();
  context.beginPath();
  context.rect(x, y, width, height);
  context.clip(); // a tower may see beyond the picture
  context.filter = `saturate(${1 - 0.6 * opacity})`; // as on the page; a browser without filters leaves the colours
  context.drawImage(picture, x, y, width, height);
  context.filter = "none";
  context.globalAlpha = opacity * (muted ? MUTED : 1);
  context.imageSmoothingEnabled = !look.patches;
  context.drawImage(canvas, x + left * width, y + top * height, (right - left) * width, (bottom - top) * height);
  context.restore();
}

function drawLegend(pen, end, x, y) {
  pen.write("0", "muted", x, y);
  pen.context.drawImage(heatStrip(), x + 20, y + 4, STRIP.width, STRIP.height);
  pen.write(end, "muted", x + STRIP.width + 30, y);
}

function load(address) {
  const image = new Image();
  image.src = address;
  return image.decode().then(() => image);
}
