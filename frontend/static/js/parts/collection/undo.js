// A line that says what was removed and takes it back, for some seconds; what is removed meanwhile joins it.
import { el } from "../../dom.js";

const SHOWN_MS = 10_000;

/** The line at the foot of the collection. */
export class Undo {
  #place;
  #restore;
  #removed = [];
  #pause = 0;

  /**
   * @param {HTMLElement} place
   * @param {(removed: object[]) => void} restore takes back what was removed
   */
  constructor(place, restore) {
    this.#place = place;
    this.#restore = restore;
    for (const name of ["pointerenter", "focusin"]) place.addEventListener(name, () => clearTimeout(this.#pause));
    for (const name of ["pointerleave", "focusout"]) place.addEventListener(name, () => this.#wait());
  }

  /** Says that this was removed. @param {object} entry @param {string} name @param {boolean} focus whether the way back takes the focus */
  offer(entry, name, focus) {
    this.#removed.push(entry);
    const n = this.#removed.length;
    const button = el("button", { class: "button button--small", type: "button", on: { click: () => this.#take() } }, "Undo");
    this.#place.replaceChildren(el("span", {}, n === 1 ? `Removed “${name}”.` : `Removed ${n} entries.`), " ", button);
    this.#wait();
    if (focus) button.focus();
  }

  #wait() {
    clearTimeout(this.#pause);
    if (this.#removed.length) this.#pause = setTimeout(() => this.#close(), SHOWN_MS);
  }

  #take() {
    const removed = this.#removed;
    this.#close();
    this.#restore(removed);
  }

  #close() {
    clearTimeout(this.#pause);
    this.#removed = [];
    this.#place.replaceChildren();
  }
}
