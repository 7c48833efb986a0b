// One term of a query: as an address, the search box and the API write it. The twin of `terms_of` in server/page_queries.py.

const FIELDS = { text: "text", item: "item_id", upload: "upload_id", latent: "latent" };
const WRITTEN = /^([+-]?(?:\d{1,20}(?:\.\d{1,20})?|\.\d{1,20})?)\s*(text|item|upload|latent)(?:@([^:]+))?:(.*)$/s; // -0.5 item@dino:s000003
const TYPED = /^\s*([+\-−–]?)\s*(?:#(\d{1,9})|(.+?))\s*$/s; // "-#17", "- at night"
const DIGITS = 4;

/**
 * @typedef {object} Term
 * @property {"text" | "item" | "upload" | "latent"} kind
 * @property {string} value the text, or an id
 * @property {number} weight negative moves away; a term of weight 0 stays in sight, but is not asked for
 * @property {string} stream that reads it, or "" for the server's choice
 */

/** @returns {Term} */
export function term(kind, value, weight = 1, stream = "") {
  return { kind, value: String(value), weight, stream };
}

/** The terms of an address; the old parameters `q`, `item`, `upload` with `source` are terms too. @param {URLSearchParams} given */
export function termsIn(given) {
  const old = [["text", "q"], ["item", "item"], ["upload", "upload"]].filter(([, name]) => given.get(name)?.trim());
  return [...old.map(([kind, name]) => term(kind, given.get(name).trim(), 1, given.get("source") ?? "")), ...given.getAll("term").map(readTerm).filter(Boolean)];
}

/** A term as an address has it. @param {Term} one */
export function writeTerm({ kind, value, weight, stream }) {
  return `${weight === 1 ? "" : `${weight} `}${kind}${stream && `@${stream}`}:${value}`;
}

/** What was typed into the search box, as a term; null for nothing. @returns {Term | null} */
export function typedTerm(typed) {
  const found = TYPED.exec(typed);
  if (!found) return null;
  const [, sign, latent, text] = found;
  const weight = sign && sign !== "+" ? -1 : 1;
  return latent === undefined ? term("text", text, weight) : term("latent", Number(latent), weight);
}

/** The other way round. @param {Term} one */
export function typeTerm({ kind, value, weight }) {
  return `${weight < 0 ? "- " : ""}${kind === "latent" ? `#${value}` : value}`;
}

/** The schemas.QueryTerm of a term. @param {Term} one */
export function queryTerm({ kind, value, weight, stream }) {
  const said = kind === "latent" && /^\d+$/.test(value) ? Number(value) : value;
  return { [FIELDS[kind]]: said, weight, ...(stream && { stream }) };
}

/** The terms that count. @param {Term[]} terms */
export function counted(terms) {
  return terms.filter(({ weight }) => weight);
}

/** A sum and one more term; equal things add their weights, and are left out where nothing remains. @param {Term[]} terms */
export function plus(terms, added) {
  const at = terms.findIndex(({ kind, value }) => kind === added.kind && value === added.value);
  if (at < 0) return [...terms, added];
  const weight = rounded(terms[at].weight + added.weight);
  return terms.flatMap((one, i) => (i !== at ? one : weight ? { ...one, weight } : []));
}

function readTerm(written) {
  const found = WRITTEN.exec(written.trimStart());
  if (!found?.[4].trim()) return null;
  const [, number, kind, stream, value] = found;
  return term(kind, value.trim(), rounded(["", "+", "-"].includes(number) ? Number(`${number}1`) : Number(number)), stream);
}

/** A weight as addresses have it. */
export function rounded(weight) {
  return Number(weight.toFixed(DIGITS));
}
