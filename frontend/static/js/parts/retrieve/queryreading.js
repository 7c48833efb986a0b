// How a query was read: each term by its stream, where was searched, and the code of the sum.
import { info, readersOf, streamTitle } from "../../bundle.js";
import { el } from "../../dom.js";
import { count, percent } from "../../format.js";
import { codeList } from "../bar.js";
import { latentMenu } from "./latentmenu.js";
import { readWords } from "../words.js";

const SHOWN_CODE = 8;

/**
 * The reading of an answer.
 * @param {object} answer schemas.Retrieval
 * @param {import("./term.js").Term[]} terms the query's
 * @param {Map<number, number>} ranks see ranksOf
 * @param {(term: object) => string} nameOf what a term is called
 * @returns {HTMLElement[]} selects have `data-reader`, the place of their term
 */
export function queryReading(answer, terms, ranks, nameOf) {
  const code = answer.query_code.slice(0, SHOWN_CODE);
  const rest = answer.query_code.length - code.length;
  const read = terms.map((term, at) => ({ term, at })).filter(({ term }) => term.weight); // only those were asked for
  const signed = read.length > 1 || read[0].term.weight < 0;
  return [
    el("ul", { class: `read${signed ? " read--sum" : ""}` }, read.map(({ term, at }, i) => termReading(term, at, answer.terms[i], signed, nameOf))),
    el("p", { class: "reading__note" }, `${searched(answer)} The query’s code has ${count(answer.query_code.length, "latent")}${rest ? `, the ${SHOWN_CODE} strongest` : ""}:`),
    codeList(code, ranks, latentMenu),
  ];
}

/** Where was searched, among how many items, and how exactly. */
export function searched({ target, n_allowed: allowed, exact, recall }) {
  const items = allowed === info.n_items ? `all ${allowed.toLocaleString("en")} items` : `the ${count(allowed, "item")} of ${info.n_items.toLocaleString("en")} that pass the filter`;
  return `Searched in ${streamTitle(target)} among ${items}; ${exactness(exact, recall)}.`;
}

function exactness(exact, recall) {
  if (exact) return "the search is exact";
  const known = recall === null ? "its recall was not measured for such queries" : `it finds ${percent(recall)} of the exact 10 nearest`;
  return `the index is approximate, ${known}`;
}

function termReading(term, at, { stream, words }, signed, nameOf) {
  const sign = signed && el("span", { class: "read__sign", "aria-label": term.weight < 0 ? "minus" : "plus" }, term.weight < 0 ? "−" : "+");
  const what = words ? readWords(words) : [el("p", { class: "read__name" }, nameOf(term))];
  return el("li", { class: "read__term" }, sign, el("div", { class: "read__what" }, what), reader(term, at, stream));
}

function reader({ kind }, at, stream) {
  if (stream === null) return el("span", { class: "read__by faint" }, "the same in all streams");
  const streams = readersOf(kind);
  if (streams.length < 2) return el("span", { class: "read__by faint" }, `read by ${streamTitle(stream)}`);
  const options = streams.map(({ name, title }) => el("option", { value: name, selected: name === stream }, title));
  return el("label", { class: "read__by faint" }, "read by ", el("select", { data: { reader: at } }, options));
}
