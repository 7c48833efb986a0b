// The heatmaps' colour map: the stops of tokens.css joined in OKLab, so that equal steps of relevance look equal.

const STOPS = 9;
const SIZE = 256;
let table = null;

/** 256 opaque colours from low to high as packed RGB bytes. @returns {Uint8ClampedArray} of 256 * 3 */
export function heatTable() {
  table ??= joinStops(readStops());
  return table;
}

/** A legend strip: the colour map from left to right. @returns {HTMLCanvasElement} */
export function heatStrip() {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [SIZE, 1];
  const image = new ImageData(SIZE, 1);
  const colours = heatTable();
  for (let i = 0; i < SIZE; i += 1) image.data.set([...colours.subarray(3 * i, 3 * i + 3), 255], 4 * i);
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

function readStops() {
  const style = getComputedStyle(document.documentElement);
  return Array.from({ length: STOPS }, (_, i) => parseHex(style.getPropertyValue(`--heat-${i}`).trim()));
}

function parseHex(text) {
  return [1, 3, 5].map((at) => Number.parseInt(text.slice(at, at + 2), 16) / 255);
}

/** 256 colours between some, in equal steps to the eye. @param {number[][]} stops shares of red, green and blue @returns {Uint8ClampedArray} as heatTable */
export function joinStops(stops) {
  const labs = stops.map(toOklab);
  const colours = new Uint8ClampedArray(3 * SIZE);
  for (let i = 0; i < SIZE; i += 1) {
    const position = (i / (SIZE - 1)) * (stops.length - 1);
    const left = Math.min(Math.floor(position), stops.length - 2);
    const lab = labs[left].map((value, axis) => value + (labs[left + 1][axis] - value) * (position - left));
    colours.set(fromOklab(lab).map((value) => Math.round(255 * value)), 3 * i);
  }
  return colours;
}

function toOklab(rgb) {
  const [r, g, b] = rgb.map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ];
}

function fromOklab([L, a, b]) {
  const l = (L + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (L - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (L - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const linear = [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ];
  return linear.map((value) => (value <= 0.0031308 ? 12.92 * value : 1.055 * value ** (1 / 2.4) - 0.055));
}
