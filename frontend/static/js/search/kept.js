// What the search box remembers while the browser's tab lives: what was looked for last, and in which scope.
import { SCOPES } from "./query.js";

const SCOPE = "sparc-search-scope";
const RECENT = "sparc-search-recent";
const MOST = 6;

/** The scope that was chosen in this tab; "" where none was. */
export function keptScope() {
  const scope = read(SCOPE) ?? "";
  return SCOPES.includes(scope) ? scope : "";
}

export function keepScope(scope) {
  write(SCOPE, scope);
}

/** Searches that led somewhere, the last one first. @returns {{text: string, scope: string}[]} */
export function recentSearches() {
  try {
    const found = JSON.parse(read(RECENT) ?? "[]");
    return Array.isArray(found) ? found.filter(({ text, scope }) => typeof text === "string" && SCOPES.includes(scope)) : [];
  } catch {
    return [];
  }
}

/** Remembers a search. Pictures are not: the server forgets them. */
export function remember({ text, scope, upload }) {
  if (!text || upload) return;
  const others = recentSearches().filter((one) => one.text !== text || one.scope !== scope);
  write(RECENT, JSON.stringify([{ text, scope }, ...others].slice(0, MOST)));
}

function read(key) {
  try {
    return sessionStorage.getItem(key);
  } catch {
    return null; // storage may be forbidden; nothing is remembered then
  }
}

function write(key, value) {
  try {
    sessionStorage.setItem(key, value);
  } catch {
    // see read()
  }
}
