// The caption page: asks for heatmaps and shows each picture as it arrives. The address holds the view (parts/heatmaps/view.js).
import * as api from "../api.js";
import { el, isPlainClick } from "../dom.js";
import { count, timing } from "../format.js";
import { Answer } from "../parts/heatmaps/answer.js";
import { codeList, ranksOf } from "../parts/bar.js";
import { keptDisplay, setDisplay } from "../parts/heatmaps/controls.js";
import { showCall, showPicture } from "../parts/data.js";
import { acceptPictures } from "../parts/drop.js";
import { markIsolated, offerIsolation, showIsolation } from "../parts/heatmaps/isolation.js";
import { namesOf, showMethod } from "../parts/heatmaps/method.js";
import { showSubject, withoutSubject } from "../parts/heatmaps/subject.js";
import { addressOf, currentView, isolates, requestFor, subjectOf } from "../parts/heatmaps/view.js";
import { readWords } from "../parts/words.js";
import { announce, isAbort, troubleBox } from "../status.js";

const find = (id) => document.getElementById(id);
const [form, method, subject, trouble, reading, isolation] = ["query", "method", "subject", "trouble", "reading", "isolation"].map(find);
const places = { pictures: find("pictures"), viewer: find("viewer"), legends: find("legends") };
const { pictures, viewer } = places;

let request = new AbortController();
let answer = new Answer(places, currentView());
// The last caption that was shown whole: its pictures stay while one latent or another method looks at them.
let whole = { subject: "", ids: null, code: [] };
let drawing = 0;

form.addEventListener("submit", (event) => {
  event.preventDefault();
  look(form.elements.q.value.trim());
});
find("examples").addEventListener("click", (event) => {
  const example = event.target.closest("a.chip");
  if (!example || !isPlainClick(event)) return;
  event.preventDefault();
  look(example.textContent);
});
subject.addEventListener("click", (event) => {
  if (!event.target.closest("[data-leave]") || !isPlainClick(event)) return;
  event.preventDefault();
  go(withoutSubject(currentView()));
});
method.addEventListener("change", ({ target: { name, value } }) => go({ ...currentView(), [name]: value }));
for (const place of [reading, pictures, isolation]) {
  place.addEventListener("click", (event) => {
    const button = event.target.closest("[data-isolate]");
    if (button) isolate(button.dataset.isolate);
  });
}
pictures.addEventListener("click", (event) => {
  const item = event.target.closest("[data-save]")?.dataset.save;
  if (item) save(item);
});
viewer.addEventListener("submit", (event) => event.preventDefault());
viewer.addEventListener("input", () => {
  cancelAnimationFrame(drawing);
  drawing = requestAnimationFrame(() => answer.display());
});
viewer.addEventListener("change", () => history.replaceState(history.state, "", addressOf({ ...currentView(), ...keptDisplay(viewer) })));
// Captured, so that a hint or a dialog that Escape closes is still open here.
document.addEventListener("keydown", ({ key, target }) => {
  if (key === "Escape" && !isolation.hidden && !target.matches("select") && !document.querySelector("dialog[open], .hint[open]")) isolate("");
}, true);
acceptPictures(find("drop"), useFile);
addEventListener("popstate", run);
run();

/** Looks for another caption in the same way. */
function look(q) {
  go({ ...currentView(), q, latent: "" });
}

/** Shows one latent alone; the whole caption for "" or the latent that is alone already. */
function isolate(latent) {
  const view = currentView();
  go({ ...view, latent: latent === view.latent ? "" : latent });
}

function go(view) {
  const address = addressOf(view);
  // The ids stay with the address, so that a reload shows the same pictures.
  if (address !== location.pathname + location.search) history.pushState({ ids: keptIds(view) }, "", address);
  run();
}

function keptIds(view) {
  return subjectOf(view) === whole.subject ? whole.ids : null;
}

async function useFile(file) {
  const view = { ...withoutSubject(currentView()), q: form.elements.q.value.trim() };
  const signal = restart(view);
  announce(`Sending ${file.name}`, { busy: true });
  try {
    go({ ...view, upload: (await api.upload(file, signal)).upload_id });
  } catch (error) {
    if (!isAbort(error)) fail(error, () => useFile(file));
  }
}

