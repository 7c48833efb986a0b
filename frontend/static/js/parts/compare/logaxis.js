// A logarithmic axis of densities, with a strip before it for those that are 0.

const STRIP = 52; // room for its number beside that of the first density
const ZERO = 14;
const ROOM = 130; // pixels of a power of ten, for its numbers to stand beside each other
const STEPS = [1, 2, 5];

/** Places densities between 0 and 1 along a length. */
export class LogAxis {
  #low;
  #high;
  #strip;

  /**
   * @param {number[]} densities that must fit: the axis ends at the next of 1, 2 and 5 times a power of ten
   * @param {number} length in pixels
   */
  constructor(densities, length) {
    const positive = densities.filter((density) => density > 0);
    this.length = length;
    this.hasZero = positive.length < densities.length;
    this.#strip = this.hasZero ? STRIP : 0;
    const least = positive.reduce((a, b) => Math.min(a, b), 1);
    const most = positive.reduce((a, b) => Math.max(a, b), 0);
    [this.#low, this.#high] = positive.length ? [rounded(least, -1), Math.min(rounded(most, 1), 1)] : [0.01, 1];
    if (this.#low >= this.#high) this.#low = this.#high / 10;
  }

  /** Where the logarithmic part begins. */
  get start() {
    return this.#strip;
  }

  /** Pixels from the axis's beginning. */
  place(density) {
    if (density <= 0) return this.#strip && ZERO;
    return this.#strip + (Math.log(density / this.#low) / Math.log(this.#high / this.#low)) * (this.length - this.#strip);
  }

  /** What is at a place: 0 in the strip, and beyond the ends what lies there. */
  density(place) {
    if (place < this.#strip) return 0;
    return this.#low * (this.#high / this.#low) ** ((place - this.#strip) / (this.length - this.#strip));
  }

  /** Densities to write at the axis: powers of ten, and where there is room between them, 2 and 5 times them. */
  get ticks() {
    const few = (this.length - this.#strip) / Math.log10(this.#high / this.#low) > ROOM;
    const ticks = [];
    for (let power = Math.floor(Math.log10(this.#low)); power <= 0; power += 1) {
      for (const step of few ? STEPS : [1]) ticks.push(Number((step * 10 ** power).toPrecision(1)));
    }
    const slack = 1 + 1e-9;
    return ticks.filter((tick) => tick >= this.#low / slack && tick <= this.#high * slack);
  }
}

/** The next of 1, 2 and 5 times a power of ten, below (-1) or above (1). */
function rounded(value, direction) {
  const power = 10 ** Math.floor(Math.log10(value));
  const candidates = [...STEPS, 10].map((step) => Number((step * power).toPrecision(1)));
  const slack = 1e-9 * value;
  return direction < 0 ? candidates.findLast((one) => one <= value + slack) ?? power : candidates.find((one) => one >= value - slack);
}
