// Latents by meaning, picture or examples. The address holds the search (parts/find/latentquery.js).
import { addressOf, visit } from "../address.js";
import * as api from "../api.js";
import { imageHref, streamTitle, uploadHref } from "../bundle.js";
import { el, isPlainClick } from "../dom.js";
import { count, decimal, percent, timing } from "../format.js";
import { offerCards } from "../parts/cardsheet.js";
import { showCall } from "../parts/data.js";
import { acceptPictures } from "../parts/drop.js";
import { Examples } from "../parts/find/examples.js";
import { another, currentQuery, further, queryHref, requestFor } from "../parts/find/latentquery.js";
import { latentCard } from "../parts/latentcard.js";
import { RegionFrame } from "../parts/find/regionframe.js";
import { readWords } from "../parts/words.js";
import { announce, isAbort, troubleBox } from "../status.js";

const PICTURE_PIXELS = 448;
const LIMIT = 24; // the server's, where none is asked for
const READERS = { meaning: "read by", picture: "seen by", examples: "by codes of" };
const find = (id) => document.getElementById(id);
const [form, trouble, reading, found, list, more, region] = ["query", "trouble", "reading", "found", "latents", "more", "region"].map(find);
const { by } = currentQuery();
const frame = by === "picture" ? new RegionFrame(region, (drawn) => go(another(currentQuery(), { region: drawn }))) : null;
const examples = by === "examples" ? new Examples((items) => go(another(currentQuery(), { items }))) : null;

let request = new AbortController();

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (form.elements.text) go(another(currentQuery(), { text: form.elements.text.value.trim() }));
});
form.addEventListener("change", ({ target }) => {
  if (target.name === "stream") go(another(currentQuery(), { stream: target.value }));
});
document.querySelector(".examples")?.addEventListener("click", (event) => {
  const example = event.target.closest("a.chip");
  if (!example || !isPlainClick(event)) return;
  event.preventDefault();
  go(another(currentQuery(), { text: example.textContent }));
});
more.addEventListener("click", (event) => {
  event.preventDefault();
  go(further(currentQuery()));
});
if (by === "picture") acceptPictures(find("drop"), useFile);
addEventListener("popstate", run);
offerCards(list);
run();

function go(query) {
  visit(queryHref(query));
  run();
}

async function useFile(file) {
  const signal = restart();
  announce(`Sending ${file.name}`, { busy: true });
  try {
    const { upload_id: upload } = await api.upload(file, signal);
    go(another(currentQuery(), { items: [], upload, region: null }));
  } catch (error) {
    if (!isAbort(error)) fail(error, () => useFile(file));
  }
}

/** Answers the search in the address; whatever was under way is given up. */
async function run() {
  const query = currentQuery();
  const signal = restart();
  showQuery(query);
  const wanted = requestFor(query);
  if (!wanted) return clear();
  find("primer")?.remove();
  announce("Searching", { busy: true });
  try {
    const answer = await api.searchLatents(wanted, signal);
    if (signal.aborted) return;
    show(answer, query);
    showCall("latents", { title: "Latents", method: "POST", path: `${api.ROOT}/latents/search`, body: wanted });
  } catch (error) {
    if (!signal.aborted && !isAbort(error)) fail(error, run);
  }
}

function showQuery({ text, items, upload, region: drawn, stream }) {
  if (form.elements.stream) form.elements.stream.value = stream;
  examples?.show(items);
  if (form.elements.text) {
    form.elements.text.value = text;
    document.querySelector(".tabs [data-by=name]").href = addressOf("/", [["query", text]]);
  }
  if (!frame) return;
  region.hidden = !upload && !items.length;
  if (!region.hidden) frame.show(upload ? uploadHref(upload, PICTURE_PIXELS) : imageHref(items[0], PICTURE_PIXELS), drawn);
}

function restart() {
  request.abort();
  request = new AbortController();
  trouble.replaceChildren();
  list.setAttribute("aria-busy", "true");
  return request.signal;
}

function clear() {
  announce("");
  showCall("latents", null);
  list.replaceChildren();
  list.removeAttribute("aria-busy");
  reading.hidden = found.hidden = more.hidden = true;
}

function fail(error, retry) {
  clear();
  trouble.replaceChildren(troubleBox(error, retry));
}

function show(answer, query) {
  list.replaceChildren(...answer.latents.map((one) => latentCard(one.latent, { why: whyFound(one, query.items.length) })));
  list.removeAttribute("aria-busy");
  found.hidden = !answer.latents.length;
  more.hidden = Boolean(query.limit) || answer.latents.length < LIMIT;
  more.href = queryHref(further(query));
  reading.hidden = !answer.words;
  reading.replaceChildren(...(answer.words ? readWords(answer.words) : []));
  announce(`${count(answer.latents.length, "latent")}, ${READERS[query.by]} ${streamTitle(answer.stream)}, in ${timing(answer.milliseconds)}`);
}

function whyFound({ found: why, score, of_examples: ofExamples, of_items: ofItems }, nExamples) {
  const number = (text) => el("b", { class: "number" }, text);
  if (why === "code") return ["activated ", number(decimal(score))];
  if (why === "direction") return ["direction, cosine ", number(decimal(score))];
  const examples = nExamples === 1 ? ["the example"] : [number(percent(ofExamples)), " of the examples"];
  return ["active in ", ...examples, " and in ", number(percent(ofItems)), " of all"];
}
