// The keys of every page, and the dialog that lists them.

const PLACES = { l: "/", c: "/caption", r: "/retrieve", m: "/compare", e: "/evaluation", s: "/collection" };
const CHORD_MS = 1200;
const dialog = document.querySelector("#keys");
const actions = {
  "?": () => dialog.showModal(),
  "/": focusSearch,
  "[": () => press("a[rel=prev]"),
  "]": () => press("a[rel=next]"),
  s: () => press(".latent-head [data-star], .item-head [data-star]"),
  t: () => press("#theme"),
  x: () => (location.href = document.querySelector("#random:not([hidden])")?.href ?? "/latents/random"), // of those that match, in the gallery
};
let chordStarted = -Infinity;

/** True where keys write text. */
export function isTextField(element) {
  return Boolean(element.matches?.("input:not([type=radio], [type=checkbox], [type=range], [type=file]), select, textarea"));
}

/** Makes the keys work. */
export function watchKeys() {
  document.querySelector("#open-keys").addEventListener("click", () => dialog.showModal());
  dialog.addEventListener("click", ({ target }) => target === dialog && dialog.close()); // the backdrop
  document.addEventListener("keydown", onKey);
}

function onKey(event) {
  if (isTextField(event.target) || document.querySelector("dialog[open]") || event.ctrlKey || event.metaKey || event.altKey) return;
  const place = performance.now() - chordStarted < CHORD_MS && PLACES[event.key];
  chordStarted = event.key === "g" ? performance.now() : -Infinity;
  if (place) return void (location.href = place);
  if (!Object.hasOwn(actions, event.key)) return;
  event.preventDefault();
  actions[event.key]();
}

function press(selector) {
  document.querySelector(selector)?.click();
}

function focusSearch() {
  const search = document.querySelector("[data-search]");
  search.focus();
  search.select();
}
