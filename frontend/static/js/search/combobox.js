// A text box with a list of options below it: the keys and the names that people and screen readers expect of it.
// The focus stays in the box; `aria-activedescendant` says which option the keys are at.

/** The keys of a box and its list. Whoever makes it decides when the list is shown and filled. */
export class Combobox {
  #box;
  #panel;
  #list;
  #active = null;

  /**
   * @param {object} places
   * @param {HTMLInputElement} places.box
   * @param {HTMLElement} places.panel is shown and hidden
   * @param {HTMLElement} places.list holds elements of the role option; those of a busy group cannot be chosen
   */
  constructor({ box, panel, list }) {
    this.#box = box;
    this.#panel = panel;
    this.#list = list;
    for (const [name, value] of Object.entries({ role: "combobox", "aria-controls": list.id, "aria-autocomplete": "list", "aria-expanded": "false", "aria-haspopup": "listbox" })) box.setAttribute(name, value);
    box.addEventListener("keydown", (event) => this.#onKey(event));
  }

  get isOpen() {
    return !this.#panel.hidden;
  }

  open() {
    this.#panel.hidden = false;
    this.#box.setAttribute("aria-expanded", "true");
  }

  close() {
    this.activate(null);
    this.#panel.hidden = true;
    this.#box.setAttribute("aria-expanded", "false");
  }

  /** Makes an option the one that Enter opens; null for none. */
  activate(option) {
    this.#active?.setAttribute("aria-selected", "false");
    this.#active = option;
    if (!option) return this.#box.removeAttribute("aria-activedescendant");
    option.setAttribute("aria-selected", "true");
    option.scrollIntoView({ block: "nearest" });
    this.#box.setAttribute("aria-activedescendant", option.id);
  }

  /** Lets go of an option that is not there any more. */
  settle() {
    if (this.#active && !this.#list.contains(this.#active)) this.activate(null);
  }

  #onKey(event) {
    if (event.isComposing || event.altKey || !this.isOpen) return;
    if (event.key === "Enter" && this.#active) {
      event.preventDefault();
      return void choose(this.#active, event);
    }
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    const next = this.#next(event.key);
    if (next === undefined) return;
    event.preventDefault();
    this.activate(next);
  }

  /** The option that a key leads to, null for the box itself; undefined where the key means something else. */
  #next(key) {
    const options = [...this.#list.querySelectorAll("[role=option]")].filter((option) => !option.closest("[aria-busy]"));
    const at = options.indexOf(this.#active);
    if (!options.length) return undefined;
    if (key === "ArrowDown") return options[at + 1] ?? null;
    if (key === "ArrowUp") return at < 0 ? options.at(-1) : options[at - 1] ?? null;
    if (at < 0) return undefined; // the rest are the text's own keys until an option is reached
    if (key === "Home") return options[0];
    if (key === "End") return options.at(-1);
    const isAcross = this.#active.closest("[data-shape]")?.dataset.shape !== "rows";
    if (isAcross && key === "ArrowRight") return options[at + 1] ?? null;
    if (isAcross && key === "ArrowLeft") return options[at - 1] ?? null;
    return undefined;
  }
}

function choose(option, { ctrlKey, metaKey }) {
  if (option.href && (ctrlKey || metaKey)) window.open(option.href, "_blank", "noopener");
  else option.click();
}
