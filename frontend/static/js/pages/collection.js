// The collection: what the visitor starred, to be filtered, tagged, noted, kept as a file, shared and used as examples.
import { addressOf, visit } from "../address.js";
import { change, entries, keep } from "../collection.js";
import { fillForm } from "../form.js";
import { collectionPicture, emptyNote, idsOf, usesOf } from "../parts/collection/collected.js";
import { keyOf } from "../parts/collection/collectionfile.js";
import { currentView, matching, showCounts, showTags, suggestTags } from "../parts/collection/collectionview.js";
import { showCall, showPicture } from "../parts/data.js";
import { EntryRow, nameOf } from "../parts/collection/entryrow.js";
import { Keeping } from "../parts/collection/keeping.js";
import { latentCalls, lookUpLatents } from "../parts/collection/latentlookup.js";
import { Undo } from "../parts/collection/undo.js";
import { announce, troubleBox } from "../status.js";

const TYPING_PAUSE_MS = 180;
const find = (id) => document.getElementById(id);
const [form, tagFilter, list, uses, empty, trouble] = ["view", "tag-filter", "collected", "uses", "empty", "trouble"].map(find);
/** @type {Map<string, EntryRow>} */
const rows = new Map();
const keeping = new Keeping(find("keep"), find("offer"));
const undo = new Undo(find("undo"), (removed) => keep([...entries(), ...removed].sort((a, b) => Date.parse(b.at) - Date.parse(a.at))));

let typing = false; // keystrokes of one search share one history entry
let pause = 0;
let nCalls = 0; // of the API, that the page says it made

form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("change", ({ target }) => target.name === "kind" && see({ kind: target.value }));
form.elements.q.addEventListener("change", () => (typing = false));
form.elements.q.addEventListener("input", () => {
  clearTimeout(pause);
  pause = setTimeout(searchAgain, TYPING_PAUSE_MS);
});
tagFilter.addEventListener("click", ({ target }) => {
  const tag = target.closest("[data-tag]")?.dataset.tag;
  const { tags } = currentView();
  if (tag !== undefined) see({ tags: tags.includes(tag) ? tags.filter((one) => one !== tag) : [...tags, tag] });
});
document.addEventListener("collectionchange", render);
addEventListener("popstate", render);
addEventListener("pagehide", () => rows.forEach((row) => row.flush()));
addEventListener("resize", () => rows.forEach((row) => row.grow()));
render();
keeping.openShared();

function searchAgain() {
  see({ q: form.elements.q.value.trim() }, typing);
  typing = true;
}

function see(changed, replace = false) {
  const { kind, tags, q } = { ...currentView(), ...changed };
  visit(addressOf("/collection", [["kind", kind], ...tags.map((tag) => ["tag", tag]), ["q", q]]), { replace });
  render();
}

function render() {
  const [all, view] = [entries(), currentView()];
  const shown = matching(all, view);
  if (document.activeElement !== form.elements.q) fillForm(form, new URLSearchParams({ kind: view.kind, q: view.q }));
  form.hidden = !all.length;
  keeping.allow(all.length > 0);
  showRows(all, shown);
  showCounts(form, all, view);
  showTags(tagFilter, all, view);
  suggestTags(find("used-tags"), all);
  showUses();
  empty.replaceChildren(...(shown.length ? [] : [emptyNote(all.length, () => see({ kind: "", tags: [], q: "" }))]));
  announce(shown.length === all.length ? "" : `${shown.length} of ${all.length} shown`);
  showLatents(idsOf(shown, "latent").map(Number));
  if (shown.length) showPicture("collection", "The collection", () => collectionPicture(usable()));
}

function showUses() {
  uses.replaceChildren(...usesOf(usable()));
}

/** The entries that are shown, without those that the bundle was found not to have. */
function usable() {
  return matching(entries(), currentView()).filter((entry) => !rows.get(keyOf(entry))?.isMissing);
}

/** Rows stay the same elements: only what is new is made, and only what is gone is taken away. */
function showRows(all, shown) {
  const known = new Set(all.map(keyOf));
  for (const key of rows.keys()) if (!known.has(key)) rows.delete(key);
  const wanted = shown.map(rowOf);
  const elements = new Set(wanted.map(({ element }) => element));
  for (const element of [...list.children]) if (!elements.has(element)) element.remove();
  wanted.forEach((row, i) => {
    if (list.children[i] === row.element) return;
    list.insertBefore(row.element, list.children[i] ?? null);
    row.grow(); // it has a width only now
  });
}

function rowOf(entry) {
  const key = keyOf(entry);
  const known = rows.get(key);
  known?.show(entry);
  if (!known) rows.set(key, new EntryRow(entry, { change: (changed) => change(entry.kind, entry.id, changed), remove: (event) => remove(key, event), missing: showUses }));
  return rows.get(key);
}

function remove(key, event) {
  rows.get(key).flush();
  const entry = entries().find((one) => keyOf(one) === key);
  keep(entries().filter((one) => one !== entry));
  undo.offer(entry, nameOf(entry), event.detail === 0); // by the keyboard: its button is gone, with the focus
}

async function showLatents(ids) {
  const calls = latentCalls(ids);
  for (let i = 0; i < Math.max(calls.length, nCalls); i++) showCall(`latents-${i}`, calls[i] ?? null);
  nCalls = calls.length;
  try {
    const found = await lookUpLatents(ids);
    trouble.replaceChildren();
    for (const [id, latent] of found) rows.get(keyOf({ kind: "latent", id }))?.showLatent(latent);
  } catch (error) {
    trouble.replaceChildren(troubleBox(error, () => showLatents(ids)));
  }
}