/** Answers the view in the address; whatever was under way is given up. */
async function run() {
  const view = currentView();
  const signal = restart(view);
  form.elements.q.value = view.q;
  showMethod(method, view);
  setDisplay(viewer, view);
  showSubject(subject, view);
  showAlone(view, whole.code);
  document.title = `${view.q ? `“${view.q}”` : "Caption"} · SPARC Explorer`;
  if (!view.q) return announce(view.item || view.upload ? "Write a caption to look for in this picture." : "");
  find("primer")?.remove();
  announce("Reading the caption", { busy: true });
  const body = requestFor(view, keptIds(view) ?? history.state?.ids ?? null);
  try {
    for await (const line of api.heatmaps(body, signal)) {
      if (signal.aborted) return;
      take(line, view);
      if (line.kind === "caption") showCall("heatmaps", { title: "Heatmaps", method: "POST", path: `${api.ROOT}/heatmaps`, body });
      if (line.kind === "picture" && answer.arrived === 1) showPicture("pictures", "All pictures with heatmaps", () => answer.drawAll([latentAlone() && `Only ${latentAlone()}`, namesOf(method).join(" · ")].filter(Boolean)));
    }
  } catch (error) {
    if (!signal.aborted && !isAbort(error)) fail(error, run);
  }
}

/** Begins anew. Pictures of the same subject stay until their successors come, so that the page keeps its place. */
function restart(view) {
  request.abort();
  request = new AbortController();
  answer = new Answer(places, view);
  trouble.replaceChildren();
  if (pictures.dataset.subject === subjectOf(view)) pictures.setAttribute("aria-busy", "true");
  else clear();
  return request.signal;
}

function clear() {
  pictures.replaceChildren();
  pictures.removeAttribute("aria-busy");
  delete pictures.dataset.subject;
  reading.hidden = viewer.hidden = true;
}

function fail(error, retry) {
  announce("");
  if (answer.expected) answer.end();
  else clear(); // what is on the page answers something else
  trouble.replaceChildren(troubleBox(error, retry));
}

function take(line, view) {
  if (line.kind === "caption") return takeReading(line, view);
  if (line.kind === "trust") return answer.believe(line);
  if (line.kind === "done") {
    answer.end(line.scale);
    return announce(`${count(answer.arrived, "picture")} in ${timing(line.milliseconds)}`);
  }
  answer.add(line);
  const { arrived, expected } = answer;
  const now = arrived < expected ? `${arrived} of ${count(expected, "picture")}` : `${count(arrived, "picture")}; checking how far to believe them`;
  return announce(now, { busy: true });
}

function takeReading({ words, words_cut: cut, code: read, item_ids: ids, streams }, view) {
  const code = view.latent && keptIds(view) ? whole.code : read;
  if (!view.latent) whole = { subject: subjectOf(view), ids, code };
  const ranks = ranksOf(code.map((entry) => entry.latent));
  showReading(words, cut, code, ranks, view);
  showAlone(view, code);
  answer.begin(ids, streams, ranks);
}

/** Shows how the caption was read; left alone where it is there already, so that a focused button stays so. */
function showReading(words, cut, code, ranks, view) {
  const about = JSON.stringify([words, code, isolates(view)]);
  reading.hidden = false;
  if (reading.dataset.about === about) return;
  reading.dataset.about = about;
  const nothing = el("p", { class: "reading__note" }, "No latent is active for this caption, so there is nothing to look for.");
  reading.replaceChildren(...readWords(words, cut), code.length ? codeList(code, ranks) : nothing);
  if (isolates(view)) offerIsolation(reading, view.latent);
}

/** Says which latent is shown alone. Focus moves on where the button that has it goes. */
function showAlone({ latent }, code) {
  const focused = document.activeElement;
  const leaving = isolation.contains(focused) || (pictures.contains(focused) && focused.matches("[data-isolate]"));
  const before = isolation.dataset.latent ?? "";
  showIsolation(isolation, latent, code);
  markIsolated(reading, latent);
  if (!leaving) return;
  const next = latent ? isolation.querySelector("button") : reading.querySelector(`button[data-isolate="${CSS.escape(before)}"]`);
  next?.focus({ preventScroll: true });
}

/** The name of the latent that is shown alone, or "". */
function latentAlone() {
  return isolation.hidden ? "" : isolation.querySelector("b").textContent;
}

async function save(itemId) {
  try {
    await answer.save(itemId, latentAlone(), namesOf(method).slice(0, 2).join(" · "));
  } catch {
    announce("The file could not be made: the picture did not load.");
  }
}
