// The retrieval page: a sum of terms in; hits out, each with the latents that make its score. The address holds the search.
import { visit } from "../address.js";
import * as api from "../api.js";
import { isPlainClick } from "../dom.js";
import { fillForm, pairsOf } from "../form.js";
import { count, timing } from "../format.js";
import { ranksOf } from "../parts/bar.js";
import { columnRequest, Columns } from "../parts/retrieve/ways.js";
import { showCall, showPicture } from "../parts/data.js";
import { acceptPictures } from "../parts/drop.js";
import { strongestLatents } from "../parts/retrieve/hit.js";
import { HitList } from "../parts/retrieve/hitlist.js";
import { drawHits } from "../parts/retrieve/hitsheet.js";
import { offerLabels } from "../parts/labels.js";
import { moveSmoothly } from "../parts/retrieve/moving.js";
import { Pace } from "../parts/retrieve/pace.js";
import { queryReading } from "../parts/retrieve/queryreading.js";
import { currentSearch, loneText, questionOf, requestFor, scoreName, searchHref, USUAL, WAYS } from "../parts/retrieve/search.js";
import { counted, plus, term, termsIn, typedTerm, typeTerm } from "../parts/retrieve/term.js";
import { TermList } from "../parts/retrieve/termlist.js";
import { Ticks } from "../parts/retrieve/ticks.js";
import { WhyDrawer } from "../parts/retrieve/whydrawer.js";
import { announce, isAbort, troubleBox } from "../status.js";

const LATENT_STEP = 0.5; // of "more" and "less": half of a text's weight
const EXPECTED = 24; // hits that an answer has, as a rule
const SLIDE_MS = 80; // between two answers while a weight moves
const AGAIN_MS = 1000; // arrow keys on one slider are one move
const WAY_NAMES = { latent: "latents", reconstruction: "reconstruction", backbone: "backbone" };
const find = (id) => document.getElementById(id);
const [form, trouble, reading, hits, comparison, drawerPlace] = ["query", "trouble", "reading", "hits", "compare", "why"].map(find);
const box = form.elements.q;
const chips = new TermList(find("terms"), takeTerms, slide);
const ticks = new Ticks(find("ticked"), hits);
const list = new HitList(hits, ticks.ids);
const columns = new Columns(comparison);
const drawer = new WhyDrawer(drawerPlace, closeWhy);
const pace = new Pace(SLIDE_MS);

let request = new AbortController();
let answers = new Map(); // way -> schemas.Retrieval on the page
let answered = ""; // the question that they answer
let slidFrom = null; // the address at which a weight began to move
let slid = { at: null, time: -Infinity }; // the weight that moved last, and when

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const typed = typedTerm(box.value);
  box.value = "";
  if (typed) add(typed);
});
form.addEventListener("change", ({ target }) => {
  if (target.name in USUAL) go({ ...currentSearch(), choices: chosen() });
});
box.addEventListener("keydown", (event) => {
  const { terms, ...search } = currentSearch();
  if (event.key !== "Backspace" || event.repeat || box.value || !["text", "latent"].includes(terms.at(-1)?.kind)) return;
  event.preventDefault();
  box.value = typeTerm(terms.at(-1));
  go({ ...search, terms: terms.slice(0, -1) });
});
find("examples").addEventListener("click", (event) => {
  const example = event.target.closest("a.chip");
  if (!example || !isPlainClick(event)) return;
  event.preventDefault();
  go({ ...currentSearch(), terms: termsIn(new URL(example.href).searchParams) });
});
reading.addEventListener("change", ({ target }) => {
  const { terms, ...search } = currentSearch();
  const at = Number(target.dataset.reader);
  go({ ...search, terms: terms.with(at, { ...terms[at], stream: target.value }) });
});
for (const place of [reading, hits, drawerPlace]) {
  place.addEventListener("click", ({ target }) => {
    const button = target.closest("[data-weigh]");
    if (!button) return;
    weigh(button.dataset.weigh, button.dataset.name);
    if (place !== drawerPlace) backToQuery();
  });
}
for (const place of [hits, comparison]) {
  place.addEventListener("click", ({ target }) => {
    const button = target.closest("[data-why]");
    if (button) openWhy(button.closest("[data-item]").dataset.item, button.dataset.by ?? "");
  });
}
for (const place of [hits, drawerPlace]) {
  place.addEventListener("click", ({ target }) => {
    const button = target.closest("[data-use], [data-add]");
    if (!button) return;
    const id = button.closest("[data-item]")?.dataset.item ?? drawer.item;
    chips.learn("item", id, captionOf(id));
    if ("use" in button.dataset) go({ ...currentSearch(), terms: [term("item", id)], why: "" });
    else add(term("item", id, Number(button.dataset.add)));
    backToQuery();
  });
}
drawerPlace.addEventListener("click", ({ target }) => {
  const { by } = target.closest("[data-by]")?.dataset ?? {};
  if (by) go({ ...currentSearch(), by });
});
// Captured, so that what Escape closes elsewhere is still open here.
document.addEventListener("keydown", ({ key, target }) => {
  if (key === "Escape" && drawer.item && !target.closest?.(".search") && !document.querySelector("dialog[open], .hint[open], .menu[open]")) closeWhy();
}, true);
acceptPictures(find("drop"), useFile);
offerLabels(form.elements.label);
addEventListener("popstate", () => run());
run();

