// The retrieval page: a text, an item or a picture in; hits out, each with the latents that make its score.
import * as api from "../api.js";
import { imageHref, itemHref, streamTitle } from "../bundle.js";
import { el, isPlainClick } from "../dom.js";
import { count, decimal, timing } from "../format.js";
import { codeList, ranksOf, shares } from "../parts/bar.js";
import { acceptPictures, sendPicture, sentPicture } from "../parts/drop.js";
import { readWords } from "../parts/words.js";
import { announce, isAbort, troubleBox } from "../status.js";

const KEYS = ["q", "item", "upload", "source", "target"];
const SHOWN_CODE = 12;
const find = (id) => document.getElementById(id);
const [form, subject, trouble, reading, hits] = ["query", "subject", "trouble", "reading", "hits"].map(find);

let request = new AbortController();

form.addEventListener("submit", (event) => {
  event.preventDefault();
  ask({ q: form.elements.q.value.trim() });
});
form.addEventListener("change", (event) => {
  if (event.target.name === "source" || event.target.name === "target") go({ ...state(), ...choices() });
});
find("examples").addEventListener("click", (event) => {
  const example = event.target.closest("a.chip");
  if (!example || !isPlainClick(event)) return;
  event.preventDefault();
  ask({ q: example.textContent });
});
hits.addEventListener("click", (event) => {
  const item = event.target.closest("[data-use-item]")?.dataset.useItem;
  if (!item || !isPlainClick(event)) return;
  event.preventDefault();
  ask({ item });
  scrollTo({ top: 0 });
  find("q").focus({ preventScroll: true });
});
acceptPictures(find("drop"), useFile);
addEventListener("popstate", run);
run();

function state() {
  const given = new URLSearchParams(location.search);
  return Object.fromEntries(KEYS.map((key) => [key, given.get(key) ?? ""]));
}

function choices() {
  return { source: form.elements.source.value, target: form.elements.target.value };
}

/** Asks for exactly one of q, item and upload, with the streams that are chosen. */
function ask(query) {
  go({ ...query, ...choices() });
}

function go(wanted) {
  const filled = new URLSearchParams(Object.entries(wanted).filter(([, value]) => value));
  const address = `${location.pathname}${filled.size ? `?${filled}` : ""}`;
  if (address !== location.pathname + location.search) history.pushState(null, "", address);
  run();
}

async function useFile(file) {
  const signal = restart();
  announce(`Sending ${file.name}`, { busy: true });
  try {
    ask({ upload: await sendPicture(file, signal) });
  } catch (error) {
    if (!isAbort(error)) fail(error, () => useFile(file));
  }
}

/** Answers the state in the address; whatever was under way is given up. */
async function run() {
  const wanted = state();
  const lost = wanted.upload && !sentPicture(wanted.upload);
  if (lost) {
    const address = new URL(location);
    address.searchParams.delete("upload");
    history.replaceState(null, "", address);
    wanted.upload = "";
  }
  const signal = restart();
  form.elements.q.value = wanted.q;
  for (const name of ["source", "target"]) form.elements[name].value = wanted[name];
  const name = wanted.q ? `“${wanted.q}”` : wanted.item ? `like ${wanted.item}` : wanted.upload ? "like your picture" : "";
  document.title = `Retrieve ${name}`.trim() + " · SPARC Explorer";
  showSubject(wanted, null);
  if (!name) {
    clear();
    if (lost) announce("Your picture was kept by the page that sent it: choose it again.");
    return;
  }
  find("primer")?.remove();
  announce("Searching", { busy: true });
  try {
    const answer = await api.retrieve(requestFor(wanted), signal);
    if (!signal.aborted) show(answer, wanted);
  } catch (error) {
    if (!signal.aborted && !isAbort(error)) fail(error, run);
  }
}

function requestFor({ q, item, upload, source, target }) {
  const query = q ? { text: q } : item ? { item_id: item } : { upload_id: upload };
  return { ...query, ...(source && { source }), ...(target && { target }) };
}

function restart() {
  request.abort();
  request = new AbortController();
  trouble.replaceChildren();
  hits.setAttribute("aria-busy", "true");
  return request.signal;
}

function clear() {
  announce("");
  reading.hidden = true;
  hits.replaceChildren();
  hits.removeAttribute("aria-busy");
}

function fail(error, retry) {
  clear();
  trouble.replaceChildren(troubleBox(error, retry));
}

function show(answer, wanted) {
  const ranks = ranksOf(strongestLatents(answer.hits));
  const code = answer.query_code.slice(0, SHOWN_CODE);
  const rest = answer.query_code.length - code.length;
  reading.hidden = false;
  reading.replaceChildren(
    ...(answer.words ? readWords(answer.words) : []),
    el("p", { class: "reading__note" }, `Encoded by ${streamTitle(answer.source)}, searched in ${streamTitle(answer.target)}. ${code.length ? `${count(answer.query_code.length, "active latent")}${rest ? `, the ${SHOWN_CODE} strongest` : ""}:` : "No latent is active for this query."}`),
    code.length ? codeList(code, ranks) : "");
  hits.replaceChildren(...answer.hits.map((hit, index) => hitItem(hit, index + 1, ranks)));
  hits.removeAttribute("aria-busy");
  showSubject(wanted, answer.hits.find((hit) => hit.item_id === wanted.item));
  announce(`${count(answer.hits.length, "hit")} in ${timing(answer.milliseconds)}`);
}

/** Latents by the sum of their shares over the hits, so that a colour means the same latent in every hit. */
function strongestLatents(found) {
  const sums = new Map();
  for (const hit of found) for (const part of hit.shared) sums.set(part.latent, (sums.get(part.latent) ?? 0) + part.share);
  return [...sums.keys()].sort((a, b) => sums.get(b) - sums.get(a));
}

function hitItem(hit, rank, ranks) {
  const use = `/retrieve?item=${encodeURIComponent(hit.item_id)}`;
  return el("li", { class: "hit" },
    el("a", { class: "hit__picture", href: itemHref(hit.item_id), tabindex: "-1", "aria-hidden": "true" },
      el("img", { src: imageHref(hit.item_id, 224), alt: "", width: 224, height: 224, loading: rank > 8 ? "lazy" : "eager", decoding: "async" }),
      el("span", { class: "hit__rank" }, rank)),
    el("div", { class: "hit__body" },
      el("p", { class: "hit__caption caption" }, el("a", { href: itemHref(hit.item_id) }, hit.caption)),
      el("div", { class: "hit__head" },
        el("span", {}, el("span", { class: "hit__score number" }, decimal(hit.score, 3)), el("span", { class: "faint" }, " cosine")),
        el("a", { class: "button button--small", href: use, data: { useItem: hit.item_id } }, "Use as query")),
      el("div", { class: "hit__explained" }, shares(hit.shared, ranks))));
}

function showSubject({ item, upload }, hit) {
  subject.replaceChildren();
  if (!item && !upload) return;
  const picture = el("img", { src: upload ? sentPicture(upload).address : imageHref(item, 112), alt: "", width: 112, height: 112 });
  const name = upload ? "your picture" : el("a", { href: itemHref(item) }, item);
  const caption = hit && el("q", { class: "caption" }, hit.caption);
  subject.append(el("div", { class: "subject__picture" }, picture), el("p", { class: "subject__text" }, "Query: ", name, caption && ", ", caption));
}
