// Which part of the map is on the screen. Places of the map lie within -1 and 1, up is more; those of the screen in pixels.

const CLOSEST = 80; // times as large as the whole map
const MARGIN = 0.06; // around the whole map, of its size
const MOST_STRETCH = 2; // a map has no natural width: it may be so much wider than high, to fill the screen

/** A view of the map. */
export class MapCamera {
  #box = { left: -1, right: 1, bottom: -1, top: 1 };
  #scale = { x: 1, y: 1 }; // pixels of one unit, when the whole map is shown
  width = 1;
  height = 1;

  constructor() {
    this.showAll();
  }

  /** Gives the screen's size in pixels, and the box around all latents. */
  fit(width, height, box) {
    [this.width, this.height, this.#box] = [width, height, box];
    const x = width / ((box.right - box.left) * (1 + 2 * MARGIN) || 1);
    const y = height / ((box.top - box.bottom) * (1 + 2 * MARGIN) || 1);
    this.#scale = { x: Math.min(x, MOST_STRETCH * y), y: Math.min(y, MOST_STRETCH * x) };
    if (this.zoom === 1) this.showAll();
  }

  /** Shows the whole map. */
  showAll() {
    const { left, right, bottom, top } = this.#box;
    this.set([(left + right) / 2, (bottom + top) / 2, 1]);
  }

  /** The middle and how much closer than the whole map, to be kept. @returns {[number, number, number]} */
  get view() {
    return [this.x, this.y, this.zoom];
  }

  /** @param {[number, number, number]} view */
  set([x, y, zoom]) {
    this.zoom = Math.min(Math.max(zoom, 1), CLOSEST);
    this.x = Math.min(Math.max(x, this.#box.left), this.#box.right);
    this.y = Math.min(Math.max(y, this.#box.bottom), this.#box.top);
  }

  /** Where a place of the map is on the screen. */
  px(x) {
    return (x - this.x) * this.#scale.x * this.zoom + this.width / 2;
  }

  /** See px. */
  py(y) {
    return (this.y - y) * this.#scale.y * this.zoom + this.height / 2;
  }

  /** The place of the map at a pixel. @returns {[number, number]} */
  placeAt(px, py) {
    return [this.x + (px - this.width / 2) / (this.#scale.x * this.zoom), this.y - (py - this.height / 2) / (this.#scale.y * this.zoom)];
  }

  /** Moves the map by pixels. */
  pan(dx, dy) {
    this.set([this.x - dx / (this.#scale.x * this.zoom), this.y + dy / (this.#scale.y * this.zoom), this.zoom]);
  }

  /** The view `factor` times as close, in which what is at a pixel stays there. @returns {[number, number, number]} */
  closer(factor, px = this.width / 2, py = this.height / 2) {
    const zoom = Math.min(Math.max(this.zoom * factor, 1), CLOSEST);
    const [x, y] = this.placeAt(px, py);
    const part = this.zoom / zoom;
    return [x + (this.x - x) * part, y + (this.y - y) * part, zoom];
  }
}
