// The patches that a stream looks with, as a grid that rectangles keep to.

/**
 * The rectangle of whole patches that is nearest to a region; one patch at least.
 * @param {{rows: number, columns: number, window: import("../find/regionframe.js").Region}} grid of a schemas.Heatmap
 * @param {import("../find/regionframe.js").Region} region
 * @returns {import("../find/regionframe.js").Region}
 */
export function snapTo({ rows, columns, window }, region) {
  const [left, right] = onLines(window.left, window.right, columns, region.left, region.right);
  const [top, bottom] = onLines(window.top, window.bottom, rows, region.top, region.bottom);
  return { left, top, right, bottom };
}

/** Width and height of a patch, as shares of the picture's. @returns {[number, number]} */
export function patchSize({ rows, columns, window }) {
  return [(window.right - window.left) / columns, (window.bottom - window.top) / rows];
}

/** A window may begin or end beyond the picture; a region does not. */
function onLines(start, end, n, from, to) {
  const size = (end - start) / n;
  const line = (at) => Math.min(Math.max(Math.round((at - start) / size), 0), n);
  let [first, last] = [line(from), line(to)];
  if (first === last) {
    first = Math.min(Math.max(Math.floor(((from + to) / 2 - start) / size), 0), n - 1);
    last = first + 1;
  }
  return [first, last].map((at) => Math.min(Math.max(start + at * size, 0), 1));
}
