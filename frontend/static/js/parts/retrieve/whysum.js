// Why a hit is a hit, written out: the latents that make its score, and those that query and hit do not share.
import { info, latentHref, streamTitle } from "../../bundle.js";
import { el } from "../../dom.js";
import { count, decimal, percent } from "../../format.js";
import { bar } from "../bar.js";

const ROWS = 8;
const DIFFERENCES = 3;
const NEXT_TO_NOTHING = 0.0005; // share of a score

/**
 * The score as a sum over latents.
 * @param {object} hit schemas.Hit
 * @param {object} answer schemas.Retrieval that it is of
 * @param {Map<number, number>} ranks see ranksOf
 * @param {object[] | null} code the hit's, schemas.LatentActivation; null while it is not known
 * @returns {HTMLElement[]} buttons have `data-weigh`
 */
export function scoreSum(hit, answer, ranks, code) {
  const parts = [...hit.shared].sort((a, b) => Math.abs(b.share) - Math.abs(a.share));
  const largest = Math.max(...parts.map(({ share }) => Math.abs(share)), Math.abs(hit.rest), 1e-9);
  const left = parts.slice(ROWS);
  const rows = parts.slice(0, ROWS).map((part) => latentRow(part, hit.score, largest, ranks));
  if (left.length) rows.push(restRow(count(left.length, "more latent"), sum(left.map(({ share }) => share)), hit.score, largest, "rest"));
  if (Math.abs(hit.rest) >= NEXT_TO_NOTHING) rows.push(restRow("no latent", hit.rest, hit.score, largest, "none"));
  const head = (text, ...more) => el("th", { scope: "col" }, text, ...more);
  return [
    el("p", { class: "why__rule note" }, rule(answer, code)),
    el("table", { class: "sum" },
      el("thead", {}, el("tr", {}, head("Latent"), head("query"), head("hit"), head("adds"), head("share"), head("", el("span", { class: "visually-hidden" }, "more or less of it")))),
      el("tbody", {}, rows),
      el("tfoot", {}, el("tr", {}, el("th", { scope: "row", colspan: 3 }, "score"), el("td", { class: "number" }, decimal(hit.score, 3)), el("td", { class: "number" }, "100%"), el("td", {})))),
  ];
}

/**
 * The strongest latents that only one of the two has.
 * @param {object} hit schemas.Hit
 * @param {object} answer schemas.Retrieval
 * @param {object[] | null} code the hit's; null while it is not known
 */
export function differences(hit, answer, code) {
  const active = new Set(hit.shared.filter(({ target_activation: activation }) => activation > 0).map(({ latent }) => latent));
  const asked = new Set(answer.query_code.map(({ latent }) => latent));
  const missing = answer.query_code.filter(({ latent, activation }) => activation > 0 && !active.has(latent));
  const own = code?.filter(({ latent }) => !asked.has(latent));
  return el("div", { class: "apart" },
    apart("The query’s, which the hit lacks", missing, "the hit has all of them"),
    apart("The hit’s, which the query lacks", own, "the query has all of them"),
    info.selection === "global" && el("p", { class: "note" }, "Codes are compared under per-stream selection; the item’s page shows the model’s own, shared selection, so its list may differ."));
}

function rule({ way, measure, target, query_code: query }, code) {
  if (way === "reconstruction") {
    return `The query’s code, decoded into ${streamTitle(target)}, against the hit’s features, as a cosine. A latent adds as far as its direction points towards them, also where the hit’s own code lacks it; “no latent” is the decoder’s bias.`;
  }
  if (way === "backbone") return "A cosine of features, without SPARC. A latent adds what its part of the query does; “no latent” is what SPARC does not reconstruct.";
  if (measure === "dot") return "The dot product of two codes: each latent that both activate adds query × hit.";
  const lengths = code ? `, ${decimal(norm(query))} and ${decimal(norm(code))}` : "";
  return `The cosine of two codes: each latent that both activate adds query × hit, divided by the lengths of the two codes${lengths}.`;
}

function latentRow({ latent, name, share, query_activation: asked, target_activation: active }, score, largest, ranks) {
  const number = (value, digits = 2) => el("td", { class: "number" }, decimal(value, digits).replace("-", "−"));
  return el("tr", { data: { latent, rank: ranks.get(latent) ?? "rest" } },
    el("th", { scope: "row" }, el("a", { href: latentHref(latent), title: `latent ${latent}: ${name}` }, name), shareBar(share, largest)),
    number(asked), number(active), number(share * score, 3), el("td", { class: "number" }, percent(share)),
    el("td", { class: "sum__weigh" }, weighButtons(latent, name)));
}

function restRow(name, share, score, largest, rank) {
  return el("tr", { data: { rank } },
    el("th", { scope: "row", colspan: 3 }, name, shareBar(share, largest)),
    el("td", { class: "number" }, decimal(share * score, 3).replace("-", "−")), el("td", { class: "number" }, percent(share)), el("td", {}));
}

function shareBar(share, largest) {
  return bar(Math.abs(share) / largest, share < 0 ? "against" : "rank");
}

function weighButtons(latent, name) {
  const weigh = (sign, text, label) => el("button", { class: "tiny", type: "button", title: label, "aria-label": `${label}: ${name}`, data: { weigh: `${sign}${latent}`, name } }, text);
  return [weigh("+", "+", "More of this"), weigh("-", "−", "Less of this")];
}

function apart(title, latents, none) {
  const strongest = latents?.toSorted((a, b) => b.activation - a.activation).slice(0, DIFFERENCES);
  const rows = strongest?.map(({ latent, name, activation }) =>
    el("li", { data: { latent } }, el("a", { href: latentHref(latent), title: `latent ${latent}` }, name), el("span", { class: "number" }, decimal(activation)), el("span", {}, weighButtons(latent, name))));
  const waiting = Array.from({ length: DIFFERENCES }, () => el("li", { class: "skeleton" }));
  return el("section", {}, el("h3", {}, title), rows?.length === 0 ? el("p", { class: "faint" }, none) : el("ul", { class: "apart__list" }, rows ?? waiting));
}

function norm(code) {
  return Math.hypot(...code.map(({ activation }) => activation));
}

function sum(values) {
  return values.reduce((total, value) => total + value, 0);
}
