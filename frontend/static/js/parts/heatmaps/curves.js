// Deletion and insertion curves, small: the share of the score over the share of patches.
import { streamTitle } from "../../bundle.js";
import { el } from "../../dom.js";

const WIDTH = 200;
const HEIGHT = 150;
const BOX = { left: 44, right: 184, top: 8, bottom: 108 };
const ROOM = 1.05; // scores may pass the whole picture's by a little without another axis

/**
 * A chart of both curves.
 * @param {object} measured schemas.Faithfulness
 * @returns {SVGElement}
 */
export function curveChart({ stream, shares, deletion, insertion }) {
  const values = [...deletion, ...insertion];
  const top = Math.max(...values) > ROOM ? Math.ceil(2 * Math.max(...values)) / 2 : 1;
  const bottom = Math.min(...values) < 1 - ROOM ? Math.floor(2 * Math.min(...values)) / 2 : 0;
  const x = (share) => BOX.left + (BOX.right - BOX.left) * share;
  const y = (value) => BOX.bottom - ((BOX.bottom - BOX.top) * (value - bottom)) / (top - bottom);
  const points = (curve) => curve.map((value, i) => `${x(shares[i]).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
  return svg("svg", { class: "curves", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${streamTitle(stream)}: share of the score over the share of patches, strongest taken away and strongest alone shown` },
    ...[...new Set([bottom, 0, 1, top])].flatMap((value) => [
      svg("line", { class: "curves__grid", x1: BOX.left, x2: BOX.right, y1: y(value), y2: y(value) }),
      svg("text", { x: BOX.left - 4, y: y(value) + 4, "text-anchor": "end" }, `${100 * value}%`)]),
    ...[0, 0.5, 1].map((share) => svg("text", { x: x(share), y: BOX.bottom + 17, "text-anchor": "middle" }, `${100 * share}%`)),
    svg("text", { x: (BOX.left + BOX.right) / 2, y: HEIGHT - 8, "text-anchor": "middle" }, "share of patches"),
    svg("text", { transform: `translate(11 ${(BOX.top + BOX.bottom) / 2}) rotate(-90)`, "text-anchor": "middle" }, "share of score"),
    svg("polyline", { class: "curves__deletion", points: points(deletion) }),
    svg("polyline", { class: "curves__insertion", points: points(insertion) }));
}

/** What the two kinds of line mean. */
export function curveKey() {
  const line = (kind) => svg("svg", { class: "curves__sample", viewBox: "0 0 24 8", "aria-hidden": "true" }, svg("polyline", { class: `curves__${kind}`, points: "0,4 24,4" }));
  return el("ul", { class: "curves__key" },
    el("li", {}, line("deletion"), "strongest taken away (deletion)"),
    el("li", {}, line("insertion"), "only the strongest shown (insertion)"));
}

function svg(tag, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}
