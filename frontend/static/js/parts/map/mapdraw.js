// Draws the map: points, pictures in their place where there is room, names (mapnames.js), and a lasso.
import { drawNames, isFree } from "./mapnames.js";

/** Pixels of a picture's side. */
export const THUMB = 56;
const MOST_THUMBS = 60;
const THUMB_SHARE = 0.4; // of the screen that pictures may cover
const FRAME = 3; // of a picture, in its point's colour
const LAYERS = 4; // of points, the largest at the bottom
const MANY = 2000; // points, of which nobody sees whether they are round
const SMALL = 4; // radius of such points

/**
 * @typedef {object} Scene
 * @property {import("./mappoints.js").MapPoints} points
 * @property {import("./mapcamera.js").MapCamera} camera
 * @property {import("./mappalette.js").Palette} palette
 * @property {ReturnType<import("./mappoints.js").MapPoints["scale"]>} scale that points are coloured by
 * @property {import("./mapthumbs.js").MapThumbs} thumbs
 * @property {[number, number][]} lasso corners, in places of the map
 * @property {[number, number][]} drawn the line that is being drawn, in places of the map
 * @property {number} aim the point that is looked at; -1 for none
 * @property {boolean} cross whether to mark the middle
 */

/** Points in the order of drawing: layers of size, then shades, so that few colours are set. */
export function bucketsOf(points, scale, shades) {
  const buckets = Array.from({ length: LAYERS * (shades + 1) }, () => []);
  const values = points.values[scale.name];
  for (let i = 0; i < points.n; i += 1) {
    const layer = LAYERS - 1 - Math.min(Math.floor(LAYERS * points.size[i]), LAYERS - 1);
    const shade = values[i] === null ? shades : Math.round(scale.share(values[i]) * (shades - 1));
    buckets[layer * (shades + 1) + shade].push(i);
  }
  return buckets;
}

/**
 * Draws a scene.
 * @param {CanvasRenderingContext2D} context in CSS pixels
 * @param {Scene} scene
 * @param {number[][]} buckets of the scene's points and scale
 * @returns {{thumbs: number[]}} the points that have a picture instead
 */
export function drawMap(context, scene, buckets) {
  const { camera, palette, points } = scene;
  context.fillStyle = palette.paper;
  context.fillRect(0, 0, camera.width, camera.height);
  const radius = radiusOf(scene);
  const visible = visiblePoints(scene);
  const boxes = [];
  const thumbs = placeThumbs(scene, visible, boxes);
  const pictured = new Set(thumbs);
  drawFaint(context, scene);
  drawPoints(context, scene, buckets, radius, pictured);
  drawLasso(context, scene);
  for (const i of thumbs.toReversed()) drawThumb(context, scene, i);
  drawNames(context, scene, visible, boxes, (i) => (pictured.has(i) ? { below: THUMB / 2 + FRAME } : { beside: radius(points.size[i]) }));
  if (scene.aim >= 0 && scene.aim < points.n) drawAim(context, scene, radius, pictured);
  if (scene.cross) drawCross(context, camera, palette);
  return { thumbs };
}

/** How large a point of a size from 0 to 1 is: by the room that there is, and a little by closeness. */
function radiusOf({ camera, points }) {
  const room = Math.sqrt((camera.width * camera.height) / Math.max(points.n, 1));
  const most = Math.min(Math.max(0.18 * room, 3), 8) * camera.zoom ** 0.3;
  return (size) => Math.max(most * (0.25 + 0.75 * size), 1);
}

/** Matching points on the screen, the densest first. */
function visiblePoints({ points, camera }) {
  const found = [];
  for (const i of points.order) {
    if (!points.matching[i]) continue;
    const [x, y] = [camera.px(points.x[i]), camera.py(points.y[i])];
    if (x >= 0 && x <= camera.width && y >= 0 && y <= camera.height) found.push(i);
  }
  return found;
}

/** Points to be shown as pictures: where those on the screen fit, and one does not lie on another. */
function placeThumbs({ points, camera }, visible, boxes) {
  const room = (THUMB_SHARE * camera.width * camera.height) / THUMB ** 2;
  if (visible.length > Math.min(MOST_THUMBS, room)) return [];
  return visible.filter((i) => {
    if (points.items[i] === null) return false;
    const box = around(camera.px(points.x[i]), camera.py(points.y[i]), THUMB / 2 + FRAME);
    return isFree(box, boxes) && boxes.push(box);
  });
}

