// One latent of the gallery. The twin of `latent_row` in parts.html.
import { imageHref, info, latentHref } from "../bundle.js";
import { el } from "../dom.js";
import { decimal, logShare, percent } from "../format.js";
import { bar } from "./bar.js";

const STRIP_IMAGES = 4;
const SOURCES = { labels: "named from labels", "caption words": "named from caption words" };
const BADGES = { mixed: "in some streams only", dead: "dead" };

/**
 * A row of the gallery.
 * @param {object} latent schemas.LatentSummary
 * @param {object} [shown]
 * @param {(string | Node)[]} [shown.why] why it was found
 * @param {[string, number, string][]} [shown.measures] name, share of the bar, text; by default the latent's own
 * @returns {HTMLLIElement}
 */
export function latentRow(latent, { why, measures = measuresOf(latent) } = {}) {
  return el("li", { class: "row", data: { latent: latent.id } }, about(latent, why, measures), info.streams.map((stream, index) => strip(latent, stream, index)));
}

function about(latent, why, measures) {
  const badge = BADGES[latent.alive];
  return el("div", { class: "row__about" },
    el("h2", { class: "row__name" }, el("a", { href: latentHref(latent.id) }, latent.name)),
    el("p", { class: "row__source" },
      el("span", { class: "mono" }, latent.id), ` ${SOURCES[latent.name_source] ?? "no name found"} `,
      badge && el("span", { class: `badge badge--${latent.alive}` }, badge)),
    why && el("p", { class: "row__why" }, why),
    el("dl", { class: "measures" }, measures.map(measure)));
}

function measuresOf({ alignment, density, purity }) {
  return [["alignment", alignment ?? 0, decimal(alignment)], ["density", logShare(density), percent(density)], ["purity", purity ?? 0, decimal(purity)]];
}

function measure([name, share, text]) {
  return el("div", {}, el("dt", {}, name), el("dd", {}, bar(share), el("span", { class: "number" }, text)));
}

function strip(latent, stream, index) {
  const items = latent.strips[stream.name] ?? [];
  return el("div", { class: `strip strip--${stream.modality}`, data: { stream: index } },
    el("p", { class: "strip__title" }, stream.title),
    items.length === 0 ? el("p", { class: "strip__none" }, "never active") : stripContent(latent, stream, items));
}

function stripContent(latent, stream, items) {
  if (stream.modality === "text") return el("ul", { class: "strip__captions" }, latent.captions[stream.name].map((text) => el("li", {}, text)));
  return el("ul", { class: "strip__images" }, items.slice(0, STRIP_IMAGES).map((itemId) =>
    el("li", {}, el("img", { src: imageHref(itemId, 112), alt: `item ${itemId}`, width: 112, height: 112, loading: "lazy", decoding: "async" }))));
}
