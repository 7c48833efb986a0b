// Latents and items that the visitor starred, with tags and notes: kept in this browser, for each bundle its own.
import { info } from "./bundle.js";

const KEY = `sparc-collection:${info.bundle_id}`;

/**
 * @typedef {object} Entry
 * @property {"latent" | "item"} kind
 * @property {string} id a latent's number or an item's id
 * @property {string} name a latent's name or an item's caption
 * @property {string[]} tags
 * @property {string} note
 * @property {string} at when it was starred, ISO 8601
 */

let kept = read();
addEventListener("storage", ({ key }) => {
  if (key !== KEY) return;
  kept = read();
  tell();
});

/** All entries, those starred last first. @returns {Entry[]} */
export function entries() {
  return kept;
}

/** True where it is starred. */
export function has(kind, id) {
  return kept.some((one) => isSame(one, kind, id));
}

/** Stars, or takes the star away. @returns {boolean} whether it is starred now */
export function toggle(kind, id, name) {
  const starred = has(kind, id);
  keep(starred ? kept.filter((one) => !isSame(one, kind, id)) : [{ kind, id: String(id), name, tags: [], note: "", at: new Date().toISOString() }, ...kept]);
  return !starred;
}

/** Changes an entry's tags or note. @param {Partial<Entry>} changed */
export function change(kind, id, changed) {
  keep(kept.map((one) => (isSame(one, kind, id) ? { ...one, ...changed } : one)));
}

/** Keeps these entries instead. @param {Entry[]} entries */
export function keep(entries) {
  kept = entries;
  try {
    localStorage.setItem(KEY, JSON.stringify(entries));
  } catch {
    // storage may be forbidden or full; the collection then lasts as long as the page
  }
  tell();
}

function isSame(one, kind, id) {
  return one.kind === kind && one.id === String(id);
}

function read() {
  try {
    const found = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(found) ? found : [];
  } catch {
    return [];
  }
}

function tell() {
  document.dispatchEvent(new CustomEvent("collectionchange"));
}
