// Rows of latents that come in pages: the first page anew, further ones while scrolling.
import { el } from "../dom.js";
import { isAbort, troubleBox } from "../status.js";

const AHEAD = "600px";

/** The rows of a template's `sheet` and `more_rows`. */
export class Rows {
  #list = document.querySelector("#latents");
  #note = document.querySelector("#gallery-note");
  #more = document.querySelector("#more");
  #nearEnd = new IntersectionObserver((entries) => entries.some((entry) => entry.isIntersecting) && this.#loadMore(), { rootMargin: AHEAD });
  #request = new AbortController();
  #loading = false;
  #cursor;
  #how;

  /**
   * @param {object} how
   * @param {(cursor: string, signal: AbortSignal) => Promise<object>} how.ask for a page: `latents` and `next_cursor`
   * @param {(entry: object, page: object) => HTMLElement} how.row
   * @param {string} how.empty said where there is no row
   * @param {(page: object) => void} how.shown after a first page
   */
  constructor(how) {
    this.#how = how;
    this.#cursor = this.#more.dataset.cursor;
    this.#more.addEventListener("click", (event) => {
      event.preventDefault();
      this.#loadMore();
    });
    this.#nearEnd.observe(this.#more);
  }

  /** Asks for the first page; whatever was under way is given up. */
  async reload() {
    this.#request.abort();
    this.#request = new AbortController();
    this.#cursor = "";
    await this.#load((page, rows) => {
      this.#list.replaceChildren(...(rows.length ? rows : [el("li", { class: "empty" }, this.#how.empty)]));
      this.#note.replaceChildren();
      this.#how.shown(page);
    }, () => this.reload());
  }

  async #loadMore() {
    if (this.#loading || !this.#cursor) return;
    await this.#load((_, rows) => this.#list.append(...rows), () => this.#loadMore());
  }

  async #load(show, retry) {
    this.#loading = true;
    const { signal } = this.#request;
    this.#list.setAttribute("aria-busy", "true");
    try {
      const page = await this.#how.ask(this.#cursor, signal);
      if (signal.aborted) return;
      this.#cursor = page.next_cursor ?? "";
      this.#more.hidden = !this.#cursor;
      show(page, page.latents.map((entry) => this.#how.row(entry, page)));
    } catch (error) {
      if (!isAbort(error)) this.#fail(error, retry);
    } finally {
      if (!signal.aborted) this.#rest();
    }
  }

  #fail(error, retry) {
    this.#more.hidden = true;
    this.#note.replaceChildren(troubleBox(error, () => {
      this.#note.replaceChildren();
      retry();
    }));
  }

  /** Has the observer look again: it only reports changes, and a short page may leave the end in sight. */
  #rest() {
    this.#loading = false;
    this.#list.removeAttribute("aria-busy");
    this.#nearEnd.unobserve(this.#more);
    if (this.#cursor) this.#nearEnd.observe(this.#more);
  }
}
