// A lasso: a polygon that is drawn around latents, as an address says it, "x,y;x,y;x,y" (schemas/lasso.py).

const MOST_CORNERS = 48;
const DIGITS = 3;
const FARTHEST = 2; // what the server takes
const SMALLEST = 1e-5; // of an area of the map: less is a slip of the hand

/** The corners of a lasso in an address; none where it is no lasso. @returns {[number, number][]} */
export function readLasso(text) {
  const corners = text.split(";").map((corner) => corner.split(",").map(Number));
  return corners.length > 2 && corners.every((corner) => corner.length === 2 && corner.every(Number.isFinite)) ? corners : [];
}

/** A line that was drawn as a lasso, in as many corners as an address can hold; "" where it surrounds nothing. @param {[number, number][]} line */
export function writeLasso(line) {
  const within = line.map((corner) => corner.map((value) => Math.min(Math.max(value, -FARTHEST), FARTHEST)));
  if (within.length < 3 || areaOf(within) < SMALLEST) return "";
  const corners = fewer(within).map((corner) => corner.map((value) => Number(value.toFixed(DIGITS))));
  return corners.length < 3 ? "" : corners.map((corner) => corner.join(",")).join(";");
}

/** The line with as small a tolerance as leaves few enough corners. */
function fewer(line) {
  let found = line;
  for (let tolerance = 1e-4; found.length > MOST_CORNERS; tolerance *= 1.5) found = simplified(line, tolerance);
  return found;
}

/** The corners that keep the line within `tolerance` of where it was (Douglas and Peucker). */
function simplified(line, tolerance) {
  const kept = new Set([0, line.length - 1]);
  const open = [[0, line.length - 1]];
  while (open.length) {
    const [first, last] = open.pop();
    let [farthest, most] = [-1, tolerance];
    for (let i = first + 1; i < last; i += 1) {
      const distance = distanceTo(line[i], line[first], line[last]);
      if (distance > most) [farthest, most] = [i, distance];
    }
    if (farthest < 0) continue;
    kept.add(farthest);
    open.push([first, farthest], [farthest, last]);
  }
  return line.filter((_, i) => kept.has(i));
}

function distanceTo([x, y], [x1, y1], [x2, y2]) {
  const length = Math.hypot(x2 - x1, y2 - y1);
  return length ? Math.abs((x2 - x1) * (y1 - y) - (x1 - x) * (y2 - y1)) / length : Math.hypot(x - x1, y - y1);
}

function areaOf(corners) {
  const twice = corners.reduce((sum, [x, y], i) => {
    const [nextX, nextY] = corners[(i + 1) % corners.length];
    return sum + x * nextY - nextX * y;
  }, 0);
  return Math.abs(twice) / 2;
}
