// Pictures of latents on the map: loaded when they are wanted, a few at a time, and kept decoded for a while.
import { imageHref } from "../../bundle.js";

const PIXELS = 112;
const AT_ONCE = 6;
const KEPT = 400;

/** The pictures by item. */
export class MapThumbs {
  #came;
  /** @type {Map<string, ImageBitmap | null>} null: it cannot be had */
  #pictures = new Map();
  #waiting = [];
  #loading = new Set();

  /** @param {() => void} came after a picture can be drawn */
  constructor(came) {
    this.#came = came;
  }

  /** A picture as far as it is there. @returns {ImageBitmap | null} */
  of(itemId) {
    return this.#pictures.get(itemId) ?? null;
  }

  /** Wants these pictures, the first ones soonest, and no others any more. @param {string[]} itemIds */
  want(itemIds) {
    for (const id of itemIds) if (this.#pictures.has(id)) this.#keep(id, this.#pictures.get(id));
    this.#waiting = itemIds.filter((id) => !this.#pictures.has(id) && !this.#loading.has(id));
    this.#loadNext();
  }

  #loadNext() {
    while (this.#waiting.length && this.#loading.size < AT_ONCE) this.#load(this.#waiting.shift());
  }

  async #load(id) {
    this.#loading.add(id);
    this.#keep(id, await decoded(imageHref(id, PIXELS)).catch(() => null));
    this.#loading.delete(id);
    this.#came();
    this.#loadNext();
  }

  #keep(id, picture) {
    this.#pictures.delete(id);
    this.#pictures.set(id, picture);
    if (this.#pictures.size <= KEPT) return;
    const [oldest, unused] = this.#pictures.entries().next().value;
    this.#pictures.delete(oldest);
    unused?.close();
  }
}

/** The middle of a picture as a square. */
async function decoded(address) {
  const image = new Image();
  image.src = address;
  await image.decode();
  const side = Math.min(image.naturalWidth, image.naturalHeight);
  return createImageBitmap(image, (image.naturalWidth - side) / 2, (image.naturalHeight - side) / 2, side, side);
}
