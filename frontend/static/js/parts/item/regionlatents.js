// What a stream sees in a region of an item's picture: the latents of these patches alone.
import * as api from "../../api.js";
import { latentHref, streamIndex, streamTitle } from "../../bundle.js";
import { el } from "../../dom.js";
import { decimal } from "../../format.js";
import { isAbort, troubleBox } from "../../status.js";
import { bar } from "../bar.js";

const LIMIT = 12;

/** The `seen` of item.html. */
export class RegionLatents {
  #place;
  #title;
  #trouble;
  #list;
  #request = new AbortController();

  /** @param {HTMLElement} place */
  constructor(place) {
    this.#place = place;
    [this.#title, this.#trouble, this.#list] = ["h2", "#seen-trouble", "ol"].map((selector) => place.querySelector(selector));
  }

  /**
   * Asks what a stream sees, and shows it; an older question is given up.
   * @param {object} request schemas.LatentSearchRequest with a region
   * @param {() => void} retry asks once more
   * @returns {Promise<boolean>} whether its answer is what is shown now
   */
  async show(request, retry) {
    this.#request.abort();
    this.#request = new AbortController();
    const { signal } = this.#request;
    this.#begin(request.stream);
    try {
      const { latents } = await api.searchLatents({ ...request, limit: LIMIT }, signal);
      if (signal.aborted) return false;
      this.#fill(latents.filter(({ found }) => found === "code"), request.stream);
      return true;
    } catch (error) {
      if (signal.aborted || isAbort(error)) return false;
      this.#list.replaceChildren();
      this.#list.removeAttribute("aria-busy");
      this.#trouble.replaceChildren(troubleBox(error, retry));
      return false;
    }
  }

  /** Shows nothing; a question that is under way is given up. */
  clear() {
    this.#request.abort();
    this.#place.hidden = true;
    this.#list.replaceChildren();
  }

  #begin(stream) {
    this.#place.hidden = false;
    this.#place.dataset.stream = streamIndex(stream);
    this.#title.textContent = `What ${streamTitle(stream)} sees here`;
    this.#trouble.replaceChildren();
    this.#list.setAttribute("aria-busy", "true");
    if (!this.#list.childElementCount) this.#list.append(...Array.from({ length: LIMIT }, () => el("li", { class: "skeleton" })));
  }

  #fill(found, stream) {
    const strongest = Math.max(...found.map(({ score }) => score), 1e-9);
    const rows = found.map(({ latent: { id, name }, score }) =>
      el("li", { data: { latent: id } },
        el("button", { class: "pick", type: "button", "aria-pressed": "false" }, name),
        el("a", { class: "mono faint", href: latentHref(id), title: `About latent ${id}: ${name}` }, id),
        el("span", { class: "number" }, decimal(score)),
        el("span", { class: "ranked__more" }, bar(score / strongest, "stream"))));
    this.#list.replaceChildren(...(rows.length ? rows : [el("li", { class: "empty" }, `${streamTitle(stream)} activates no latent for these patches`)]));
    this.#list.removeAttribute("aria-busy");
  }
}
