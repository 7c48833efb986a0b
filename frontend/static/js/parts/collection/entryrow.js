// One starred latent or item: what it looks like, its tags and its note.
import { imageHref, info, itemHref, latentHref } from "../../bundle.js";
import { el } from "../../dom.js";
import { decimal, percent } from "../../format.js";
import { TagField } from "./tagfield.js";

const STRIP_IMAGES = 4;
const TYPING_PAUSE_MS = 400;
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });

/** A row of the collection. It stays in the page while its entry changes, so that nothing that is typed is lost. */
export class EntryRow {
  #entry;
  #media;
  #facts = el("p", { class: "entry__facts" });
  #mark = el("p", { class: "entry__mark" });
  #tags;
  #note;
  #change;
  #missing;
  #pause = 0;

  /**
   * @param {import("../../collection.js").Entry} entry
   * @param {object} how
   * @param {(changed: object) => void} how.change
   * @param {(event: Event) => void} how.remove
   * @param {() => void} how.missing it turned out that the bundle does not have it
   */
  constructor(entry, { change, remove, missing }) {
    this.#entry = entry;
    this.#change = change;
    this.#missing = missing;
    this.#media = mediaOf(entry, () => this.#markMissing());
    this.#tags = new TagField(nameOf(entry), (tags) => change({ tags }));
    this.#note = el("textarea", { class: "entry__note", rows: 1, placeholder: "Write a note", "aria-label": `Note on ${nameOf(entry)}`, on: { input: () => this.#typed(), blur: () => this.flush() } });
    this.element = el("li", { class: `entry entry--${entry.kind}`, data: { kind: entry.kind, id: entry.id } },
      el("div", { class: "entry__media" }, this.#media),
      el("div", { class: "entry__about" }, headOf(entry), this.#facts, this.#mark, this.#tags.element),
      el("div", { class: "entry__noted" }, this.#note),
      el("div", { class: "entry__actions" },
        el("button", { class: "button button--small", type: "button", "aria-label": `Remove ${nameOf(entry)}`, on: { click: remove } }, "Remove")));
    this.#mark.hidden = true;
    if (entry.bundle_id) this.#say(`from another bundle, ${entry.bundle_id.slice(0, 16)}: here its ${entry.kind === "latent" ? "number means another latent" : "id means another item, or none"}`);
    this.show(entry);
  }

  /** True where the bundle was found not to have it. */
  get isMissing() {
    return this.element.hasAttribute("data-missing");
  }

  /** Shows what changed elsewhere, but never over what is being typed. @param {import("../../collection.js").Entry} entry */
  show(entry) {
    this.#entry = entry;
    this.#tags.show(entry.tags);
    if (document.activeElement === this.#note || this.#pause) return;
    if (this.#note.value !== entry.note) this.#note.value = entry.note;
    this.grow();
  }

  /** Shows a latent's strips and numbers; null where the bundle does not have it. @param {object | null} latent schemas.LatentSummary */
  showLatent(latent) {
    if (!latent) return this.#markMissing();
    if (this.#facts.textContent) return; // they are there
    this.#media.replaceChildren(...info.streams.filter(({ modality }) => modality === "image").map((stream) => stripOf(latent, stream)));
    this.#facts.textContent = `alignment ${decimal(latent.alignment)}, density ${percent(latent.density)}, purity ${decimal(latent.purity)}`;
  }

  /** Keeps what was typed last. */
  flush() {
    if (!this.#pause) return;
    clearTimeout(this.#pause);
    this.#pause = 0;
    this.#change({ note: this.#note.value.trim() });
  }

  /** Makes the note as high as its text. */
  grow() {
    this.#note.style.blockSize = "auto";
    this.#note.style.blockSize = `${this.#note.scrollHeight + 2}px`; // and its lines above and below
  }

  #typed() {
    this.grow();
    clearTimeout(this.#pause);
    this.#pause = setTimeout(() => this.flush(), TYPING_PAUSE_MS);
  }

  #markMissing() {
    this.#media.replaceChildren(el("p", { class: "entry__missing" }, "no picture"));
    if (!this.#entry.bundle_id) this.#say(`not in this bundle: it has no such ${this.#entry.kind}`);
    if (this.isMissing) return;
    this.element.toggleAttribute("data-missing", true);
    this.#missing();
  }

  #say(text) {
    this.#mark.textContent = text;
    this.#mark.hidden = false;
  }
}

/** Address of a picture that stands for a latent: the strongest item of the first image stream that uses it; null where none does. @param {object | null} latent schemas.LatentSummary */
export function pictureOfLatent(latent, size) {
  const [strongest] = info.streams.filter(({ modality }) => modality === "image").flatMap(({ name }) => latent?.strips[name]?.slice(0, 1) ?? []);
  return strongest === undefined ? null : imageHref(strongest, size);
}

/** What an entry is called: its name, or its kind and id. */
export function nameOf({ kind, id, name }) {
  return name || `${kind} ${id}`;
}

/** Address of an entry's page; null where another bundle means something else by it. */
export function hrefOf({ kind, id, bundle_id: foreign }) {
  if (foreign) return null;
  return kind === "latent" ? latentHref(id) : itemHref(id);
}

function headOf(entry) {
  const href = hrefOf(entry);
  const name = href ? el("a", { href }, nameOf(entry)) : nameOf(entry);
  return [
    el("p", { class: "entry__id" }, entry.kind, " ", el("span", { class: "mono" }, entry.id), `, starred ${DAY.format(new Date(entry.at))}`),
    el("h2", { class: entry.kind === "item" ? "entry__name caption" : "entry__name" }, name),
  ];
}

function mediaOf(entry, unknown) {
  if (entry.bundle_id) return el("div", { class: "entry__strips" }, el("p", { class: "entry__missing" }, "no picture"));
  if (entry.kind === "latent") return el("div", { class: "entry__strips" }, info.streams.filter(({ modality }) => modality === "image").map(() => el("span", { class: "entry__strip skeleton" })));
  const picture = el("img", { src: imageHref(entry.id, 112), alt: "", width: 112, height: 112, loading: "lazy", decoding: "async", on: { error: unknown } });
  return el("div", { class: "entry__picture" }, picture);
}

function stripOf(latent, stream) {
  const items = latent.strips[stream.name] ?? [];
  if (!items.length) return el("p", { class: "entry__strip entry__missing" }, `never active in ${stream.title}`);
  return el("ul", { class: "entry__strip", "aria-label": `Strongest items in ${stream.title}`, data: { stream: info.streams.indexOf(stream) } },
    items.slice(0, STRIP_IMAGES).map((itemId) => el("li", {}, el("img", { src: imageHref(itemId, 112), alt: `item ${itemId}`, width: 112, height: 112, loading: "lazy", decoding: "async" }))));
}
