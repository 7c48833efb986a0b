// Pictures and captions in columns on one canvas, for slides and papers: always in the light theme.
import { lineHeight, Pen } from "./pen.js";

const TILE = 168;
const GAP = 12;
const MARGIN = 36;
const BETWEEN = 32; // columns
const SQUARE = 13; // the stream's colour, before its title

/**
 * Draws the sheet.
 * @param {object} sheet
 * @param {string} sheet.title
 * @param {string[]} sheet.notes lines under it
 * @param {{title: string, stream: number, cells: {address?: string, picture?: HTMLCanvasElement, text: string, begins?: boolean}[]}[]} sheet.columns
 *   a cell without address is a line of text; `stream` is its position, -1 for none; `picture` lies over the address's,
 *   and one that `begins` stands first in its row
 * @param {string} sheet.foot
 * @param {number} [sheet.across] tiles beside each other in a column
 * @returns {Promise<HTMLCanvasElement>}
 */
export async function drawContactSheet({ title, notes, columns, foot, across = 3 }) {
  const images = await Promise.all(columns.map(({ cells }) => Promise.all(cells.map(({ address }) => (address ? load(address) : null)))));
  const wide = across * (TILE + GAP) - GAP;
  const canvas = document.createElement("canvas");
  const pen = new Pen(canvas.getContext("2d")); // after all waiting: it takes its colours at once
  const inner = columns.length * (wide + BETWEEN) - BETWEEN;
  const head = [...lines(pen, title, "title", inner), ...notes.flatMap((note) => lines(pen, note, "muted", inner))];
  const laid = columns.map(({ cells }) => layOut(pen, cells, wide));
  const top = MARGIN + heightOf(head) + GAP;
  const below = top + lineHeight("strong") + GAP;
  const end = below + Math.max(0, ...laid.map(({ height }) => height)) + GAP;
  const feet = lines(pen, foot, "muted", inner);
  canvas.width = inner + 2 * MARGIN;
  canvas.height = Math.ceil(end + heightOf(feet) + MARGIN);
  pen.fill("--paper", 0, 0, canvas.width, canvas.height);
  write(pen, head, MARGIN, MARGIN);
  columns.forEach(({ title: name, stream }, i) => {
    const x = MARGIN + i * (wide + BETWEEN);
    if (stream >= 0) pen.fill(`--stream-${stream}`, x, top + 6, SQUARE, SQUARE);
    pen.write(name, "strong", x + (stream >= 0 ? SQUARE + 9 : 0), top);
    laid[i].placed.forEach((one, at) => drawCell(pen, one, images[i][at], x, below));
  });
  write(pen, feet, MARGIN, end);
  return canvas;
}

/** Where each cell of a column lies: tiles in rows, texts one below the other. */
function layOut(pen, cells, wide) {
  const placed = [];
  let [x, y] = [0, 0];
  for (const cell of cells) {
    if (cell.begins && x > 0) [x, y] = [0, y + TILE + lineHeight("plain") + GAP];
    const text = lines(pen, cell.text, "plain", cell.address ? TILE : wide);
    placed.push({ cell, text: cell.address ? text.slice(0, 1) : text, x, y });
    const tall = cell.address ? TILE + lineHeight("plain") : heightOf(text);
    if (cell.address && x + TILE < wide - GAP) x += TILE + GAP;
    else [x, y] = [0, y + tall + GAP];
  }
  const last = placed.at(-1);
  return { placed, height: last && x > 0 ? last.y + TILE + lineHeight("plain") + GAP : y };
}

function drawCell(pen, { cell, text, x, y }, image, left, top) {
  if (image) {
    const side = Math.min(image.naturalWidth, image.naturalHeight); // the middle, as on the page
    const [cutX, cutY] = [(image.naturalWidth - side) / 2, (image.naturalHeight - side) / 2];
    pen.context.drawImage(image, cutX, cutY, side, side, left + x, top + y, TILE, TILE);
    if (cell.picture) pen.context.drawImage(cell.picture, left + x, top + y, TILE, TILE);
  }
  write(pen, text, left + x, top + y + (image ? TILE + 2 : 0));
}

function lines(pen, text, style, width) {
  return pen.wrap(text, style, width).map((line) => ({ line, style }));
}

function heightOf(all) {
  return all.reduce((sum, { style }) => sum + lineHeight(style), 0);
}

function write(pen, all, x, y) {
  all.forEach(({ line, style }, i) => pen.write(line, style, x, y + heightOf(all.slice(0, i))));
}

function load(address) {
  const image = new Image();
  image.src = address;
  return image.decode().then(() => image);
}
