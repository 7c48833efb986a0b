// The page's colours for what is drawn on a canvas, as they are now or as in another scheme.
import { el } from "../../dom.js";
import { heatTable } from "../colormap.js";

/**
 * What is drawn with.
 * @typedef {object} Palette
 * @property {string} ink @property {string} muted @property {string} line @property {string} strong @property {string} paper
 * @property {string} family of the font
 * @property {(jaccard: number) => string} of the colour of an overlap: the more, the farther from the paper
 */

/** The page's colours, as they are now or in a scheme. @param {"" | "light"} [scheme] @returns {Palette} */
export function paletteOf(scheme = "") {
  const probe = el("span", { hidden: true, style: scheme && `color-scheme:${scheme}` });
  document.body.append(probe);
  const colour = (token) => {
    probe.style.color = `var(${token})`;
    return getComputedStyle(probe).color;
  };
  const [ink, muted, line, strong, paper] = ["--ink", "--muted", "--line", "--line-strong", "--paper"].map(colour);
  probe.remove();
  const isDark = Number(paper.match(/[\d.]+/)[0]) < 128;
  return { ink, muted, line, strong, paper, family: getComputedStyle(document.body).fontFamily, of: (jaccard) => heat(isDark ? 0.5 + jaccard / 2 : 0.625 - jaccard / 2) };
}

function heat(position) {
  const at = 3 * Math.round(255 * position);
  return `rgb(${heatTable().subarray(at, at + 3).join(" ")})`;
}
