// The latents of the map: where they lie, how large they are drawn, and which of them match the filters.
import { decimal, logShare, percent } from "../../format.js";

/** Numbers that points can be coloured by: what is said of them, and where a value lies between 0 and 1. */
export const MEASURES = {
  alignment: { say: (value) => decimal(value), place: (value) => value },
  purity: { say: (value) => decimal(value), place: (value) => value },
  density: { say: percent, place: logShare },
};

/** Points as columns; `n` of them. */
export class MapPoints {
  /** @param {object} map schemas.LatentMap of all latents */
  constructor({ ids, names, items, x, y, density, alignment, purity }) {
    this.n = ids.length;
    [this.ids, this.names, this.items] = [ids, names, items];
    [this.x, this.y] = [Float64Array.from(x), Float64Array.from(y)];
    this.values = { density, alignment, purity };
    this.size = Float32Array.from(density, logShare);
    /** Positions by density, the densest first: who is named and pictured first. */
    this.order = Uint32Array.from(density.keys()).sort((a, b) => density[b] - density[a]);
    this.matching = new Uint8Array(this.n).fill(1);
    const [[left, right], [bottom, top]] = [extentOf([...this.x], [-1, 1]), extentOf([...this.y], [-1, 1])];
    this.box = { left, right, bottom, top };
  }

  /** Says which latents match. @param {number[] | null} ids null: all of them */
  match(ids) {
    if (!ids) return void this.matching.fill(1);
    const wanted = new Set(ids);
    this.ids.forEach((id, i) => (this.matching[i] = wanted.has(id) ? 1 : 0));
  }

  /**
   * The scale of a measure: from its lowest value to the highest of all latents, so that it stays while filters change.
   * @param {keyof typeof MEASURES} name
   */
  scale(name) {
    const { say, place } = MEASURES[name];
    const [lowest, highest] = extentOf(this.values[name].filter((value) => value !== null), [0, 1]);
    const [low, high] = name === "density" ? [lowest, highest] : [0, Math.ceil(10 * highest) / 10 || 1];
    const [from, to] = [place(low), place(high)];
    return { name, low: say(low), high: say(high), share: (value) => Math.min(Math.max((place(value) - from) / (to - from || 1), 0), 1) };
  }

  /** The matching point nearest to a place on the screen; -1 where none is within reach. */
  nearest(camera, px, py, reach) {
    let [found, least] = [-1, reach * reach];
    for (let i = 0; i < this.n; i += 1) {
      if (!this.matching[i]) continue;
      const distance = (camera.px(this.x[i]) - px) ** 2 + (camera.py(this.y[i]) - py) ** 2;
      if (distance < least) [found, least] = [i, distance];
    }
    return found;
  }
}

function extentOf(values, empty) {
  if (!values.length) return empty;
  return values.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]);
}
