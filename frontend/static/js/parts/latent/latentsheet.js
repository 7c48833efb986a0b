// A latent's columns on one sheet, as they are on the page, with their heatmaps where they are on.
import { info } from "../../bundle.js";
import { drawContactSheet } from "../contactsheet.js";
import { currentView, latentId } from "./latentview.js";

const PIXELS = 336; // of a tile's heatmap
const BESIDE_ACROSS = 4; // tiles, as on the page

/** The columns of the page. @returns {Promise<HTMLCanvasElement>} */
export function columnsSheet() {
  const { interval, heat } = currentView();
  const facts = [...document.querySelectorAll(".figures > div")].map((figure) => `${figure.querySelector("dt").firstChild.textContent.trim()} ${figure.querySelector("dd").textContent}`);
  const scale = heat && document.querySelector("#heat-bar [data-scale]").textContent;
  return drawContactSheet({
    title: nameOf(document.querySelector("h1").textContent),
    notes: [facts.join(" · "), `Items: ${interval.replace("_", " ")}`, scale && `Heatmaps: what a place adds to the latent’s logit, brightest ${scale} per 1% of the area, one scale`].filter(Boolean),
    columns: columnsOf(document.querySelector("#columns")),
    foot: [info.title, `bundle ${info.bundle_id}`, info.corpus, "SPARC Explorer"].join(" · "),
  });
}

/** This bundle's items above the other one's, with the sentence about each. @returns {Promise<HTMLCanvasElement>} */
export async function besideSheet() {
  const sentences = [...document.querySelectorAll(".beside__said span")].map((one) => one.textContent);
  const rows = [...document.querySelectorAll(".beside__row")];
  const sheets = await Promise.all(rows.map((row, at) => drawContactSheet({
    title: titleOf(row.querySelector(".beside__title")),
    notes: [sentences[at]],
    columns: columnsOf(row, (column) => ` · ${column.querySelector(".column__facts").textContent.trim()}`),
    foot: [`bundle ${row.dataset.bundle}`, "SPARC Explorer"].join(" · "),
    across: BESIDE_ACROSS,
  })));
  return below(sheets);
}

function titleOf(heading) {
  return [heading.firstChild, heading.lastElementChild].map((part) => part.textContent.trim()).join(": ");
}

/** Sheets of one width, one below the other. */
function below(sheets) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [sheets[0].width, sheets.reduce((sum, { height }) => sum + height, 0)];
  let y = 0;
  for (const sheet of sheets) {
    canvas.getContext("2d").drawImage(sheet, 0, y);
    y += sheet.height;
  }
  return canvas;
}

function nameOf(name) {
  return `${name} (latent ${latentId})`;
}

function columnsOf(place, factOf = () => "") {
  return [...place.querySelectorAll(".column")].map((column) => ({
    title: `${column.querySelector(".stream-name").textContent}${factOf(column)}`,
    stream: Number(column.dataset.stream),
    cells: cellsOf(column),
  }));
}

function cellsOf(column) {
  const number = (tile) => tile.querySelector(".number").textContent;
  const tiles = [...column.querySelectorAll(".tile")].map((tile) => ({ address: tile.querySelector("img").src, text: number(tile), picture: heatOf(tile.querySelector(".tile__frame")) }));
  const captions = [...column.querySelectorAll(".captions__item")].map((tile) => ({ text: `${number(tile)}  ${tile.querySelector(".caption").textContent}` }));
  const empty = column.querySelector(".empty");
  return [...tiles, ...captions, ...(empty ? [{ text: empty.textContent }] : [])];
}

/** A tile's heatmap as it lies in its frame; undefined without one. */
function heatOf(frame) {
  const canvas = frame.querySelector("canvas");
  if (!canvas) return undefined;
  const [outer, inner] = [frame.getBoundingClientRect(), canvas.getBoundingClientRect()];
  const scale = PIXELS / outer.width;
  const sheet = document.createElement("canvas");
  sheet.width = sheet.height = PIXELS;
  const context = sheet.getContext("2d");
  context.globalAlpha = Number(getComputedStyle(canvas).getPropertyValue("--opacity")); // it may still fade in
  context.drawImage(canvas, (inner.left - outer.left) * scale, (inner.top - outer.top) * scale, inner.width * scale, inner.height * scale);
  return sheet;
}
