// Heatmaps of several streams on one scale, and where each lies over its picture.

/** The whole of a frame that shows all of its picture, in shares of the frame. */
const WHOLE = { left: 0, top: 0, width: 1, height: 1 };

/**
 * A heatmap whose values are relevance for each hundredth of the area that the stream sees, rather than for each patch:
 * so that streams with other grids can share a scale.
 * @param {{rows: number, columns: number, values: number[]}} heatmap
 */
export function byArea(heatmap) {
  const patches = (heatmap.rows * heatmap.columns) / 100;
  return { ...heatmap, values: heatmap.values.map((value) => value * patches) };
}

/** Where a picture lies in a square that it covers, in shares of the square. @param {number} ratio its width / height */
export function coverBox(ratio) {
  const [width, height] = [Math.max(1, ratio), Math.max(1, 1 / ratio)];
  return { left: (1 - width) / 2, top: (1 - height) / 2, width, height };
}

/**
 * Where a heatmap lies in a picture's frame, in shares of the frame.
 * @param {{left: number, top: number, right: number, bottom: number}} window schemas.Window: in shares of the picture
 * @param {{left: number, top: number, width: number, height: number}} [box] where the picture lies in the frame
 */
export function heatBox({ left, top, right, bottom }, box = WHOLE) {
  return {
    left: box.left + left * box.width,
    top: box.top + top * box.height,
    width: (right - left) * box.width,
    height: (bottom - top) * box.height,
  };
}

/** Lays a canvas over a part of its frame. @param {HTMLCanvasElement} canvas @param {{left: number, top: number, width: number, height: number}} box in shares of the frame */
export function place(canvas, box) {
  for (const [side, share] of Object.entries(box)) canvas.style[side] = `${100 * share}%`;
}
