// Latents as points by their densities in two streams, on a canvas: on the page and as a picture.
import { el } from "../../dom.js";
import { significant } from "../../format.js";
import { LogAxis } from "./logaxis.js";

const MARGIN = { left: 58, right: 20, top: 20, bottom: 46 };
const TEXT_PX = 12;
const MANY = 1000;
const TWICE = 2;

/** Places of all latents in a square. */
export class Cloud {
  /**
   * @param {object} pairs schemas.LatentPairs
   * @param {number} side of the square, in pixels
   */
  constructor(pairs, side) {
    const { first_density: first, second_density: second } = pairs;
    this.pairs = pairs;
    this.side = side;
    // One axis for both, so that the diagonal is where streams use a latent equally often.
    this.axis = new LogAxis([...first, ...second], Math.min(side - MARGIN.left - MARGIN.right, side - MARGIN.top - MARGIN.bottom));
    this.x = first.map((density) => MARGIN.left + this.axis.place(density));
    this.y = second.map((density) => this.#bottom - this.axis.place(density));
  }

  get #bottom() {
    return this.side - MARGIN.bottom;
  }

  /** The point that is nearest, at most `reach` pixels away; -1 where there is none. */
  nearest(x, y, reach) {
    let [best, least] = [-1, reach ** 2];
    for (let i = 0; i < this.x.length; i += 1) {
      const distance = (this.x[i] - x) ** 2 + (this.y[i] - y) ** 2;
      if (distance <= least) [best, least] = [i, distance];
    }
    return best;
  }

  /** The densities within a box of pixels: [least, most] of the first stream, then of the second. */
  densities({ left, right, top, bottom }) {
    const along = [left, right].map((x) => this.axis.density(x - MARGIN.left));
    const upwards = [bottom, top].map((y) => this.axis.density(this.#bottom - y));
    return [...along, ...upwards];
  }

  /** The box of pixels of such densities. */
  box([x0, x1, y0, y1]) {
    const along = [x0, x1].map((density) => MARGIN.left + this.#edge(density));
    const upwards = [y0, y1].map((density) => this.#bottom - this.#edge(density));
    return { left: along[0], right: along[1], top: upwards[1], bottom: upwards[0] };
  }

  #edge(density) {
    return density > 0 ? Math.min(Math.max(this.axis.place(density), this.axis.start), this.axis.length) : 0;
  }

  /**
   * Draws everything.
   * @param {CanvasRenderingContext2D} context
   * @param {object} how
   * @param {[string, string]} how.titles of the streams
   * @param {Set<number> | null} how.chosen positions that stand out; null: all alike
   * @param {import("./palette.js").Palette} how.palette
   */
  draw(context, { titles, chosen, palette }) {
    context.font = `${TEXT_PX}px ${palette.family}`;
    context.lineWidth = 1;
    this.#drawGrid(context, palette);
    this.#drawTitles(context, titles, palette);
    this.#drawPoints(context, chosen, palette);
  }

  #drawGrid(context, palette) {
    const { length, start } = this.axis;
    const [left, bottom] = [MARGIN.left, this.#bottom];
    context.fillStyle = palette.muted;
    const ticks = [...(this.axis.hasZero ? [0] : []), ...this.axis.ticks];
    for (const tick of ticks) {
      const at = Math.round(this.axis.place(tick)) + 0.5;
      const text = `${significant(100 * tick)}%`;
      if (tick) {
        line(context, palette.line, [left + at, bottom], [left + at, bottom - length]);
        line(context, palette.line, [left, bottom - at], [left + length, bottom - at]);
      }
      write(context, text, left + at, bottom + 6, "center", "top");
      write(context, text, left - 8, bottom - at, "right", "middle");
    }
    const corner = [left + start, bottom - start];
    const end = [left + length, bottom - length];
    line(context, palette.strong, corner, end);
    const off = this.axis.place(TWICE * this.axis.density(start + 1)) - start - 1;
    for (const [dx, dy] of [[off, 0], [0, off]]) line(context, palette.strong, [corner[0] + dx, corner[1] - dy], [end[0] - dy, end[1] + dx], [2, 4]);
    line(context, palette.strong, [left, bottom], [left + length, bottom]);
    line(context, palette.strong, [left, bottom], [left, bottom - length]);
  }

  #drawTitles(context, [first, second], palette) {
    context.fillStyle = palette.ink;
    const middle = this.axis.length / 2;
    write(context, `density in ${first}`, MARGIN.left + middle, this.side - 6, "center", "bottom");
    context.save();
    context.translate(6, this.#bottom - middle);
    context.rotate(-Math.PI / 2);
    write(context, `density in ${second}`, 0, 0, "center", "top");
    context.restore();
  }

  /** Those that agree least first, so that the few that agree are not hidden; those that stand out last. */
  #drawPoints(context, chosen, palette) {
    const { alignment } = this.pairs;
    const [radius, faint] = this.x.length > MANY ? [2.2, 0.07] : [3.4, 0.16];
    const order = [...this.x.keys()].sort((a, b) => (chosen?.has(a) ?? 0) - (chosen?.has(b) ?? 0) || (alignment[a] ?? -1) - (alignment[b] ?? -1));
    for (const i of order) {
      context.globalAlpha = !chosen || chosen.has(i) ? 0.9 : faint;
      context.beginPath();
      context.arc(this.x[i], this.y[i], radius, 0, 2 * Math.PI);
      if (alignment[i] === null) {
        context.strokeStyle = palette.muted;
        context.stroke();
      } else {
        context.fillStyle = palette.of(alignment[i]);
        context.fill();
      }
    }
    context.globalAlpha = 1;
  }
}

/** A legend strip: overlaps from 0 to 1. @param {import("./palette.js").Palette} palette @returns {HTMLCanvasElement} */
export function overlapStrip(palette) {
  const canvas = el("canvas", { width: 100, height: 1, "aria-hidden": "true" });
  const context = canvas.getContext("2d");
  for (let x = 0; x < canvas.width; x += 1) {
    context.fillStyle = palette.of(x / (canvas.width - 1));
    context.fillRect(x, 0, 1, 1);
  }
  return canvas;
}

function line(context, colour, [x1, y1], [x2, y2], dashes = []) {
  context.strokeStyle = colour;
  context.setLineDash(dashes);
  context.beginPath();
  context.moveTo(x1, y1);
  context.lineTo(x2, y2);
  context.stroke();
  context.setLineDash([]);
}

function write(context, text, x, y, align, baseline) {
  [context.textAlign, context.textBaseline] = [align, baseline];
  context.fillText(text, x, y);
}
