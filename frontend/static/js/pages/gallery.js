// The gallery: searching by name, filtering and sorting without a page load, and further rows while scrolling.
import { addressOf, visit } from "../address.js";
import * as api from "../api.js";
import { fillForm, pairsOf } from "../form.js";
import { count } from "../format.js";
import { offerLabels } from "../parts/labels.js";
import { latentRow } from "../parts/latentrow.js";
import { Rows } from "../parts/rows.js";
import { announce } from "../status.js";

const LIMIT = 24;
const TYPING_PAUSE_MS = 180;

const form = document.querySelector("#filters");
const { query, sort } = form.elements;
const USUAL = { sort: sort.options[0].value };
const rows = new Rows({
  ask: (cursor, signal) => api.latents([...pairsOf(form), ["limit", LIMIT], ["cursor", cursor]], signal),
  row: (latent) => latentRow(latent),
  empty: "No latent matches. Try a shorter word, or another filter.",
  shown,
});

let typing = false; // keystrokes of one search share one history entry
let pause = 0;

form.addEventListener("submit", (event) => {
  event.preventDefault();
  clearTimeout(pause);
  change();
});
query.addEventListener("input", () => {
  clearTimeout(pause);
  pause = setTimeout(change, TYPING_PAUSE_MS, true);
});
query.addEventListener("change", () => (typing = false));
form.addEventListener("change", (event) => event.target !== query && change());
addEventListener("popstate", () => {
  fillForm(form, new URLSearchParams(location.search), USUAL);
  rows.reload();
});
offerLabels(form.elements.label);

function change(byTyping = false) {
  const moved = visit(addressOf("/", pairsOf(form, USUAL)), { replace: byTyping && typing });
  typing = byTyping;
  if (moved) rows.reload();
}

function shown({ total, counts }) {
  const text = query.value.trim();
  const all = Object.values(counts).reduce((sum, value) => sum + value, 0);
  for (const place of form.querySelectorAll("[data-count]")) place.textContent = place.dataset.count ? counts[place.dataset.count] ?? 0 : all;
  document.querySelector(".tabs [data-by=meaning]").href = addressOf("/find", [["text", text]]);
  announce(count(total, "latent") + (text && ` for “${text}”`));
}
