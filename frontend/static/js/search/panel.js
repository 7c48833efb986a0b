// The list under the search box: groups of options, each filled when its answer comes.
import { el } from "../dom.js";
import { count } from "../format.js";
import { isAbort } from "../status.js";
import { retryOption } from "./options.js";

/** Shows groups of suggestions. What it is asked to show last is all that it ever shows. */
export class Panel {
  #list;
  #status;
  #onChange;
  #request = new AbortController();
  #nOptions = 0;

  /**
   * @param {HTMLElement} list the list box
   * @param {HTMLElement} status its live line
   * @param {() => void} onChange the options are others now
   */
  constructor(list, status, onChange) {
    this.#list = list;
    this.#status = status;
    this.#onChange = onChange;
  }

  /** Shows these instead of what was there; whatever was still asked for is given up. @param {import("./groups.js").Group[]} groups */
  async show(groups) {
    this.clear();
    const { signal } = this.#request;
    // A group that stays keeps its old options, dimmed, until the new ones are there.
    const old = new Map([...this.#list.children].map((element) => [element.dataset.key, element]));
    const elements = groups.map((group) => (group.options ? emptyGroup(group) : old.get(group.key) ?? emptyGroup(group)));
    this.#list.replaceChildren(...elements);
    this.#onChange();
    await Promise.all(groups.map((group, i) => this.#fill(elements[i], group, signal)));
    if (signal.aborted || this.#status.textContent || groups.every(({ options }) => options)) return;
    this.#status.textContent = count(this.#list.querySelectorAll("a[role=option]").length, "suggestion");
  }

  /** What is there answers another text than the box holds: nothing of it can be chosen until `show`. */
  expectOther() {
    this.clear();
    for (const group of this.#list.children) group.setAttribute("aria-busy", "true");
  }

  /** Gives up what is asked for. */
  clear() {
    this.#request.abort();
    this.#request = new AbortController();
    this.#status.textContent = "";
  }

  async #fill(element, group, signal) {
    if (group.options) return this.#put(element, group);
    element.setAttribute("aria-busy", "true");
    try {
      const found = await group.ask(signal);
      if (!signal.aborted) this.#put(element, { ...group, ...found });
    } catch (error) {
      if (!signal.aborted && !isAbort(error)) this.#fail(element, group, signal, error);
    }
  }

  #put(element, { title, note = "", options, none = "" }) {
    const [name, about] = element.querySelector(".search__head").children;
    name.textContent = title;
    about.textContent = options.length ? note : "";
    for (const option of options) option.id = `search-option-${this.#nOptions++}`;
    this.#hold(element, options.length ? options : [el("div", { class: "search__none" }, none)]);
  }

  #fail(element, group, signal, error) {
    const again = retryOption(error.message, () => {
      this.#hold(element, skeletons(group));
      this.#fill(element, group, signal);
    });
    again.id = `search-option-${this.#nOptions++}`;
    const hopeless = error.status >= 400 && error.status < 500; // the same request would fail again
    this.#hold(element, [hopeless ? el("div", { class: "search__none" }, error.message) : again]);
    this.#status.textContent = error.message;
  }

  #hold(element, children) {
    element.removeAttribute("aria-busy");
    element.querySelector(".search__options").replaceChildren(...children);
    this.#onChange();
  }
}

function emptyGroup(group) {
  const id = `search-group-${group.key}`;
  return el("div", { class: "search__group", role: "group", "aria-labelledby": id, data: { key: group.key, shape: group.shape } },
    el("div", { class: "search__head", role: "presentation" }, el("span", { class: "search__title", id }, group.title), el("span", { class: "faint" })),
    el("div", { class: "search__options", role: "presentation" }, group.options ? [] : skeletons(group)));
}

function skeletons({ size }) {
  return Array.from({ length: size }, () => el("div", { class: "search__skeleton skeleton", role: "presentation" }));
}
