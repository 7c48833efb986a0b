// The gallery: searching by name, filtering and sorting without a page load, as cards or on a map. The address says it all.
import { addressOf, visit } from "../address.js";
import * as api from "../api.js";
import { el, isPlainClick } from "../dom.js";
import { fillForm, pairsOf } from "../form.js";
import { count } from "../format.js";
import { CardGrid } from "../parts/cardgrid.js";
import { offerCards } from "../parts/cardsheet.js";
import { showCall } from "../parts/data.js";
import { FilterCounts } from "../parts/filtercounts.js";
import { latentCard } from "../parts/latentcard.js";
import { keepPlace, keptPlace, watchPlace } from "../parts/place.js";
import { announce } from "../status.js";

const TYPING_PAUSE_MS = 180;
const KEPT = ["lasso", "ids"]; // filters that no field of the form can say
const SHOWN = ["sort", "view", "colour", "pictures"]; // what is no filter

const form = document.querySelector("#filters");
const page = document.querySelector("#gallery");
const { query, sort, pictures } = form.elements;
const USUAL = { sort: sort.options[0].value, view: "cards", colour: "alignment", ...(pictures && { pictures: pictures.options[0].value }) };

const grid = new CardGrid({
  ask: askCards,
  card: (latent) => latentCard(latent),
  empty: "No latent matches. Try a shorter word, or another filter.",
  shown: ({ total }) => {
    cardsTotal = total;
    if (isShown("cards")) showTotal(total);
  },
});
const counts = new FilterCounts(form);

let map = null; // parts/map/mapview.js, once it is wanted
let cardsOf = ""; // what the cards in the page are an answer to
let countsOf = "";
let cardsTotal = Number(document.querySelector("#latents").dataset.total); // null while it is asked for
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
document.querySelector(".results").addEventListener("change", ({ target }) => {
  change();
  // The map fills the window when what is above it is pushed up.
  if (target.name === "view" && target.value === "map") document.querySelector(".results").scrollIntoView({ block: "start" });
});
document.querySelector("#kept-filters").addEventListener("click", (event) => {
  const chip = event.target.closest("[data-without]");
  if (!chip || !isPlainClick(event)) return;
  event.preventDefault();
  without(chip.dataset.without);
});
addEventListener("popstate", () => {
  readAddress();
  show(keptPlace());
});
watchPlace();
offerCards(document.querySelector("#latents"));
readAddress();
[cardsOf, countsOf] = [cardsKey(), filterKey()]; // the server's answers
show();

function askCards(start, limit, signal) {
  const asked = [...filterPairs(), ...(sort.value === USUAL.sort ? [] : [["sort", sort.value]]), ...(start ? [["start", start]] : []), ["limit", limit]];
  showCall("latents", { title: "Latents", method: "GET", path: addressOf(`${api.ROOT}/latents`, asked) });
  return api.latents(asked, signal);
}

function change(byTyping = false) {
  keepPlace();
  const moved = visit(addressOf("/", pairsOf(form, USUAL)), { replace: byTyping && typing });
  typing = byTyping;
  if (moved) show();
}

/** Goes to the same view without a filter. */
function without(name) {
  setKept(KEPT.filter((other) => other !== name).flatMap((other) => keptValues(other)));
  change();
}

/** The latents inside a lasso, as cards. */
function gather(lasso) {
  setKept([["lasso", lasso], ...keptValues("ids")]);
  form.elements.view.value = "cards";
  change();
  scrollTo({ top: 0, behavior: "instant" });
}

function readAddress() {
  const given = new URLSearchParams(location.search);
  fillForm(form, given, USUAL);
  setKept(KEPT.flatMap((name) => given.getAll(name).map((value) => [name, value])));
}

function setKept(pairs) {
  document.querySelector("#kept").replaceChildren(...pairs.map(([name, value]) => el("input", { type: "hidden", name, value })));
}

function keptValues(name) {
  return [...form.querySelectorAll(`#kept [name=${name}]`)].map(({ value }) => [name, value]);
}

function filterPairs() {
  return pairsOf(form, USUAL).filter(([name]) => !SHOWN.includes(name));
}

function isShown(view) {
  return page.dataset.view === view;
}

function filterKey() {
  return addressOf("", filterPairs());
}

function cardsKey() {
  return `${sort.value}${filterKey()}`;
}

/** Shows what the form says. @param {number | null} [place] where to scroll to */
function show(place = null) {
  const filter = filterPairs();
  page.dataset.view = form.elements.view.value;
  showWays(filter);
  counts.showBounds();
  if (countsOf !== filterKey()) counts.ask(filter);
  countsOf = filterKey();
  if (isShown("map")) showMap(filter);
  else if (cardsOf !== cardsKey()) return showCards(place);
  else if (cardsTotal !== null) showTotal(cardsTotal);
  if (place !== null) scrollTo({ top: place, behavior: "instant" });
}

function showCards(place) {
  [cardsOf, cardsTotal] = [cardsKey(), null];
  announce("Looking for latents", { busy: true });
  grid.reload(place);
}

async function showMap(filter) {
  const { MapView } = await import("../parts/map/mapview.js");
  if (!isShown("map")) return;
  map ??= new MapView(document.querySelector("#map"), { gather, shown: (...totals) => isShown("map") && showTotal(...totals) });
  map.show({ filter, colour: form.elements.colour.value, pictures: pictures?.value ?? "", lasso: keptValues("lasso")[0]?.[1] ?? "" });
}

/** Links that go along with the filter. */
function showWays(filter) {
  document.querySelector("#random").href = addressOf("/latents/random", filter);
  document.querySelector(".tabs [data-by=meaning]").href = addressOf("/find", [["text", query.value.trim()]]);
  if (filter.some(([name]) => !KEPT.includes(name) && name !== "query" && name !== "alive")) document.querySelector("#more-filters").open = true;
}

function showTotal(total, unplaced = 0) {
  const text = query.value.trim();
  announce(count(total, "latent") + (text && ` for “${text}”`) + (unplaced ? `, ${unplaced} of them dead: they have no place on the map` : ""));
  document.querySelector("#random").hidden = !total;
  const ids = new Set(keptValues("ids").map(([, id]) => id));
  document.querySelector("#kept-filters").replaceChildren(
    ...(keptValues("lasso").length ? [chip("lasso", `${count(total, "latent")} inside the lasso`)] : []),
    ...(ids.size ? [chip("ids", `among ${ids.size} chosen ones`)] : []));
}

function chip(name, text) {
  const href = addressOf("/", pairsOf(form, USUAL).filter(([other]) => other !== name));
  return el("li", {}, el("a", { class: "chip chip--kept", href, data: { without: name }, "aria-label": `${text}: remove this filter` }, el("span", {}, text), " ", el("span", { "aria-hidden": "true" }, "×")));
}
