// The latents that were chosen in the scatter, as a table, and the way to them in the gallery.
import { addressOf } from "../../address.js";
import { latentHref } from "../../bundle.js";
import { el } from "../../dom.js";
import { count, decimal, percent } from "../../format.js";

/** Most latents that the gallery takes by number, and that are listed. */
export const MOST = 200;

/**
 * The table with its head.
 * @param {object} pairs schemas.LatentPairs
 * @param {number[]} positions of the chosen latents, those that agree most first
 * @param {object} how
 * @param {[string, string]} how.titles of the streams
 * @param {string} how.where in words: "in the box"
 * @param {() => void} how.clear
 */
export function insideList(pairs, positions, { titles, where, clear }) {
  const shown = positions.slice(0, MOST);
  const ids = shown.map((at) => pairs.ids[at]);
  const link = el("a", { class: "button button--small", href: addressOf("/", ids.map((id) => ["ids", id])) }, positions.length > MOST ? `The first ${MOST} in the gallery` : "Show in the gallery");
  return [
    el("div", { class: "inside__head" },
      el("h3", {}, `${count(positions.length, "latent")} ${where}`),
      el("span", { class: "leans" }, ids.length > 0 && link, el("button", { class: "button button--small", type: "button", on: { click: clear } }, "Clear"))),
    ids.length > 0 && el("div", { class: "inside__rows", role: "region", "aria-label": "Chosen latents", tabindex: "0" }, table(pairs, shown, titles)),
  ].filter(Boolean);
}

function table(pairs, shown, titles) {
  const head = ["Latent", ...titles, "Jaccard"].map((title) => el("th", { scope: "col" }, title));
  const rows = shown.map((at) => el("tr", {},
    el("td", {}, el("a", { href: latentHref(pairs.ids[at]) }, pairs.names[at]), " ", el("span", { class: "faint mono" }, pairs.ids[at])),
    el("td", {}, percent(pairs.first_density[at])),
    el("td", {}, percent(pairs.second_density[at])),
    el("td", {}, decimal(pairs.alignment[at]))));
  return el("table", {}, el("thead", {}, el("tr", {}, head)), el("tbody", {}, rows));
}
