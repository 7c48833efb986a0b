// Names on the map: of the densest points, none over another, and off other points as far as there is room.

const AREA = 9000; // square pixels of the screen for each name
const HEIGHT = 15;
const GAP = 4; // between a point and its name
const TRIED = 500; // points that are looked at
const CELL = 12; // pixels of the grid that says where points are crowded

/**
 * Writes names of points, those of the first ones if they overlap.
 * @param {CanvasRenderingContext2D} context
 * @param {import("./mapdraw.js").Scene} scene
 * @param {number[]} visible points on the screen, the most important ones first
 * @param {number[][]} boxes left, top, right and bottom of what is not to be written over
 * @param {(i: number) => {beside?: number, below?: number}} away how far from a point its name stands
 */
export function drawNames(context, scene, visible, boxes, away) {
  const { points, camera, palette } = scene;
  const most = Math.round((camera.width * camera.height) / AREA);
  context.font = `12px ${palette.font}`;
  [context.textBaseline, context.textAlign, context.lineJoin] = ["middle", "left", "round"];
  [context.strokeStyle, context.lineWidth, context.fillStyle] = [palette.paper, 3, palette.ink];
  const crowd = new Crowd(scene, visible);
  let n = 0;
  for (const i of visible.slice(0, TRIED)) {
    if (n >= most) break;
    const width = widthOf(context, points.names[i]);
    const places = placesOf(scene, i, away(i), width).filter(({ box }) => isInside(box, camera) && isFree(box, boxes));
    const place = crowd.leastCrowded(places);
    if (!place) continue;
    boxes.push(place.box);
    context.strokeText(points.names[i], place.x, place.y);
    context.fillText(points.names[i], place.x, place.y);
    n += 1;
  }
}

/** Where a name may stand, the best place first: beside its point, above or below it; of a picture below. */
function placesOf({ points, camera }, i, { beside, below }, width) {
  const [x, y] = [camera.px(points.x[i]), camera.py(points.y[i])];
  const place = (left, middle) => ({ x: left, y: middle, box: [left - 2, middle - HEIGHT / 2, left + width + 2, middle + HEIGHT / 2] });
  if (below) return [place(x - width / 2, y + below + HEIGHT / 2 + 1)];
  const [across, over] = [beside + GAP, beside + HEIGHT / 2 + 1];
  return [place(x + across, y), place(x - across - width, y), place(x - width / 2, y - over), place(x - width / 2, y + over)];
}

/** How many points lie where, so that names keep off them as far as they can. */
class Crowd {
  #columns;
  #cells;

  constructor({ points, camera }, visible) {
    this.#columns = Math.ceil(camera.width / CELL) + 1;
    this.#cells = new Uint16Array(this.#columns * (Math.ceil(camera.height / CELL) + 1));
    for (const i of visible) this.#cells[this.#cellAt(camera.px(points.x[i]), camera.py(points.y[i]))] += 1;
  }

  /** The first of the places with the fewest points. */
  leastCrowded(places) {
    let [found, least] = [null, Infinity];
    for (const place of places) {
      const n = this.#count(place.box);
      if (n < least) [found, least] = [place, n];
    }
    return found;
  }

  #cellAt(x, y) {
    return Math.floor(y / CELL) * this.#columns + Math.floor(x / CELL);
  }

  #count([left, top, right, bottom]) {
    let n = 0;
    for (let row = Math.floor(top / CELL); row <= bottom / CELL; row += 1)
      for (let column = Math.floor(left / CELL); column <= right / CELL; column += 1) n += this.#cells[row * this.#columns + column];
    return n;
  }
}

const widths = new Map();

function widthOf(context, name) {
  if (!widths.has(name)) widths.set(name, context.measureText(name).width);
  return widths.get(name);
}

function isInside([left, top, right, bottom], { width, height }) {
  return left >= 0 && top >= 0 && right <= width && bottom <= height;
}

/** Whether a box lies over none of the others. */
export function isFree([left, top, right, bottom], boxes) {
  return boxes.every((box) => box[0] > right || box[2] < left || box[1] > bottom || box[3] < top);
}
