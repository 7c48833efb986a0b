// One latent as a card, and what stands in its place until it is known. The twin of `latent_card` in parts.html.
import { imageHref, info, latentHref } from "../bundle.js";
import { el } from "../dom.js";
import { decimal, logShare, percent } from "../format.js";
import { bar } from "./bar.js";
import { starButton } from "./star.js";

const STRIP_IMAGES = 5;
const SOURCES = { labels: "named from labels", "caption words": "named from caption words" };
const BADGES = { mixed: "in some streams only", dead: "dead" };
const MEASURES = 2;

/**
 * A card.
 * @param {object} latent schemas.LatentSummary
 * @param {object} [shown]
 * @param {(string | Node)[]} [shown.why] why it was found
 * @param {[string, number, string][]} [shown.measures] name, share of the bar, text; by default the latent's own
 * @returns {HTMLLIElement}
 */
export function latentCard(latent, { why, measures = measuresOf(latent) } = {}) {
  return el("li", { class: "card", data: { latent: latent.id } },
    el("div", { class: "card__head" },
      el("h2", { class: "card__name" }, el("a", { href: latentHref(latent.id), title: latent.name }, latent.name)),
      starButton("latent", latent.id, latent.name)),
    source(latent),
    why && el("p", { class: "card__why" }, why),
    info.streams.map((stream, index) => strip(stream, index, stripContent(latent, stream))),
    el("dl", { class: "measures" }, measures.map(measure)));
}

/** A card without its latent, of the same height. @returns {HTMLLIElement} */
export function waitingCard() {
  const blank = (tag, name) => el(tag, { class: name }, el("span", { class: "card__blank" }, "a name to come"));
  return el("li", { class: "card card--waiting", "aria-hidden": "true" },
    el("div", { class: "card__head" }, blank("p", "card__name")),
    blank("p", "card__source"),
    info.streams.map((stream, index) => strip(stream, index, el("p", { class: "strip__none" }))),
    el("dl", { class: "measures" }, Array.from({ length: MEASURES }, () => measure(["\u00a0", 0, ""]))));
}

function source(latent) {
  const badge = BADGES[latent.alive];
  return el("p", { class: "card__source" },
    el("span", { class: "mono" }, `#${latent.id}`),
    el("span", { class: "card__from" }, SOURCES[latent.name_source] ?? "no name found"),
    badge && el("span", { class: `badge badge--${latent.alive}` }, badge));
}

function measuresOf({ alignment, density }) {
  return [["density", logShare(density), percent(density)], ["alignment", alignment ?? 0, decimal(alignment)]];
}

function measure([name, share, text]) {
  return el("div", {}, el("dt", {}, name), el("dd", {}, bar(share), el("span", { class: "number" }, text)));
}

function strip(stream, index, content) {
  return el("div", { class: `strip strip--${stream.modality}`, data: { stream: index } }, el("p", { class: "strip__title" }, stream.title), content);
}

function stripContent({ strips, captions }, { name, modality }) {
  const items = strips[name] ?? [];
  if (!items.length) return el("p", { class: "strip__none" }, el("span", {}, "never active"));
  if (modality === "text") return el("ul", { class: "strip__captions" }, captions[name].map((text) => el("li", {}, text)));
  return el("ul", { class: "strip__images" }, items.slice(0, STRIP_IMAGES).map((itemId) =>
    el("li", {}, el("img", { src: imageHref(itemId, 112), alt: `item ${itemId}`, width: 112, height: 112, loading: "lazy", decoding: "async" }))));
}
