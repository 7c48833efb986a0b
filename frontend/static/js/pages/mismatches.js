// Latents on which two streams disagree: other streams without a page load, and further rows while scrolling.
import { addressOf, visit } from "../address.js";
import * as api from "../api.js";
import { streamTitle } from "../bundle.js";
import { fillForm, pairsOf } from "../form.js";
import { count, decimal, logShare, percent } from "../format.js";
import { latentRow } from "../parts/latentrow.js";
import { Rows } from "../parts/rows.js";
import { announce } from "../status.js";

const LIMIT = 24;
const form = document.querySelector("#filters");
const { strong, weak } = form.elements;
const USUAL = { strong: strong.options[0].value, weak: weak.options[weak.options.length - 1].value, kind: "different", at_most: "0.5" };
const rows = new Rows({
  ask: (cursor, signal) => api.mismatches([...pairsOf(form), ["limit", LIMIT], ["cursor", cursor]], signal),
  row,
  empty: "No latent: in this way, the two streams never disagree.",
  shown: ({ total }) => announce(count(total, "latent") + (total ? ", the greatest disagreement first" : "")),
});

let before = [strong.value, weak.value];

form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("change", ({ target }) => {
  // One stream twice has no disagreement: the other one takes the place that came free.
  if (strong.value === weak.value) (target === strong ? weak : strong).value = target === strong ? before[0] : before[1];
  before = [strong.value, weak.value];
  if (visit(addressOf("/mismatches", pairsOf(form, USUAL)))) reload();
});
addEventListener("popstate", () => {
  fillForm(form, new URLSearchParams(location.search), USUAL);
  before = [strong.value, weak.value];
  reload();
});

function reload() {
  document.querySelector("main .notice")?.remove();
  rows.reload();
}

function row({ latent, strong_density: most, weak_density: least, alignment }, page) {
  const density = (stream, share) => [streamTitle(stream), logShare(share), percent(share)];
  return latentRow(latent, { measures: [density(page.strong, most), density(page.weak, least), ["Jaccard", alignment ?? 0, decimal(alignment)]] });
}
