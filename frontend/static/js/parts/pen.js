// Text on a canvas in the page's own fonts and colours: lines of a width, written from their upper edge.

const LEADING = 1.35;
const STYLES = {
  title: { size: 34, weight: 400, family: "--serif", colour: "--ink" },
  strong: { size: 21, weight: 600, family: "--sans", colour: "--ink" },
  plain: { size: 17, weight: 400, family: "--sans", colour: "--ink" },
  muted: { size: 17, weight: 400, family: "--sans", colour: "--muted" },
};

/** Height of a line. @param {keyof typeof STYLES} style */
export function lineHeight(style) {
  return STYLES[style].size * LEADING;
}

/** Writes and measures on a canvas. */
export class Pen {
  #token = lightTokens();

  /** @param {CanvasRenderingContext2D} context */
  constructor(context) {
    this.context = context;
  }

  /** Fills a box. @param {string} token name of a colour */
  fill(token, x, y, width, height) {
    this.context.fillStyle = this.#token.colour(token);
    this.context.fillRect(x, y, width, height);
  }

  /** Writes one line; `x` is its left end, or its right one. */
  write(text, style, x, y, align = "left") {
    this.#take(style);
    this.context.fillStyle = this.#token.colour(STYLES[style].colour);
    [this.context.textAlign, this.context.textBaseline] = [align, "top"];
    this.context.fillText(text, x, y);
  }

  /** A text in lines of a width; a word that is longer is broken. @returns {string[]} */
  wrap(text, style, width) {
    this.#take(style);
    const fits = (line) => this.context.measureText(line).width <= width;
    const lines = [""];
    for (const word of text.split(/\s+/).filter(Boolean)) {
      const longer = `${lines.at(-1)} ${word}`.trim();
      if (fits(longer)) lines[lines.length - 1] = longer;
      else lines.push(...broken(word, fits));
    }
    return lines.filter(Boolean);
  }

  #take(style) {
    const { size, weight, family } = STYLES[style];
    this.context.font = `${weight} ${size}px ${this.#token.text(family)}`;
  }
}

function broken(word, fits) {
  const pieces = [""];
  for (const letter of word) {
    if (fits(pieces.at(-1) + letter)) pieces[pieces.length - 1] += letter;
    else pieces.push(letter);
  }
  return pieces;
}

/** Reads tokens as they are in the light theme; at once or not at all, since its probe does not stay. */
function lightTokens() {
  const probe = document.createElement("span");
  probe.style.colorScheme = "light";
  probe.hidden = true;
  document.body.append(probe);
  queueMicrotask(() => probe.remove());
  return {
    text: (name) => getComputedStyle(probe).getPropertyValue(name),
    colour: (name) => {
      probe.style.color = `var(${name})`;
      return getComputedStyle(probe).color;
    },
  };
}
