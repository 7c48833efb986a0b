// Test your own: a text or picture on the page's latent. The address holds what is tested.
import * as api from "../../api.js";
import { readersOf, streamTitle, uploadHref } from "../../bundle.js";
import { el, isPlainClick } from "../../dom.js";
import { decimal, significant } from "../../format.js";
import { announce, isAbort, troubleBox } from "../../status.js";
import { heatStrip } from "../colormap.js";
import { showCall } from "../data.js";
import { acceptPictures } from "../drop.js";
import { drawHeatmap, largest } from "../heatmaps/heatmap.js";
import { change, currentView, latentId } from "./latentview.js";
import { byArea, heatBox, place } from "../heatmaps/overlay.js";
import { commonTop, triedStream } from "./tried.js";

const PICTURE_PIXELS = 448;
const OPACITY = 0.68; // as the caption page begins
const find = (id) => document.getElementById(id);

/** The section of latent_test.html. */
export class LatentTest {
  #form = find("test-form");
  #place = find("tested");
  #trouble = find("test-trouble");
  #request = new AbortController();
  #shown = "";
  #asked = false; // on this page, rather than by its address: then the answer comes into sight

  constructor() {
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#try({ try: this.#text.value.trim(), upload: "" });
    });
    find("test-tries")?.addEventListener("click", (event) => {
      const example = event.target.closest("a.chip");
      if (!example || !isPlainClick(event)) return;
      event.preventDefault();
      this.#try({ try: example.textContent, upload: "" });
    });
    if (!find("test-drop")) return;
    acceptPictures(find("test-drop"), (file) => this.#useFile(file));
    find("test").addEventListener("paste", (event) => {
      const file = [...event.clipboardData.files].find(({ type }) => type.startsWith("image/"));
      if (!file) return;
      event.preventDefault();
      event.stopPropagation(); // elsewhere, the search box takes it
      this.#useFile(file);
    });
  }

  /** Tests what the address says; whatever was under way is given up. */
  follow() {
    const view = currentView();
    const about = JSON.stringify([view.try, view.upload]);
    if (about === this.#shown) return;
    this.#shown = about;
    if (this.#text) this.#text.value = view.try;
    this.#run(view);
  }

  get #text() {
    return this.#form.elements.try;
  }

  #try(tested) {
    change(tested);
    this.#asked = true;
    this.follow();
  }

  async #useFile(file) {
    const signal = this.#restart("image");
    this.#shown = "";
    announce(`Sending ${file.name}`, { busy: true });
    find("test").scrollIntoView({ block: "nearest" });
    try {
      const { upload_id: upload } = await api.upload(file, signal);
      if (!signal.aborted) this.#try({ try: "", upload });
    } catch (error) {
      if (!isAbort(error)) this.#fail(error, () => this.#useFile(file));
    }
  }

  async #run({ try: text, upload }) {
    const kind = upload ? "image" : "text";
    const signal = this.#restart(text || upload ? kind : "");
    if (!text && !upload) return;
    const request = upload ? { upload_id: upload } : { text };
    announce("Testing", { busy: true });
    try {
      const answer = await api.testLatent(latentId, request, signal);
      if (signal.aborted) return;
      showCall("test", { title: upload ? "Your picture, tested" : "Your text, tested", method: "POST", path: `${api.ROOT}/latents/${latentId}/activation`, body: request });
      this.#show(answer, upload, signal);
    } catch (error) {
      if (!signal.aborted && !isAbort(error)) this.#fail(error, () => this.#run({ try: text, upload }));
    }
  }

  /** Makes room for the answer. @param {string} kind "text" or "image"; "" where nothing is tested */
  #restart(kind) {
    this.#request.abort();
    this.#request = new AbortController();
    this.#trouble.replaceChildren();
    for (const key of ["test", "test-heat"]) showCall(key, null);
    this.#place.hidden = !kind;
    this.#place.replaceChildren(...(kind ? readersOf(kind).map(() => el("div", { class: "skeleton" })) : []));
    return this.#request.signal;
  }

  #fail(error, retry) {
    announce("");
    this.#shown = "";
    this.#place.hidden = true;
    this.#trouble.replaceChildren(troubleBox(error, retry));
  }

  #show({ streams }, upload, signal) {
    const top = commonTop(streams);
    const frames = new Map(upload ? streams.map(({ stream }) => [stream, pictureFrame(upload)]) : []);
    this.#place.replaceChildren(...streams.map((tried) => triedStream(tried, top, frames.get(tried.stream) ?? null)));
    announce(streams.map(({ stream, activation }) => `${streamTitle(stream)}: ${activation > 0 ? decimal(activation) : "not active"}`).join(", "));
    if (this.#asked) this.#place.scrollIntoView({ block: "nearest" });
    if (upload) this.#look(upload, frames, signal);
  }

  /** Shows where in a sent picture the latent is. */
  async #look(upload, frames, signal) {
    const note = el("div", { class: "tested__note" });
    this.#place.append(note);
    const body = { latents: [latentId], upload_id: upload, streams: [...frames.keys()] };
    try {
      for await (const line of api.heatmaps(body, signal)) {
        if (signal.aborted) return;
        if (line.kind === "picture") drawAll(line.heatmaps, frames, note);
      }
      showCall("test-heat", { title: "Where in your picture", method: "POST", path: `${api.ROOT}/heatmaps`, body });
    } catch (error) {
      if (signal.aborted || isAbort(error)) return;
      for (const frame of frames.values()) frame.removeAttribute("data-waiting");
      note.replaceChildren(troubleBox(error, () => this.#lookAgain(note, upload, frames)));
    }
  }

  #lookAgain(note, upload, frames) {
    note.remove();
    for (const frame of frames.values()) frame.setAttribute("data-waiting", "");
    this.#look(upload, frames, this.#request.signal);
  }
}

/** A sent picture whose heatmap is still to come. */
function pictureFrame(upload) {
  const img = el("img", { src: uploadHref(upload, PICTURE_PIXELS), alt: "your picture", width: PICTURE_PIXELS, height: PICTURE_PIXELS });
  const frame = el("div", { class: "pane__frame", style: `--ratio:1;--opacity:${OPACITY}`, "data-waiting": true }, img);
  img.addEventListener("load", () => frame.style.setProperty("--ratio", img.naturalWidth / img.naturalHeight), { once: true });
  return frame;
}

function drawAll(heatmaps, frames, note) {
  const shown = heatmaps.map(byArea);
  const scale = Math.max(...shown.map(largest));
  for (const heatmap of shown) {
    const frame = frames.get(heatmap.stream);
    const canvas = el("canvas", { class: "fade-in", role: "img", "aria-label": heatmap.note ?? `heatmap, logit ${decimal(heatmap.score)}` });
    place(canvas, heatBox(heatmap.window));
    drawHeatmap(canvas, heatmap, { scale, threshold: 0, patches: false });
    frame.append(canvas);
    frame.removeAttribute("data-waiting");
  }
  const strip = el("span", { class: "heat-strip" }, heatStrip());
  note.replaceChildren(...(scale > 0
    ? [el("span", { class: "heat-bar__legend" }, el("span", {}, "0"), strip, el("span", {}, `${significant(scale)} per 1% of the area`)), el("span", {}, "Your picture sets its own scale, so even a faint match looks bright: the bars say how strong it is.")]
    : [el("span", {}, "No place in your picture speaks for this latent.")]));
}