function chosen() {
  return { ...USUAL, leave_out: "no", ...Object.fromEntries(pairsOf(form).filter(([name]) => name in USUAL)) };
}

/** What had the focus is gone with the old answer. */
function backToQuery() {
  scrollTo({ top: 0 });
  box.focus({ preventScroll: true });
}

function captionOf(id) {
  return [...answers.values()].flatMap((answer) => answer.hits).find((hit) => hit.item_id === id)?.caption ?? "";
}

function add(added) {
  const { terms, ...search } = currentSearch();
  go({ ...search, terms: plus(terms, added) });
}

/** @param {string} weighed a sign and a latent: "+17" */
function weigh(weighed, name) {
  chips.learn("latent", weighed.slice(1), name);
  add(term("latent", weighed.slice(1), weighed[0] === "-" ? -LATENT_STEP : LATENT_STEP));
}

function go(search) {
  visit(searchHref(search));
  return run();
}

/** While a weight moves, the address follows in its place, and hits are ranked anew without a word. */
function slide(terms) {
  slidFrom ??= location.pathname + location.search;
  chips.show(terms);
  pace.soon(() => {
    visit(searchHref({ ...currentSearch(), terms }), { replace: true });
    return run({ quiet: true });
  });
}

/** The chips say other terms. A weight that came to rest is one step back to where it came from. */
function takeTerms(terms, at) {
  pace.cancel();
  if (at === null) return go({ ...currentSearch(), terms });
  const goesOn = slid.at === at && performance.now() - slid.time < AGAIN_MS;
  slid = { at, time: performance.now() };
  if (slidFrom !== null) history.replaceState(history.state, "", slidFrom);
  slidFrom = null;
  visit(searchHref({ ...currentSearch(), terms }), { replace: goesOn });
  return run({ quiet: true, tell: true });
}

async function useFile(file) {
  const signal = restart(false);
  announce(`Sending ${file.name}`, { busy: true });
  try {
    add(term("upload", (await api.upload(file, signal)).upload_id));
  } catch (error) {
    if (!isAbort(error)) fail(error, () => useFile(file));
  }
}

/**
 * Answers the search in the address; whatever was under way is given up.
 * @param {object} [how]
 * @param {boolean} [how.quiet] what is on the page stays as it is until the answer is there
 * @param {boolean} [how.tell] whether the answer is announced
 */
async function run({ quiet = false, tell = !quiet } = {}) {
  const search = currentSearch();
  const { terms, choices } = search;
  if (!quiet && questionOf(search) === answered) return showWhy(search);
  const signal = restart(quiet);
  chips.show(terms);
  fillForm(form, new URLSearchParams(Object.entries({ ...choices, q: box.value })));
  form.elements.measure.disabled = choices.way !== "latent" && choices.way !== "all";
  document.title = `Retrieve ${inWords(terms)}`.trim() + " · SPARC Explorer";
  if (!counted(terms).length) return clear(terms.length ? "Every weight is 0: give a term some weight." : "");
  find("primer")?.remove();
  if (!quiet) announce("Searching", { busy: true });
  try {
    const found = choices.way === "all" ? await columns.ask(search, signal, quiet) : new Map([[choices.way, await api.retrieve(requestFor(search, choices.way), signal)]]);
    if (signal.aborted) return;
    [answers, answered] = [found, questionOf(search)];
    show(search);
    if (tell) announce(choices.way === "all" ? `${found.size} of 3 ways answered; the best hits of each` : `${count(found.get(choices.way).hits.length, "hit")} in ${timing(found.get(choices.way).milliseconds)}`);
  } catch (error) {
    if (!signal.aborted && !isAbort(error)) fail(error, () => run());
  }
}

