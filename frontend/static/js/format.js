// Numbers for people; the twins of the filters in server/routes/pages.py.

import { streamTitle } from "./bundle.js";

const SMALLEST_SHARE = 1e-4;

/** "0.31%", "3.1%", "41%", "−12%". */
export function percent(share) {
  if (share < 0) return `−${percent(-share)}`;
  const value = 100 * share;
  if (value === 0 || value >= 10) return `${value.toFixed(0)}%`;
  return `${value.toFixed(value >= 1 ? 1 : 2)}%`;
}

/** A number with fixed digits; a dash where there is none. */
export function decimal(value, digits = 2) {
  return value === null || value === undefined ? "–" : value.toFixed(digits);
}

/** Three significant digits, for values of any size. */
export function significant(value) {
  return value === 0 ? "0" : Number(value.toPrecision(3)).toString();
}

/** Position (0 to 1) of a share on a logarithmic bar from 0.01% to 100%. */
export function logShare(share) {
  return share <= SMALLEST_SHARE ? 0 : 1 - Math.log10(share) / Math.log10(SMALLEST_SHARE);
}

/** "12 ms", "1.24 s". */
export function duration(milliseconds) {
  return milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(2)} s`;
}

/** "1.24 s (text 12 ms, heads 640 ms)" from named times; without a `total` the steps are added up. */
export function timing({ total, ...steps }) {
  total ??= Object.values(steps).reduce((sum, value) => sum + value, 0);
  const parts = Object.entries(steps).map(([name, value]) => `${streamTitle(name)} ${duration(value)}`);
  return duration(total) + (parts.length ? ` (${parts.join(", ")})` : "");
}

/** "1 latent", "12 latents". */
export function count(n, noun) {
  return `${n.toLocaleString("en")} ${noun}${n === 1 ? "" : "s"}`;
}
