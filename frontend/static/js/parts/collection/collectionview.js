// Which entries of the collection are shown: of a kind, with tags, with words; the address says it.
import { el } from "../../dom.js";

/**
 * @typedef {object} CollectionView
 * @property {"" | "latent" | "item"} kind "" for both
 * @property {string[]} tags an entry has all of them
 * @property {string} q words, each of which stands in its name, id, tags or note
 */

/** @returns {CollectionView} */
export function currentView() {
  const given = new URLSearchParams(location.search);
  return { kind: given.get("kind") ?? "", tags: given.getAll("tag"), q: given.get("q") ?? "" };
}

/** The entries that a view shows. @param {import("../../collection.js").Entry[]} entries @param {CollectionView} view */
export function matching(entries, { kind, tags, q }) {
  const words = q.toLowerCase().split(/\s+/).filter(Boolean);
  return entries.filter((entry) => {
    const text = [entry.name, entry.id, entry.note, ...entry.tags].join("\n").toLowerCase();
    return (!kind || entry.kind === kind) && tags.every((tag) => entry.tags.includes(tag)) && words.every((word) => text.includes(word));
  });
}

/** Says beside each kind how many entries choosing it would show. @param {HTMLFormElement} form */
export function showCounts(form, entries, view) {
  for (const place of form.querySelectorAll("[data-count]")) place.textContent = matching(entries, { ...view, kind: place.dataset.count }).length;
}

/** Tags to press, each with the number of entries that it would leave. @param {HTMLElement} place */
export function showTags(place, entries, view) {
  const counts = [...tagCounts(matching(entries, { ...view, tags: [] })).keys()].sort((a, b) => a.localeCompare(b));
  const chips = counts.map((tag) => [tag, matching(entries, { ...view, tags: [...view.tags, tag] }).length, view.tags.includes(tag)]).filter(([, n, pressed]) => n || pressed);
  const focused = document.activeElement?.dataset.tag;
  place.hidden = !chips.length && !view.tags.length;
  place.replaceChildren(el("span", { class: "field__name" }, "Tags"), ...[...view.tags.filter((tag) => !counts.includes(tag)).map((tag) => [tag, 0, true]), ...chips].map(chipOf));
  if (focused !== undefined) place.querySelector(`[data-tag="${CSS.escape(focused)}"]`)?.focus();
}

/** Offers the tags that are in use to whoever types one, the most used first. @param {HTMLDataListElement} place */
export function suggestTags(place, entries) {
  const used = [...tagCounts(entries)].sort(([, a], [, b]) => b - a).map(([tag]) => tag);
  place.replaceChildren(...used.map((tag) => el("option", { value: tag })));
}

function tagCounts(entries) {
  const counts = new Map();
  for (const tag of entries.flatMap(({ tags }) => tags)) counts.set(tag, (counts.get(tag) ?? 0) + 1);
  return counts;
}

function chipOf([tag, n, pressed]) {
  return el("button", { class: "chip chip--tag", type: "button", "aria-pressed": String(pressed), data: { tag } }, tag, " ", el("small", {}, n));
}
