// The picture that is searched by: on its way to the server, or there already; a chip in the search box.
import * as api from "../api.js";
import { el } from "../dom.js";

const CHIP_PIXELS = 28;

/** At most one picture. */
export class Picture {
  #place;
  #onChange;
  #file = null;
  #upload = "";
  #sending = null;
  #request = new AbortController();

  /** @param {HTMLElement} place of the chip @param {() => void} onChange the picture is another, or has arrived */
  constructor(place, onChange) {
    this.#place = place;
    this.#onChange = onChange;
  }

  /** Id of the picture, as soon as the server has it; else "". */
  get upload() {
    return this.#upload;
  }

  /** True while there is a picture that the server does not have. */
  get isUnsent() {
    return this.#file !== null && !this.#upload;
  }

  get isThere() {
    return this.#file !== null;
  }

  /** @param {File} file instead of the picture that is there */
  take(file) {
    this.#forget();
    this.#file = file;
    const address = URL.createObjectURL(file);
    const img = el("img", { src: address, alt: "your picture", width: CHIP_PIXELS, height: CHIP_PIXELS, on: { load: () => URL.revokeObjectURL(address), error: () => URL.revokeObjectURL(address) } });
    this.#place.replaceChildren(img, el("button", { class: "search__remove", type: "button", "aria-label": "Remove the picture", title: "Remove the picture", on: { click: () => this.remove() } }, "×"));
    this.#place.hidden = false;
    this.#onChange();
  }

  remove() {
    this.#forget();
    this.#onChange();
  }

  /** Sends it, unless it is on its way or there already; where that failed, once more. Rejects as `api.upload`. */
  send() {
    this.#sending ??= this.#send(this.#request.signal);
    return this.#sending;
  }

  async #send(signal) {
    this.#place.setAttribute("aria-busy", "true");
    try {
      const { upload_id: upload } = await api.upload(this.#file, signal);
      if (signal.aborted) return;
      this.#upload = upload;
      this.#onChange();
    } catch (error) {
      if (!signal.aborted) this.#sending = null;
      throw error;
    } finally {
      if (!signal.aborted) this.#place.removeAttribute("aria-busy");
    }
  }

  #forget() {
    this.#request.abort();
    this.#request = new AbortController();
    this.#file = this.#sending = null;
    this.#upload = "";
    this.#place.replaceChildren();
    this.#place.removeAttribute("aria-busy");
    this.#place.hidden = true;
  }
}
