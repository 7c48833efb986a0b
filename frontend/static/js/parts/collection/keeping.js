// The collection as a file and as a link: export, import, share, and what comes in either way.
import { info } from "../../bundle.js";
import { entries, keep } from "../../collection.js";
import { el } from "../../dom.js";
import { announce, troubleBox } from "../../status.js";
import { CollectionError, documentOf, entriesHere, merge, readDocument } from "./collectionfile.js";
import { csvOf } from "../csv.js";
import { acceptDocuments } from "./documentdrop.js";
import { fileName, saveBlob } from "../files.js";
import { offerPanel } from "./offer.js";
import { isShared, sharedCollection, shareLink } from "./sharelink.js";

const LONG_LINK = 8000; // characters; some mail and chat programs cut off what is longer
const MOST_BYTES = 5_000_000;

/** The buttons above the collection, and what they and links bring. */
export class Keeping {
  #place;
  #offer;

  /** @param {HTMLElement} place of the buttons @param {HTMLElement} offer where collections from elsewhere, and troubles, are shown */
  constructor(place, offer) {
    this.#place = place;
    this.#offer = offer;
    const acts = { json: () => this.#saveJson(), csv: saveCsv, link: () => this.#copyLink() };
    place.addEventListener("click", ({ target }) => acts[target.closest("[data-keep]")?.dataset.keep]?.());
    acceptDocuments(place.querySelector(".keep__file"), (file) => this.#import(file));
    addEventListener("hashchange", () => this.openShared());
    place.hidden = false;
  }

  /** Nothing can be kept of an empty collection. */
  allow(any) {
    for (const button of this.#place.querySelectorAll("[data-keep]")) button.disabled = !any;
  }

  /** Shows the collection of the address's fragment, if there is one. */
  async openShared() {
    const { hash } = location;
    if (!isShared(hash)) return;
    try {
      const found = await sharedCollection(hash);
      if (location.hash === hash) this.#show("Shared collection", found, leaveFragment);
    } catch (error) {
      this.#fail(error, leaveFragment);
    }
  }

  async #import(file) {
    try {
      if (file.size > MOST_BYTES) throw new CollectionError(`${file.name} is larger than the 5 MB that a collection may have: choose a file that “Export JSON” has written.`);
      const found = readDocument(await file.text());
      const here = entriesHere(found);
      if (here.some((entry) => entry.bundle_id)) this.#show("File of another bundle", found, () => {});
      else this.#add(here, () => {});
    } catch (error) {
      this.#fail(error, () => {}, " Nothing was imported.");
    }
  }

  /** Adds these, and says what came of it. */
  #add(theirs, done) {
    const { entries: all, added, changed } = merge(entries(), theirs);
    keep(all);
    this.#close(done);
    const same = theirs.length - added - changed;
    const parts = [added && `${added} added`, changed && `${changed} united with yours`, same && `${same} there already`].filter(Boolean);
    announce(parts.length ? `${parts.join(", ")}.` : "This collection is empty: nothing was added.");
  }

  #show(title, found, done) {
    const panel = offerPanel(title, found, { add: (chosen) => this.#add(chosen, done), dismiss: () => this.#close(done) });
    this.#offer.replaceChildren(panel);
    panel.querySelector("h2").focus();
  }

  #fail(error, done, more = "") {
    if (!(error instanceof CollectionError)) throw error;
    const box = troubleBox({ message: error.message + more });
    box.append(el("button", { class: "button", type: "button", on: { click: () => this.#close(done) } }, "Dismiss"));
    this.#offer.replaceChildren(box);
  }

  #close(done) {
    this.#offer.replaceChildren();
    done();
  }

  #saveJson() {
    const text = JSON.stringify({ ...documentOf(entries()), exported_at: new Date().toISOString() }, null, 2);
    saveBlob(new Blob([text], { type: "application/json" }), fileName("json", "SPARC collection", info.corpus, info.bundle_id));
  }

  async #copyLink() {
    const link = await shareLink(entries());
    if (link.length <= LONG_LINK) return this.#copy(link);
    this.#offer.replaceChildren(el("div", { class: "notice long-link" },
      el("p", {}, `The link is ${link.length.toLocaleString("en")} characters long, and many programs cut off what is longer than ${LONG_LINK.toLocaleString("en")}. Export the collection as a file instead.`),
      el("p", { class: "offer__choices" },
        el("button", { class: "button button--main", type: "button", on: { click: () => this.#saveJson() } }, "Export JSON"),
        el("button", { class: "button", type: "button", on: { click: () => this.#copy(link) } }, "Copy it all the same"),
        el("button", { class: "button", type: "button", on: { click: () => this.#close(() => {}) } }, "Dismiss"))));
  }

  async #copy(link) {
    try {
      await navigator.clipboard.writeText(link);
      this.#offer.replaceChildren();
      announce(`Link copied, ${link.length.toLocaleString("en")} characters. It holds the whole collection; nothing of it goes to the server.`);
    } catch {
      const box = el("input", { type: "text", readonly: true, value: link, "aria-label": "The link to share", on: { focus: ({ target }) => target.select() } });
      this.#offer.replaceChildren(el("div", { class: "notice long-link" }, el("p", {}, "The browser does not allow copying: copy the link from here."), box));
      box.focus();
    }
  }
}

function saveCsv() {
  const text = csvOf(JSON.stringify(entries()));
  saveBlob(new Blob([text], { type: "text/csv" }), fileName("csv", "SPARC collection", info.corpus, info.bundle_id));
}

function leaveFragment() {
  history.replaceState(history.state, "", location.pathname + location.search);
}
