// An entry's tags, and where one is typed.
import { el } from "../../dom.js";
import { tagsIn } from "./collectionfile.js";

/** Tags that can be added (Enter or a comma) and removed. */
export class TagField {
  #tags = [];
  #list = el("ul", { class: "tag-list" });
  #box;
  #changed;

  /**
   * @param {string} name of what is tagged
   * @param {(tags: string[]) => void} changed
   */
  constructor(name, changed) {
    this.#changed = changed;
    this.#box = el("input", { class: "tag-box", type: "text", list: "used-tags", maxlength: 60, placeholder: "add a tag", "aria-label": `Add a tag to ${name}`, autocomplete: "off", spellcheck: "false" });
    this.#box.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== ",") return;
      event.preventDefault();
      this.#add();
    });
    this.#box.addEventListener("change", () => this.#add()); // chosen from the list, or left
    this.element = el("div", { class: "tag-field" }, this.#list, this.#box);
  }

  /** @param {string[]} tags */
  show(tags) {
    if (tags.join() === this.#tags.join()) return; // tags have no commas
    this.#tags = tags;
    this.#list.replaceChildren(...tags.map((tag) => this.#tag(tag)));
  }

  #tag(tag) {
    const remove = () => {
      this.#change(this.#tags.filter((one) => one !== tag));
      this.#box.focus();
    };
    return el("li", { class: "tag" }, tag, el("button", { class: "tag__remove", type: "button", "aria-label": `Remove the tag ${tag}`, on: { click: remove } }, "×"));
  }

  #add() {
    const typed = tagsIn(this.#box.value);
    this.#box.value = "";
    if (typed.length) this.#change([...new Set([...this.#tags, ...typed])]);
  }

  #change(tags) {
    this.show(tags);
    this.#changed(tags);
  }
}
