// What a latent makes of something new, stream by stream: one bar with three marks, the words, and where it is.
import { info, streamIndex, streamTitle } from "../../bundle.js";
import { el } from "../../dom.js";
import { decimal } from "../../format.js";
import { readWords } from "../words.js";

const ENDINGS = { one: "st", two: "nd", few: "rd", other: "th" };
const ordinals = new Intl.PluralRules("en", { type: "ordinal" });

/**
 * One stream's answer.
 * @param {object} tried schemas.TriedStream
 * @param {number} top right end of the bar, the same for all streams
 * @param {HTMLElement | null} frame where its picture is shown, null for a text
 */
export function triedStream(tried, top, frame) {
  return el("section", { class: `try${frame ? " try--picture" : ""}`, data: { stream: streamIndex(tried.stream), name: tried.stream } },
    frame,
    el("h3", { class: "stream-name" }, streamTitle(tried.stream)),
    gauge(tried, top),
    el("p", { class: "try__said" }, inWords(tried)),
    tried.words && readWords(tried.words),
    tried.words && el("p", { class: "reading__note" }, "Shading: how far the logit falls without the word, the strongest at full colour."));
}

/** The right end of bars that are to be compared. @param {object[]} streams schemas.TriedStream */
export function commonTop(streams) {
  return Math.max(...streams.flatMap(({ activation, logit, threshold, max_activation: most }) => [activation, logit, threshold, most]), 1e-9);
}

/**
 * What came out, in a sentence or two.
 * @param {object} tried schemas.TriedStream
 */
export function inWords({ activation, logit, threshold, rank, share_below: below, max_activation: most }) {
  const place = `${rank === 1 ? "" : `${ordinal(rank)} `}largest of ${info.n_latents.toLocaleString("en")} latents`;
  if (activation > 0) {
    const corpus = most === 0 ? "no item of the corpus activates it" : `more than ${shareOf(below)} of the corpus`;
    return `Active: ${corpus}. Its logit is the ${place}.`;
  }
  if (rank <= info.k) return `Its logit is the ${place}, but not above 0, so its activation is 0.`;
  return `Not active: its logit of ${signed(logit)} is the ${place}, and ${signed(threshold)} was needed to be one of the ${info.k}.`;
}

function gauge({ activation, logit, threshold, max_activation: most }, top) {
  const active = activation > 0;
  const share = (value) => `--share:${Math.min(Math.max(value / top, 0), 1).toFixed(4)}`;
  const key = (name, words, value) => el("div", {}, el("dt", { data: { key: name } }, words), el("dd", { class: "number" }, signed(value)));
  return el("div", {},
    el("div", { class: "gauge", "aria-hidden": "true" },
      el("span", { class: `gauge__fill${active ? "" : " gauge__fill--short"}`, style: share(active ? activation : logit) }),
      el("span", { class: "gauge__mark gauge__mark--needed", style: share(threshold) }),
      el("span", { class: "gauge__mark", style: share(most) })),
    el("dl", { class: "gauge__key" },
      active ? key("active", "activation", activation) : key("short", "logit, not active", logit),
      key("needed", "needed to be selected", threshold),
      key("largest", "largest of the corpus", most)));
}

/** "97% of the items": never more than it is. */
function shareOf(share) {
  if (share >= 1) return "any item";
  const whole = Math.floor(100 * share);
  return whole >= 1 ? `${whole}%` : "few items";
}

function ordinal(n) {
  return `${n.toLocaleString("en")}${ENDINGS[ordinals.select(n)]}`;
}

function signed(value) {
  return decimal(value).replace("-", "−");
}
