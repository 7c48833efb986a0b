// The map as a picture for slides and papers, with its legend: always in the light theme.
import { info } from "../../bundle.js";
import { count } from "../../format.js";
import { lineHeight, Pen } from "../pen.js";
import { bucketsOf, drawMap } from "./mapdraw.js";
import { readPalette } from "./mappalette.js";

const SHARP = 2;
const MARGIN = 36;
const GAP = 10;
const STRIP = { width: 190, height: 12 };

/** Draws what a scene shows. @param {import("./mapdraw.js").Scene} scene @param {string} title @returns {Promise<HTMLCanvasElement>} */
export async function mapPicture(scene, title) {
  const { camera, points, scale } = scene;
  const palette = readPalette("light");
  const map = sharp(camera.width, camera.height);
  drawMap(map.getContext("2d"), { ...scene, palette, aim: -1, cross: false }, bucketsOf(points, scale, palette.shades.length));
  const canvas = document.createElement("canvas");
  const pen = new Pen(canvas.getContext("2d"));
  const top = MARGIN + lineHeight("title") + lineHeight("muted") + MARGIN / 2;
  canvas.width = map.width + 2 * MARGIN;
  canvas.height = Math.ceil(top + map.height + lineHeight("muted") + 1.5 * MARGIN);
  pen.fill("--paper", 0, 0, canvas.width, canvas.height);
  pen.write(title, "title", MARGIN, MARGIN);
  drawLegend(pen, palette, scale, MARGIN, MARGIN + lineHeight("title"));
  pen.context.drawImage(map, MARGIN, top);
  const foot = [count(points.matching.reduce((sum, one) => sum + one, 0), "latent"), info.corpus, `bundle ${info.bundle_id}`, "SPARC Explorer"];
  pen.write(foot.join(" · "), "muted", MARGIN, top + map.height + MARGIN / 2);
  return canvas;
}

function sharp(width, height) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [Math.round(SHARP * width), Math.round(SHARP * height)];
  canvas.getContext("2d").scale(SHARP, SHARP);
  return canvas;
}

function drawLegend(pen, { shades }, { name, low, high }, x, y) {
  const write = (text, from) => {
    pen.write(text, "muted", from, y);
    return from + pen.context.measureText(text).width + GAP;
  };
  const from = write(`${name} ${low}`, x);
  shades.forEach((shade, i) => {
    pen.context.fillStyle = shade;
    pen.context.fillRect(from + (i * STRIP.width) / shades.length, y + 5, STRIP.width / shades.length + 1, STRIP.height);
  });
  write("larger: active on more items", write(high, from + STRIP.width + GAP) + GAP);
}
