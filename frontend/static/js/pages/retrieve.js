// The retrieval page: a sum of terms in; hits out, each with the latents that make its score. The address holds the search.
import { visit } from "../address.js";
import * as api from "../api.js";
import { el, isPlainClick } from "../dom.js";
import { fillForm, pairsOf } from "../form.js";
import { count, timing } from "../format.js";
import { ranksOf } from "../parts/bar.js";
import { foldChoices } from "../parts/choices.js";
import { compareWays } from "../parts/compare.js";
import { acceptPictures } from "../parts/drop.js";
import { hitRow, strongestLatents } from "../parts/hit.js";
import { offerLabels } from "../parts/labels.js";
import { queryReading } from "../parts/queryreading.js";
import { currentSearch, loneText, requestFor, scoreName, searchHref, USUAL } from "../parts/search.js";
import { plus, term, termsIn, typedTerm, typeTerm } from "../parts/term.js";
import { TermList } from "../parts/termlist.js";
import { Ticks } from "../parts/ticks.js";
import { showWhere } from "../parts/where.js";
import { announce, isAbort, troubleBox } from "../status.js";

const LATENT_STEP = 0.5; // of "more" and "less": half of a text's weight
const find = (id) => document.getElementById(id);
const [form, trouble, reading, hits, comparison] = ["query", "trouble", "reading", "hits", "compare"].map(find);
const box = form.elements.q;
const chips = new TermList(find("terms"), (terms) => go({ ...currentSearch(), terms }));
const ticks = new Ticks(find("ticked"), hits);

let request = new AbortController();
let shown = []; // schemas.Hit of the hits on the page

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
for (const place of [reading, hits]) {
  place.addEventListener("click", ({ target }) => {
    const button = target.closest("[data-weigh]");
    if (!button) return;
    weigh(button.dataset.weigh, button.dataset.name);
    backToQuery();
  });
}
hits.addEventListener("click", (event) => {
  const hit = shown.find(({ item_id: id }) => id === event.target.closest("[data-item]")?.dataset.item);
  const button = event.target.closest("[data-use], [data-add], [data-where]");
  if (!hit || !button || !isPlainClick(event)) return;
  event.preventDefault();
  if ("where" in button.dataset) return toggleWhere(button, hit);
  chips.learn("item", hit.item_id, hit.caption);
  if ("use" in button.dataset) go({ ...currentSearch(), terms: [term("item", hit.item_id)] });
  else add(term("item", hit.item_id, Number(button.dataset.add)));
  backToQuery();
});
acceptPictures(find("drop"), useFile);
foldChoices(find("choices"));
offerLabels(form.elements.label);
addEventListener("popstate", run);
run();

function chosen() {
  return { ...USUAL, leave_out: "no", ...Object.fromEntries(pairsOf(form).filter(([name]) => name in USUAL)) };
}

/** What had the focus is gone with the old answer. */
function backToQuery() {
  scrollTo({ top: 0 });
  box.focus({ preventScroll: true });
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
  run();
}

async function useFile(file) {
  const signal = restart();
  announce(`Sending ${file.name}`, { busy: true });
  try {
    add(term("upload", (await api.upload(file, signal)).upload_id));
  } catch (error) {
    if (!isAbort(error)) fail(error, () => useFile(file));
  }
}

/** Answers the search in the address; whatever was under way is given up. */
async function run() {
  const search = currentSearch();
  const signal = restart();
  chips.show(search.terms);
  fillForm(form, new URLSearchParams(Object.entries({ ...search.choices, q: box.value })));
  form.elements.measure.disabled = search.choices.way !== "latent" && search.choices.way !== "all";
  document.title = titleOf(search.terms);
  if (!search.terms.length) return clear();
  find("primer")?.remove();
  announce("Searching", { busy: true });
  try {
    if (search.choices.way === "all") showComparison(await compareWays(comparison, search, signal), signal);
    else show(await api.retrieve(requestFor(search, search.choices.way), signal), search, signal);
  } catch (error) {
    if (!signal.aborted && !isAbort(error)) fail(error, run);
  }
}

function titleOf(terms) {
  const named = terms.map((one, i) => `${one.weight < 0 ? "− " : i ? "+ " : ""}${one.kind === "text" ? `“${one.value}”` : chips.nameOf(one)}`);
  return `Retrieve ${named.join(" ")}`.trim() + " · SPARC Explorer";
}

function restart() {
  request.abort();
  request = new AbortController();
  trouble.replaceChildren();
  const compares = currentSearch().choices.way === "all";
  comparison.hidden = !compares;
  if (compares) clearHits();
  else if (hits.childElementCount) hits.setAttribute("aria-busy", "true");
  return request.signal;
}

function clearHits() {
  shown = [];
  reading.hidden = true;
  hits.replaceChildren();
  hits.removeAttribute("aria-busy");
}

function clear() {
  announce("");
  clearHits();
  comparison.replaceChildren();
}

function fail(error, retry) {
  clear();
  trouble.replaceChildren(troubleBox(error, retry));
}

function show(answer, search, signal) {
  if (signal.aborted) return;
  shown = answer.hits;
  for (const { latent, name } of answer.query_code) chips.learn("latent", latent, name);
  chips.show(search.terms);
  const ranks = ranksOf(strongestLatents(shown));
  const known = { ranks, score: scoreName(answer), text: loneText(search), ticked: ticks.ids };
  reading.hidden = false;
  reading.replaceChildren(...queryReading(answer, search.terms, ranks, (one) => chips.nameOf(one)));
  hits.replaceChildren(...shown.map((hit, index) => hitRow(hit, index + 1, known)));
  if (!shown.length) hits.append(el("li", { class: "empty" }, "No item matches. Loosen the filter, or say it in other terms."));
  hits.removeAttribute("aria-busy");
  announce(`${count(shown.length, "hit")} in ${timing(answer.milliseconds)}`);
}

function showComparison(answers, signal) {
  if (!signal.aborted) announce(`${answers.length} of 3 ways answered; the best hits of each`);
}

function toggleWhere(button, hit) {
  const place = button.closest(".hit").querySelector(".hit__where");
  place.hidden = !place.hidden;
  button.setAttribute("aria-expanded", String(!place.hidden));
  if (!place.hidden) showWhere(place, hit, request.signal);
}