function drawFaint(context, { points, camera, palette }) {
  context.fillStyle = palette.unknown;
  context.globalAlpha = 0.4;
  for (let i = 0; i < points.n; i += 1) {
    if (!points.matching[i]) context.fillRect(camera.px(points.x[i]) - 1.25, camera.py(points.y[i]) - 1.25, 2.5, 2.5);
  }
  context.globalAlpha = 1;
}

function drawPoints(context, scene, buckets, radius, pictured) {
  const { points, camera, palette } = scene;
  const colours = [...palette.shades, palette.unknown];
  const small = points.n > MANY ? SMALL : 0;
  buckets.forEach((bucket, place) => {
    context.fillStyle = colours[place % colours.length];
    context.beginPath();
    for (const i of bucket) {
      if (!points.matching[i] || pictured.has(i)) continue;
      const [x, y, r] = [camera.px(points.x[i]), camera.py(points.y[i]), radius(points.size[i])];
      if (x < -r || x > camera.width + r || y < -r || y > camera.height + r) continue;
      if (r < small) drawDot(context, x, y, r);
      else {
        context.moveTo(x + r, y);
        context.arc(x, y, r, 0, 2 * Math.PI);
      }
    }
    context.fill();
  });
}

/** Two crossed boxes, which among many look as round as a circle, and are drawn several times as fast. */
function drawDot(context, x, y, r) {
  const inner = 0.55 * r;
  context.fillRect(x - r, y - inner, 2 * r, 2 * inner);
  context.fillRect(x - inner, y - r, 2 * inner, 2 * r);
}

function drawThumb(context, { points, camera, palette, scale, thumbs }, i) {
  const [x, y] = [camera.px(points.x[i]) - THUMB / 2, camera.py(points.y[i]) - THUMB / 2];
  const value = points.values[scale.name][i];
  context.fillStyle = value === null ? palette.unknown : palette.shades[Math.round(scale.share(value) * (palette.shades.length - 1))];
  context.fillRect(x - FRAME, y - FRAME, THUMB + 2 * FRAME, THUMB + 2 * FRAME);
  const picture = thumbs.of(points.items[i]);
  context.fillStyle = palette.faint;
  if (picture) context.drawImage(picture, x, y, THUMB, THUMB);
  else context.fillRect(x, y, THUMB, THUMB);
}

function drawLasso(context, { camera, palette, lasso, drawn }) {
  for (const [corners, closed] of [[lasso, true], [drawn, false]]) {
    if (!corners.length) continue;
    context.beginPath();
    for (const [x, y] of corners) context.lineTo(camera.px(x), camera.py(y));
    if (closed) context.closePath();
    context.fillStyle = context.strokeStyle = palette.accent;
    context.globalAlpha = 0.08;
    context.fill();
    context.globalAlpha = 1;
    context.lineWidth = 1.5;
    context.stroke();
  }
}

function drawAim(context, { points, camera, palette, aim }, radius, pictured) {
  const [x, y] = [camera.px(points.x[aim]), camera.py(points.y[aim])];
  [context.strokeStyle, context.lineWidth] = [palette.ink, 2];
  context.beginPath();
  if (pictured.has(aim)) context.rect(x - THUMB / 2 - FRAME, y - THUMB / 2 - FRAME, THUMB + 2 * FRAME, THUMB + 2 * FRAME);
  else context.arc(x, y, radius(points.size[aim]) + 3, 0, 2 * Math.PI);
  context.stroke();
}

function drawCross(context, { width, height }, palette) {
  [context.strokeStyle, context.lineWidth] = [palette.accent, 1];
  context.beginPath();
  for (const [dx, dy] of [[8, 0], [0, 8]]) {
    context.moveTo(width / 2 - dx, height / 2 - dy);
    context.lineTo(width / 2 + dx, height / 2 + dy);
  }
  context.stroke();
}

function around(x, y, reach) {
  return [x - reach, y - reach, x + reach, y + reach];
}
