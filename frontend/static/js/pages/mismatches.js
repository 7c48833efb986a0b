// Latents on which two streams disagree: other streams without a page load, and all of them under one scroll bar.
import { addressOf, visit } from "../address.js";
import * as api from "../api.js";
import { streamTitle } from "../bundle.js";
import { fillForm, pairsOf } from "../form.js";
import { count, decimal, logShare, percent } from "../format.js";
import { CardGrid } from "../parts/cardgrid.js";
import { offerCards } from "../parts/cardsheet.js";
import { showCall } from "../parts/data.js";
import { latentCard } from "../parts/latentcard.js";
import { keepPlace, keptPlace, watchPlace } from "../parts/place.js";
import { announce } from "../status.js";

const form = document.querySelector("#filters");
const { strong, weak } = form.elements;
const USUAL = { strong: strong.options[0].value, weak: weak.options[weak.options.length - 1].value, kind: "different", at_most: "0.5" };
const grid = new CardGrid({
  ask,
  card,
  empty: "No latent: in this way, the two streams never disagree.",
  shown: ({ total }) => announce(count(total, "latent") + (total ? ", the greatest disagreement first" : "")),
});

let before = [strong.value, weak.value];

form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("change", ({ target }) => {
  // One stream twice has no disagreement: the other one takes the place that came free.
  if (strong.value === weak.value) (target === strong ? weak : strong).value = target === strong ? before[0] : before[1];
  before = [strong.value, weak.value];
  keepPlace();
  if (visit(addressOf("/mismatches", pairsOf(form, USUAL)))) reload();
});
addEventListener("popstate", () => {
  fillForm(form, new URLSearchParams(location.search), USUAL);
  before = [strong.value, weak.value];
  reload(keptPlace());
});
watchPlace();
offerCards(document.querySelector("#latents"));

function reload(place = null) {
  document.querySelector("main .notice")?.remove();
  announce("Looking for latents", { busy: true });
  grid.reload(place);
}

function ask(start, limit, signal) {
  const asked = [...pairsOf(form), ...(start ? [["start", start]] : []), ["limit", limit]];
  showCall("latents", { title: "Mismatches", method: "GET", path: addressOf(`${api.ROOT}/latents/mismatches`, asked) });
  return api.mismatches(asked, signal);
}

function card({ latent, strong_density: most, weak_density: least, alignment }, { strong: first, weak: second }) {
  const density = (stream, share) => [streamTitle(stream), logShare(share), percent(share)];
  return latentCard(latent, { measures: [density(first, most), density(second, least), ["Jaccard", alignment ?? 0, decimal(alignment)]] });
}
