// The map's colours, from the page's tokens: those of the theme that is shown, or of the light one for pictures to keep.
import { joinStops } from "../colormap.js";

const STOPS = 6;
const SHADES = 24; // as fine as an eye tells points apart

/**
 * @typedef {object} Palette
 * @property {string[]} shades from little to much
 * @property {string} paper
 * @property {string} ink
 * @property {string} muted
 * @property {string} faint of latents that do not match
 * @property {string} unknown of values that are not defined
 * @property {string} accent
 * @property {string} font family
 */

/** Reads the colours. @param {"light" | ""} scheme "" for the page's own @returns {Palette} */
export function readPalette(scheme = "") {
  const probe = document.createElement("span");
  probe.style.colorScheme = scheme;
  document.body.append(probe);
  const colour = (token) => {
    probe.style.color = `var(${token})`;
    return getComputedStyle(probe).color;
  };
  const palette = {
    shades: shades(Array.from({ length: STOPS }, (_, i) => parse(colour(`--map-${i}`)))),
    paper: colour("--paper"),
    ink: colour("--ink"),
    muted: colour("--muted"),
    faint: colour("--line"),
    unknown: colour("--line-strong"),
    accent: colour("--accent"),
    font: getComputedStyle(probe).fontFamily,
  };
  probe.remove();
  return palette;
}

function shades(stops) {
  const table = joinStops(stops);
  const last = table.length / 3 - 1;
  return Array.from({ length: SHADES }, (_, i) => {
    const at = 3 * Math.round((i / (SHADES - 1)) * last);
    return `rgb(${table[at]} ${table[at + 1]} ${table[at + 2]})`;
  });
}

/** "rgb(1, 2, 3)" as shares. */
function parse(text) {
  return text.match(/[\d.]+/g).slice(0, 3).map((value) => Number(value) / 255);
}
