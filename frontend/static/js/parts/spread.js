// How the latents are spread over a number, as small bars above its bounds; dragging over them sets the bounds.

const DIGITS = 3;

/** The bars of gallery.html's `bounds`. The inputs below them are the way for keys, and for who sees no bars. */
export class Spread {
  #place;
  #bars;
  #edges;
  #low;
  #high;
  #from = null; // the bar where dragging began

  /** @param {HTMLElement} place @param {HTMLFormElement} form holds the inputs of the bounds */
  constructor(place, form) {
    this.#place = place;
    this.#bars = [...place.children];
    this.#edges = place.dataset.edges.split(" ").map(Number);
    this.name = place.dataset.spread;
    [this.#low, this.#high] = [form.elements[`min_${this.name}`], form.elements[`max_${this.name}`]];
    place.addEventListener("pointerdown", (event) => this.#begin(event));
    place.addEventListener("pointermove", (event) => this.#drag(event));
    for (const name of ["pointerup", "pointercancel"]) place.addEventListener(name, () => this.#end());
    for (const input of [this.#low, this.#high]) input.addEventListener("input", () => this.showBounds());
  }

  /** Shows other counts. @param {{counts: number[]}} spread schemas.Spread */
  show({ counts }) {
    const most = Math.max(...counts, 1);
    this.#bars.forEach((bar, i) => {
      bar.style.setProperty("--share", (counts[i] / most).toFixed(4));
      bar.toggleAttribute("data-some", counts[i] > 0);
    });
  }

  /** Shows which bars lie inside the bounds. */
  showBounds() {
    const low = this.#low.value === "" ? -1 : Number(this.#low.value);
    const high = this.#high.value === "" ? 2 : Number(this.#high.value);
    this.#bars.forEach((bar, i) => bar.toggleAttribute("data-in", this.#edges[i + 1] > low && this.#edges[i] <= high));
  }

  #begin(event) {
    if (event.button) return;
    event.preventDefault();
    this.#place.setPointerCapture(event.pointerId);
    this.#from = this.#barAt(event);
    this.#take(this.#from);
  }

  #drag(event) {
    if (this.#from !== null) this.#take(this.#barAt(event));
  }

  #end() {
    if (this.#from === null) return;
    this.#from = null;
    this.#high.dispatchEvent(new Event("change", { bubbles: true }));
  }

  #barAt({ clientX }) {
    const { left, width } = this.#place.getBoundingClientRect();
    return Math.min(Math.max(Math.floor(((clientX - left) / width) * this.#bars.length), 0), this.#bars.length - 1);
  }

  /** Bounds that reach the end of the axis need not be said. */
  #take(to) {
    const [first, last] = [Math.min(this.#from, to), Math.max(this.#from, to)];
    this.#low.value = first === 0 ? "" : Number(this.#edges[first].toPrecision(DIGITS));
    this.#high.value = last === this.#bars.length - 1 ? "" : Number(this.#edges[last + 1].toPrecision(DIGITS));
    this.showBounds();
  }
}
