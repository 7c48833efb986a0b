// Plotly, loaded once and only when a plot comes into sight, and what plots have in common.
import { streamIndex } from "../bundle.js";
import { el } from "../dom.js";
import { showPicture } from "./data.js";

const PLOTLY = "/static/vendor/plotly.min.js";
const STREAM_COLOURS = 6;
const TEXT_PX = 12;
const PICTURE_SCALE = 2; // pixels of a PNG for each of the page's
const NARROW = matchMedia("(max-width: 40rem)");
let loading = null;

/** Resolves when Plotly is there, and rejects if it cannot be had. */
export function loadPlotly() {
  loading ??= new Promise((resolve, reject) => document.head.append(el("script", { src: PLOTLY, on: { load: resolve, error: reject } })));
  return loading;
}

/** Calls `start` once, shortly before the element comes into sight. */
export function whenInSight(element, start) {
  const inSight = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    inSight.disconnect();
    start();
  }, { rootMargin: "200px" });
  inSight.observe(element);
}

/**
 * Fills a figure's `.plot__place`, again with other colours or on a screen of another kind. Without Plotly the figure goes.
 * @param {HTMLElement} figure
 * @param {(narrow: boolean) => {traces: object[], layout: object}} draw
 * @param {(point: object) => string} [hrefOf] where a click on a point leads
 * @returns {{redraw: () => void}}
 */
export function plotInSight(figure, draw, hrefOf) {
  const place = figure.querySelector(".plot__place");
  let redraw = () => {};
  whenInSight(figure, async () => {
    try {
      await loadPlotly();
      await show(place, draw);
    } catch {
      figure.hidden = true; // the tables have the numbers
      return;
    }
    redraw = () => show(place, draw);
    offerPlot(place, figure.dataset.plot);
    document.addEventListener("themechange", redraw);
    NARROW.addEventListener("change", redraw);
    if (hrefOf) place.on("plotly_click", ({ points }) => (location.href = hrefOf(points[0])));
  });
  return { redraw: () => redraw() };
}

/** Offers a plot in "Data of this page". @param {HTMLElement} place @param {string} name one word */
export function offerPlot(place, name) {
  showPicture(`plot-${name}`, `Plot: ${name}`, async () => {
    const picture = new Image();
    picture.src = await window.Plotly.toImage(place, { format: "png", width: place.offsetWidth, height: place.offsetHeight, scale: PICTURE_SCALE });
    await picture.decode();
    const canvas = el("canvas", { width: picture.naturalWidth, height: picture.naturalHeight });
    const context = canvas.getContext("2d");
    context.fillStyle = colour("--paper"); // the plot itself is transparent
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(picture, 0, 0);
    return canvas;
  });
}

function show(place, draw) {
  const { traces, layout } = draw(NARROW.matches);
  return window.Plotly.react(place, traces, baseLayout(layout), { displayModeBar: false, responsive: true });
}

/** A layout in the page's type and colours. */
export function baseLayout(own) {
  return {
    showlegend: false,
    hovermode: "closest",
    dragmode: false,
    margin: { l: 44, r: 12, t: 8, b: 40 },
    paper_bgcolor: "transparent",
    plot_bgcolor: "transparent",
    font: { family: getComputedStyle(document.body).fontFamily, size: TEXT_PX, color: colour("--muted") },
    hoverlabel: { bgcolor: colour("--paper"), bordercolor: colour("--line-strong"), font: { color: colour("--ink") } },
    ...own,
  };
}

/** An axis that does not zoom. @param {{title?: string}} own its `title` in words, and Plotly's other attributes */
export function axis({ title, ...own } = {}) {
  const line = colour("--line");
  const away = { ticks: "outside", ticklen: 4, tickcolor: "transparent" }; // numbers of two axes do not meet in the corner
  return { gridcolor: line, zerolinecolor: line, fixedrange: true, ...away, title: { text: title, standoff: 6, font: { size: TEXT_PX } }, ...own };
}

/** A name for Plotly's traces and layouts: "x", "x2", "x3"; `xaxis` likewise. @param {number} index from 0 */
export function numbered(name, index) {
  return index ? `${name}${index + 1}` : name;
}

/** Text on a plot, given in shares of it. */
export function note(text, x, y, own = {}) {
  return { text, x, y, xref: "paper", yref: "paper", showarrow: false, font: { color: colour("--ink") }, ...own };
}

/** Text that Plotly must not take for markup. */
export function plain(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}

/** The present value of a stream's colour. */
export function streamColour(name) {
  return colour(`--stream-${streamIndex(name) % STREAM_COLOURS}`);
}

/** The present value of a colour token; only a real property resolves light-dark(). */
export function colour(token) {
  const probe = el("span", { style: `color:var(${token})`, hidden: true });
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}