function inWords(terms) {
  const named = counted(terms).map((one, i) => `${one.weight < 0 ? "− " : i ? "+ " : ""}${one.kind === "text" ? `“${one.value}”` : chips.nameOf(one)}`);
  return named.join(" ");
}

function restart(quiet) {
  request.abort();
  request = new AbortController();
  answered = "";
  trouble.replaceChildren();
  const { terms, choices } = currentSearch();
  const compares = choices.way === "all";
  comparison.hidden = !compares;
  if (compares) clearHits();
  else if (!quiet && counted(terms).length) list.wait(EXPECTED);
  return request.signal;
}

function clearHits() {
  reading.hidden = true;
  list.clear();
}

function clear(words) {
  announce(words);
  answers = new Map();
  clearHits();
  columns.clear();
  for (const way of WAYS) showCall(`hits-${way}`, null);
  showWhy(currentSearch());
}

function fail(error, retry) {
  clear("");
  trouble.replaceChildren(troubleBox(error, retry));
}

function show(search) {
  const { terms, choices: { way: chosenWay } } = search;
  for (const answer of answers.values()) for (const { latent, name } of answer.query_code) chips.learn("latent", latent, name);
  chips.show(terms);
  for (const way of WAYS) {
    const body = chosenWay === "all" ? columnRequest(search, way) : requestFor(search, way);
    showCall(`hits-${way}`, answers.has(way) ? { title: `Hits by ${WAY_NAMES[way]}`, method: "POST", path: `${api.ROOT}/retrieve`, body } : null);
  }
  if (chosenWay !== "all") showHits(answers.get(chosenWay), terms);
  if (answers.size) showPicture("hits", "The hits", () => drawHits(inWords(terms), [...answers.values()]));
  showWhy(search);
}

function showHits(answer, terms) {
  const ranks = ranksOf(strongestLatents(answer.hits));
  reading.hidden = false;
  reading.removeAttribute("aria-busy");
  reading.replaceChildren(...queryReading(answer, terms, ranks, (one) => chips.nameOf(one)));
  list.show(answer.hits, { ranks, score: scoreName(answer) });
}

function openWhy(item, by) {
  go({ ...currentSearch(), why: item, by });
  drawer.focus();
  rowOf(item)?.scrollIntoView({ block: "nearest" });
}

/** The focus goes back to the button that opened the drawer. */
function closeWhy() {
  const { why, by, ...search } = currentSearch();
  const inside = drawerPlace.contains(document.activeElement);
  go({ ...search, why: "", by: "" });
  if (inside) (rowOf(why, by)?.querySelector("[data-why]") ?? box).focus({ preventScroll: true });
}

function rowOf(item, by = "") {
  const rows = [...document.querySelectorAll(`#hits [data-item="${CSS.escape(item)}"], #compare [data-item="${CSS.escape(item)}"]`)];
  return rows.find((row) => row.querySelector(`[data-by="${CSS.escape(by)}"]`)) ?? rows[0];
}

/** Shows or hides the drawer, as the address says; hits make room for it. */
function showWhy(search) {
  const { why, by } = search;
  const change = () => {
    if (!why || !answers.size) return drawer.hide();
    const explained = [...answers].map(([way, answer]) => [way, { answer, rank: answer.hits.findIndex((hit) => hit.item_id === why) + 1 }]);
    const ways = new Map(explained.filter(([, { rank }]) => rank).map(([way, { answer, rank }]) => [way, { answer, rank, hit: answer.hits[rank - 1] }]));
    return drawer.show(why, ways, by, loneText(search), search.choices.way === "all");
  };
  for (const row of document.querySelectorAll("[data-item][data-explained]")) row.removeAttribute("data-explained");
  if (why) rowOf(why, by)?.toggleAttribute("data-explained", true);
  if (Boolean(why) === Boolean(drawer.item)) change();
  else moveSmoothly(hits, change);
}
