// One retrieval: its terms and choices as the address holds them, and the request that they stand for.
import { addressOf } from "../address.js";
import { queryTerm, termsIn, writeTerm } from "./term.js";

/** Choices as they are when the address does not say: those of retrieve.html. */
export const USUAL = { way: "latent", target: "", measure: "cosine", label: "", split: "", active: "", above: "", leave_out: "on" };
/** All of schemas.Way. */
export const WAYS = ["latent", "reconstruction", "backbone"];

/** The search in the page's address. @returns {{terms: import("./term.js").Term[], choices: typeof USUAL}} */
export function currentSearch() {
  const given = new URLSearchParams(location.search);
  return { terms: termsIn(given), choices: Object.fromEntries(Object.entries(USUAL).map(([name, usual]) => [name, given.get(name) ?? usual])) };
}

/** The address of a search; what is as usual stays out of it. */
export function searchHref({ terms, choices }) {
  const chosen = Object.entries(choices).filter(([name, value]) => value !== USUAL[name]);
  return addressOf("/retrieve", [...terms.map((one) => ["term", writeTerm(one)]), ...chosen]);
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
    query: terms.map(queryTerm),
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
  return terms.length === 1 && terms[0].kind === "text" && terms[0].weight > 0 ? terms[0].value : "";
}
