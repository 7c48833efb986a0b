// A collection as a document, in files and in shared links; docs/collections.md is the normative text.
import { info } from "../../bundle.js";

const KIND = "sparc-collection";
const VERSION = 1;
const LATENT = /^\d{1,9}$/;
const CHOOSE = "choose a file that “Export JSON” has written";

/** Why a document cannot be used, as a sentence. */
export class CollectionError extends Error {}

/**
 * @typedef {object} CollectionDocument
 * @property {string} bundle_id
 * @property {string} corpus
 * @property {(import("../../collection.js").Entry & {bundle_id?: string})[]} entries
 */

/** The document of these entries. @param {import("../../collection.js").Entry[]} entries */
export function documentOf(entries) {
  return { kind: KIND, version: VERSION, bundle_id: info.bundle_id, corpus: info.corpus, entries };
}

/**
 * What a document says, made complete. All of it is checked before any of it is used.
 * @param {string} text
 * @returns {CollectionDocument}
 * @throws {CollectionError}
 */
export function readDocument(text) {
  const found = parsed(text);
  if (typeof found !== "object" || found === null || found.kind !== KIND) throw refusal(`This is ${kindOf(found)}, not “${KIND}”: ${CHOOSE}`);
  if (Number.isInteger(found.version) && found.version > VERSION)
    throw refusal(`This collection is of version ${found.version}, and this page reads version ${VERSION}: open it with a newer SPARC Explorer`);
  if (found.version !== VERSION) throw refusal(`This collection says version ${said(found.version)} where ${VERSION} is expected: ${CHOOSE}`);
  for (const name of ["bundle_id", "corpus"]) if (typeof found[name] !== "string" || !found[name]) throw refusal(`This collection has no ${name}: ${CHOOSE}`);
  if (!Array.isArray(found.entries)) throw refusal(`This collection has no list of entries: ${CHOOSE}`);
  return { bundle_id: found.bundle_id, corpus: found.corpus, entries: found.entries.map(entryOf) };
}

/** The entries as they are kept here: with the bundle that they come from, where that makes a difference. @param {CollectionDocument} found */
export function entriesHere({ bundle_id: bundleId, corpus, entries }) {
  return entries.map(({ bundle_id: own, ...entry }) => {
    const from = own ?? (entry.kind === "item" && corpus === info.corpus ? info.bundle_id : bundleId);
    return from === info.bundle_id ? entry : { ...entry, bundle_id: from };
  });
}

/**
 * Two collections as one. Entries of the same kind and id unite their tags; notes that differ are both kept.
 * @param {import("../../collection.js").Entry[]} mine
 * @param {import("../../collection.js").Entry[]} theirs
 * @returns {{entries: import("../../collection.js").Entry[], added: number, changed: number}} last starred first
 */
export function merge(mine, theirs) {
  const all = new Map(mine.map((entry) => [keyOf(entry), entry]));
  let [added, changed] = [0, 0];
  for (const entry of theirs) {
    const known = all.get(keyOf(entry));
    const both = known ? united(known, entry) : entry;
    if (!known) added += 1;
    else if (both.note !== known.note || both.tags.length !== known.tags.length) changed += 1;
    all.set(keyOf(entry), both);
  }
  return { entries: [...all.values()].sort((a, b) => Date.parse(b.at) - Date.parse(a.at)), added, changed };
}

/** One string for each kind and id. */
export function keyOf({ kind, id }) {
  return `${kind}:${id}`;
}

/** Tags in what was typed: between commas, with single spaces. @returns {string[]} */
export function tagsIn(typed) {
  return typed.split(",").map((tag) => tag.trim().replace(/\s+/g, " ")).filter(Boolean);
}

function united(known, other) {
  const newer = Date.parse(other.at) > Date.parse(known.at);
  return { ...known, tags: [...new Set([...known.tags, ...other.tags])], note: newer ? notes(other.note, known.note) : notes(known.note, other.note) };
}

/** Both, the newer first; what one of them already says is not said twice, so that a second import changes nothing. */
function notes(newer, older) {
  if (newer.includes(older)) return newer;
  return older.includes(newer) ? older : `${newer}\n\n${older}`;
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    throw refusal(`This is not JSON: ${CHOOSE}`);
  }
}

function kindOf(found) {
  return typeof found?.kind === "string" ? `of the kind “${found.kind.slice(0, 40)}”` : "JSON without a known kind";
}

function entryOf(entry, index) {
  const wrong = (what) => refusal(`Entry ${index + 1} ${what}: correct it in the file`);
  if (typeof entry !== "object" || entry === null) throw wrong("is no object");
  if (!["latent", "item"].includes(entry.kind)) throw wrong(`is of the kind ${said(entry.kind)}, where “latent” or “item” is expected`);
  const id = Number.isInteger(entry.id) ? String(entry.id) : entry.id;
  if (typeof id !== "string" || !id) throw wrong("has no id");
  if (entry.kind === "latent" && !LATENT.test(id)) throw wrong(`has the id ${said(id)}, where the number of a latent is expected`);
  const { name = "", tags = [], note = "", at = new Date().toISOString(), bundle_id: bundleId } = entry;
  for (const [field, value] of Object.entries({ name, note, at })) if (typeof value !== "string") throw wrong(`has a ${field} that is no text`);
  if (!Array.isArray(tags) || tags.some((tag) => typeof tag !== "string")) throw wrong("has tags that are no list of texts");
  if (Number.isNaN(Date.parse(at))) throw wrong(`was starred at ${said(at)}, which is no time`);
  if (bundleId !== undefined && typeof bundleId !== "string") throw wrong("has a bundle_id that is no text");
  const plain = { kind: entry.kind, id: entry.kind === "latent" ? String(Number(id)) : id, name, tags: [...new Set(tags.flatMap(tagsIn))], note, at };
  return bundleId ? { ...plain, bundle_id: bundleId } : plain;
}

function said(value) {
  return value === undefined ? "nothing" : `“${String(JSON.stringify(value)).replace(/^"|"$/g, "").slice(0, 40)}”`;
}

function refusal(sentence) {
  return new CollectionError(`${sentence}.`);
}
