// Suggestions as options of a list box: links that look like what they lead to.
import { imageHref, info, itemHref, latentHref } from "../bundle.js";
import { el } from "../dom.js";
import { offerHref } from "./query.js";

const THUMB_PIXELS = 112;
const IMAGE_STREAM = info.streams.find(({ modality }) => modality === "image")?.name;

/**
 * A latent, with the item that activates it most in the first image stream.
 * @param {object} latent schemas.LatentSummary
 * @param {object} [how]
 * @param {string} [how.text] words that its name may hold
 * @param {string} [how.measure] why it is here, "2.31"
 */
export function latentOption({ id, name, alive, strips }, { text = "", measure = "" } = {}) {
  return option(latentHref(id), "search__latent",
    thumb(strips[IMAGE_STREAM]?.[0]),
    el("span", { class: "search__name" }, marked(name, text), alive === "dead" && el("span", { class: "badge badge--dead" }, "dead")),
    measure && el("span", { class: "search__measure number" }, measure),
    el("span", { class: "search__id mono" }, `#${id}`));
}

/**
 * An item: its picture and its caption.
 * @param {{item_id: string, caption: string}} item
 * @param {object} [how] as `latentOption`
 */
export function itemOption({ item_id: id, caption }, { text = "", measure = "" } = {}) {
  return option(itemHref(id), "search__item",
    thumb(id),
    el("span", { class: "search__caption caption" }, marked(caption, text)),
    measure && el("span", { class: "search__measure number" }, measure));
}

/** A page that answers the search. @param {{title: string, href: string, isUsual: boolean}} page */
export function pageOption({ title, href, isUsual }) {
  return option(href, "search__page", el("span", {}, title), isUsual && el("kbd", { "aria-label": "by default" }, "Enter"));
}

/** A text to look for, in a scope. */
export function textOption(text, scope, note = "") {
  return option(offerHref(text, scope), "search__text", el("span", { class: "search__name" }, text), note && el("span", { class: "faint" }, note));
}

/** What went wrong; choosing it tries again. @param {() => void} retry */
export function retryOption(message, retry) {
  return el("button", { class: "search__option search__retry", type: "button", role: "option", "aria-selected": "false", tabindex: -1, on: { click: retry } },
    el("span", {}, message), el("span", { class: "search__again" }, "Try again"));
}

function option(href, kind, ...children) {
  return el("a", { class: `search__option ${kind}`, href, role: "option", "aria-selected": "false", tabindex: -1 }, children);
}

function thumb(itemId) {
  if (itemId === undefined) return el("span", { class: "search__thumb" });
  return el("img", { class: "search__thumb", src: imageHref(itemId, THUMB_PIXELS), alt: "", width: THUMB_PIXELS, height: THUMB_PIXELS, decoding: "async" });
}

/** A text in which the words of another are marked; of the last word, which may still be typed, also longer ones. */
function marked(text, words) {
  if (!words.trim()) return text;
  const wanted = words.trim().split(/\s+/).map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  const whole = wanted.map((word, i) => (i < wanted.length - 1 ? `${word}(?![\\p{L}\\p{N}])` : word));
  // Split by a group, every second part is a match.
  return text.split(new RegExp(`(?<![\\p{L}\\p{N}])(${whole.join("|")})`, "iu")).map((part, i) => (i % 2 ? el("mark", {}, part) : part));
}
