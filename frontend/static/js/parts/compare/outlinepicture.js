// Histograms over latents as one picture, for slides: the twin of `outlines` in compare_parts.html, in the light theme.
import { el } from "../../dom.js";
import { paletteOf } from "./palette.js";
import { lineHeight, Pen } from "../pen.js";

const [WIDTH, HEIGHT, GAP, MARGIN] = [560, 240, 72, 48];
const DASHES = [10, 7];

/**
 * Draws all of them beside each other.
 * @param {object[]} spreads compare_page.outlines.Spread
 * @param {string} foot what they are of
 * @returns {Promise<HTMLCanvasElement>}
 */
export async function drawSpreads(spreads, foot) {
  const canvas = el("canvas");
  const pen = new Pen(canvas.getContext("2d"));
  const [title, line] = [lineHeight("title"), lineHeight("muted")];
  const across = spreads.length * (WIDTH + GAP) - GAP;
  const feet = pen.wrap(`Shares of latents; vertical lines are medians · ${foot} · SPARC Explorer`, "muted", across);
  const below = MARGIN + 1.4 * title + HEIGHT + (spreads[0].outlines.length + 3) * line;
  [canvas.width, canvas.height] = [across + 2 * MARGIN, Math.ceil(below + feet.length * line + MARGIN)];
  pen.fill("--paper", 0, 0, canvas.width, canvas.height);
  spreads.forEach((spread, i) => drawOne(pen, spread, MARGIN + i * (WIDTH + GAP), paletteOf("light")));
  feet.forEach((text, i) => pen.write(text, "muted", MARGIN, below + i * line));
  return canvas;
}

function drawOne(pen, spread, left, palette) {
  const { context } = pen;
  const top = MARGIN + 1.4 * lineHeight("title");
  const bottom = top + HEIGHT;
  const highest = Math.max(...spread.outlines.flatMap(({ heights }) => heights)) || 1;
  pen.write(spread.title, "title", left, MARGIN);
  for (const [x, text] of spread.ticks) {
    stroke(context, palette.line, 1, [], [[left + WIDTH * x, top], [left + WIDTH * x, bottom]]);
    pen.write(text, "muted", left + WIDTH * x, bottom + 6, x === 0 ? "left" : x === 1 ? "right" : "center");
  }
  spread.outlines.forEach(({ title, heights, median, median_x: at }, i) => {
    const points = heights.flatMap((height, bin) => [spread.edges[bin], spread.edges[bin + 1]].map((x) => [left + WIDTH * x, bottom - (HEIGHT * height) / highest]));
    const path = [[left + WIDTH * spread.edges[0], bottom], ...points, [left + WIDTH * spread.edges.at(-1), bottom]];
    if (i === 0) fill(context, palette.ink, path);
    stroke(context, palette.ink, 2, i ? DASHES : [], path);
    if (at !== null) stroke(context, palette.strong, 4, i ? DASHES : [], [[left + WIDTH * at, top], [left + WIDTH * at, bottom]]);
    const y = bottom + (1.8 + i) * lineHeight("plain");
    stroke(context, palette.ink, 3, i ? DASHES : [], [[left, y + 11], [left + 44, y + 11]]);
    pen.write(`${title}: median ${median}`, "plain", left + 56, y);
  });
  stroke(context, palette.strong, 1, [], [[left, bottom], [left + WIDTH, bottom]]);
}

function fill(context, colour, path) {
  context.globalAlpha = 0.16;
  context.fillStyle = colour;
  trace(context, path);
  context.fill();
  context.globalAlpha = 1;
}

function stroke(context, colour, width, dashes, path) {
  [context.strokeStyle, context.lineWidth] = [colour, width];
  context.setLineDash(dashes);
  trace(context, path);
  context.stroke();
  context.setLineDash([]);
}

function trace(context, path) {
  context.beginPath();
  path.forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
}
