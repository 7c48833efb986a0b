// One stream's items of a latent. The twin of `latent_items` in parts.html.
import { imageHref, itemHref } from "../../bundle.js";
import { el } from "../../dom.js";
import { decimal } from "../../format.js";
import { bar } from "../bar.js";

const EAGER = 6;

/**
 * The items as tiles, or as captions.
 * @param {{title: string, modality: string}} stream schemas.StreamInfo
 * @param {number} most the latent's largest activation in the stream
 * @param {object} found schemas.LatentItems
 */
export function latentItems(stream, most, found) {
  if (!found.items.length) return el("p", { class: "empty" }, found.n_active ? "no item in this interval" : `${stream.title} has no use for this latent: no item activates it here.`);
  return stream.modality === "text" ? captions(found.items, most) : tiles(found.items, most);
}

function captions(items, most) {
  return el("ol", { class: "captions" }, items.map((item) =>
    el("li", { data: { item: item.item_id } }, el("a", { class: "captions__item", href: itemHref(item.item_id) },
      thumb(item, 112, "", false),
      el("span", {}, el("q", { class: "caption" }, item.caption), value(item, most, "captions"))))));
}

function tiles(items, most) {
  return el("ol", { class: "tiles" }, items.map((item, at) =>
    el("li", { data: { item: item.item_id } }, el("a", { class: "tile", href: itemHref(item.item_id), title: item.caption },
      el("span", { class: "tile__frame" }, thumb(item, 224, item.caption, at < EAGER)), value(item, most, "tile")))));
}

function thumb({ item_id: id }, size, alt, eager) {
  return el("img", { src: imageHref(id, size), alt, width: size, height: size, loading: eager ? null : "lazy", decoding: "async" });
}

function value({ activation, logit }, most, where) {
  const number = (text) => el("span", { class: "number" }, text);
  return el("span", { class: `${where}__value` }, logit === null ? [bar(activation / most, "stream"), number(decimal(activation))] : el("span", {}, "logit ", number(decimal(logit))));
}
