// One retrieval: its terms and choices as the address holds them, and the request that they stand for.
import { addressOf } from "../../address.js";
import { counted, queryTerm, termsIn, writeTerm } from "./term.js";

/** Choices as they are when the address does not say: those of retrieve.html. */
export const USUAL = { way: "latent", target: "", measure: "cosine", label: "", split: "", active: "", above: "", leave_out: "on" };
/** All of schemas.Way. */
export const WAYS = ["latent", "reconstruction", "backbone"];

/**
 * @typedef {object} Search
 * @property {import("./term.js").Term[]} terms
 * @property {typeof USUAL} choices
 * @property {string} why id of the hit that is explained, or ""
 * @property {string} by the way that it is explained by, where several are shown, or ""
 */

/** The search in the page's address. @returns {Search} */
export function currentSearch() {
  const given = new URLSearchParams(location.search);
  const choices = Object.fromEntries(Object.entries(USUAL).map(([name, usual]) => [name, given.get(name) ?? usual]));
  return { terms: termsIn(given), choices, why: given.get("why") ?? "", by: given.get("by") ?? "" };
}

/** The address of a search; what is as usual stays out of it. @param {Search} search */
export function searchHref({ terms, choices, why, by }) {
  const chosen = Object.entries(choices).filter(([name, value]) => value !== USUAL[name]);
  return addressOf("/retrieve", [...terms.map((one) => ["term", writeTerm(one)]), ...chosen, ["why", why], ["by", why && by]]);
}

/** What a search's answer depends on: searches alike in this have the same hits. @param {Search} search */
export function questionOf(search) {
  return searchHref({ ...search, why: "" });
}

/** A search's schemas.RetrieveRequest. @param {string} way one of WAYS */
export function requestFor({ terms, choices: { target, measure, label, split, active, above, leave_out: leaveOut } }, way) {
  const latent = active.replace("#", "").trim();
  const where = {
    ...(label && { labels: [label] }),
    ...(split && { split }),
    ...(latent && { latents: [{ latent: /^\d+$/.test(latent) ? Number(latent) : latent, above: Number(above) || 0 }] }),
  };
  return {
    query: counted(terms).map(queryTerm),
    way,
    ...(target && { target }),
    ...(way === "latent" && { measure }),
    where,
    leave_out_query: leaveOut === "on",
  };
}

/** What an answer's scores are. @param {object} answer schemas.Retrieval */
export function scoreName({ way, measure }) {
  if (way !== "latent") return "cosine of features";
  return measure === "dot" ? "dot product of codes" : "cosine of codes";
}

/** The text of a query that is one text and nothing else, which the caption page can look for; or "". */
export function loneText({ terms }) {
  const [first, ...more] = counted(terms);
  return first?.kind === "text" && first.weight > 0 && !more.length ? first.value : "";
}
