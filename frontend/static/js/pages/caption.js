// The caption page: asks for heatmaps and shows each picture as it arrives. The address holds caption, item and upload.
import * as api from "../api.js";
import { imageHref, itemHref, streamIndex, streamTitle } from "../bundle.js";
import { el, isPlainClick } from "../dom.js";
import { count, significant, timing } from "../format.js";
import { codeList, ranksOf } from "../parts/bar.js";
import { heatStrip } from "../parts/colormap.js";
import { acceptPictures, sendPicture, sentPicture } from "../parts/drop.js";
import { drawHeatmap, fillPicture, pictureFigure } from "../parts/heatmap.js";
import { readWords } from "../parts/words.js";
import { announce, isAbort, troubleBox } from "../status.js";

const find = (id) => document.getElementById(id);
const [form, subject, trouble, reading, viewer, legends, pictures] = ["query", "subject", "trouble", "reading", "viewer", "legends", "pictures"].map(find);

let request = new AbortController();
let shown = emptyAnswer();

form.addEventListener("submit", (event) => {
  event.preventDefault();
  go({ ...state(), q: form.elements.q.value.trim() });
});
find("examples").addEventListener("click", (event) => {
  const example = event.target.closest("a.chip");
  if (!example || !isPlainClick(event)) return;
  event.preventDefault();
  go({ ...state(), q: example.textContent });
});
subject.addEventListener("click", (event) => {
  if (!event.target.closest("[href^='/caption']") || !isPlainClick(event)) return;
  event.preventDefault();
  go({ q: state().q, item: "", upload: "" });
});
viewer.addEventListener("submit", (event) => event.preventDefault());
viewer.elements.opacity.addEventListener("input", showOpacity);
viewer.elements.patches.addEventListener("change", () => redraw());
acceptPictures(find("drop"), useFile);
addEventListener("popstate", run);
showOpacity();
run();

function state() {
  const given = new URLSearchParams(location.search);
  return { q: given.get("q") ?? "", item: given.get("item") ?? "", upload: given.get("upload") ?? "" };
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
    const upload = await sendPicture(file, signal);
    go({ q: form.elements.q.value.trim(), item: "", upload });
  } catch (error) {
    if (!isAbort(error)) fail(error, () => useFile(file));
  }
}

/** Answers the state in the address; whatever was under way is given up. */
async function run() {
  const wanted = state();
  if (wanted.upload && !sentPicture(wanted.upload)) {
    history.replaceState(null, "", `${location.pathname}${wanted.q ? `?q=${encodeURIComponent(wanted.q)}` : ""}`);
    wanted.upload = "";
  }
  const signal = restart();
  form.elements.q.value = wanted.q;
  showSubject(wanted);
  document.title = `${wanted.q ? `“${wanted.q}”` : "Caption"} · SPARC Explorer`;
  if (!wanted.q) return announce(wanted.item || wanted.upload ? "Write a caption to look for in this picture." : "");
  find("primer")?.remove();
  announce("Reading the caption", { busy: true });
  try {
    for await (const line of api.heatmaps(requestFor(wanted), signal)) {
      if (signal.aborted) return;
      take(line, wanted);
    }
  } catch (error) {
    if (!signal.aborted && !isAbort(error)) fail(error, run);
  }
}

function requestFor({ q, item, upload }) {
  if (upload) return { caption: q, upload_id: upload };
  return item ? { caption: q, item_ids: [item] } : { caption: q };
}

function restart() {
  request.abort();
  request = new AbortController();
  shown = emptyAnswer();
  trouble.replaceChildren();
  pictures.replaceChildren();
  reading.hidden = viewer.hidden = true;
  return request.signal;
}

function emptyAnswer() {
  return { panes: [], figures: new Map(), scale: {}, ranks: new Map(), expected: 0, arrived: 0 };
}

function fail(error, retry) {
  announce("");
  for (const frame of pictures.querySelectorAll("[data-waiting]")) frame.removeAttribute("data-waiting");
  trouble.replaceChildren(troubleBox(error, retry));
}

function take(line, wanted) {
  if (line.kind === "caption") return takeReading(line, wanted);
  if (line.kind === "picture") return takePicture(line);
  Object.assign(shown.scale, line.scale);
  redraw();
  return announce(`${count(shown.arrived, "picture")} in ${timing(line.milliseconds)}`);
}

function takeReading({ words, words_cut: cut, code, item_ids: ids, streams }, { upload }) {
  shown.ranks = ranksOf(code.map((entry) => entry.latent));
  shown.expected = ids.length;
  const nothing = el("p", { class: "reading__note" }, "No latent is active for this caption, so there is nothing to look for.");
  reading.replaceChildren(...readWords(words, cut), code.length ? codeList(code, shown.ranks) : nothing);
  reading.hidden = viewer.hidden = false;
  legends.replaceChildren(...streams.map(legend));
  if (ids.length === 1) legends.append(el("span", { class: "faint" }, "A lone picture sets its own scale: even a faint match looks bright."));
  for (const id of ids) shown.figures.set(id, pictureFigure(id, streams, upload ? sentPicture(upload) : null));
  pictures.classList.toggle("pictures--one", ids.length === 1);
  pictures.replaceChildren(...shown.figures.values());
}

function takePicture(picture) {
  shown.arrived += 1;
  const added = fillPicture(shown.figures.get(picture.item_id), picture, shown.ranks);
  shown.panes.push(...added);
  let grown = false;
  for (const { heatmap } of added) {
    const largest = Math.max(...heatmap.values, 0);
    if (largest <= (shown.scale[heatmap.stream] ?? 0)) continue;
    shown.scale[heatmap.stream] = largest;
    grown = true;
  }
  redraw(grown ? shown.panes : added);
  announce(`${shown.arrived} of ${count(shown.expected, "picture")}`, { busy: true });
}

function redraw(panes = shown.panes) {
  const patches = viewer.elements.patches.checked;
  for (const { canvas, heatmap } of panes) drawHeatmap(canvas, heatmap, shown.scale[heatmap.stream] ?? 0, patches);
  for (const place of legends.querySelectorAll("[data-scale]")) place.textContent = significant(shown.scale[place.dataset.scale] ?? 0);
}

function legend(stream) {
  return el("div", { class: "legend", data: { stream: streamIndex(stream) } },
    el("span", { class: "stream-name" }, streamTitle(stream)), el("span", {}, "0"), heatStrip(),
    el("span", { class: "number", data: { scale: stream } }, "–"));
}

function showOpacity() {
  pictures.style.setProperty("--opacity", viewer.elements.opacity.value / 100);
}

function showSubject({ q, item, upload }) {
  subject.replaceChildren();
  if (!item && !upload) return;
  const picture = el("img", { src: upload ? sentPicture(upload).address : imageHref(item, 112), alt: "", width: 112, height: 112 });
  const name = upload ? "your picture" : el("a", { href: itemHref(item) }, item);
  const leave = el("a", { href: `/caption${q ? `?q=${encodeURIComponent(q)}` : ""}` }, "Look at the best matches instead");
  subject.append(el("div", { class: "subject__picture" }, picture), el("p", { class: "subject__text" }, "Looking at ", name, " only. ", leave));
}
