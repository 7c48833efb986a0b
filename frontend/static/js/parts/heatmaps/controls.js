// The heatmaps' display: opacity, threshold, scale and patches, and the legends that say what the colours mean.
import { streamIndex, streamTitle } from "../../bundle.js";
import { el } from "../../dom.js";
import { significant } from "../../format.js";
import { heatStrip } from "../colormap.js";

/** What the controls say. @param {HTMLFormElement} form of the template */
export function readDisplay({ elements: { opacity, threshold, same, patches } }) {
  return { opacity: opacity.value / 100, threshold: threshold.value / 100, same: same.checked, patches: patches.checked };
}

/** Sets the controls that a view's address holds. */
export function setDisplay({ elements }, { threshold, scale }) {
  elements.threshold.value = threshold;
  elements.same.checked = scale !== "own";
}

/** What a view's address holds of the controls. */
export function keptDisplay({ elements }) {
  return { threshold: elements.threshold.value, scale: elements.same.checked ? "same" : "own" };
}

/**
 * Makes page and controls agree; heatmaps are drawn elsewhere.
 * @param {HTMLElement} pictures
 * @param {number} lone whether there is one picture only
 */
export function showDisplay(form, pictures, lone) {
  const { opacity, threshold, same } = readDisplay(form);
  pictures.style.setProperty("--opacity", opacity);
  form.style.setProperty("--threshold", threshold);
  form.querySelector("output[name=opacity-now]").textContent = `${Math.round(100 * opacity)}%`;
  form.querySelector("output[name=threshold-now]").textContent = `${Math.round(100 * threshold)}%`;
  form.querySelector("[data-warning=own]").hidden = same || lone;
  form.querySelector("[data-warning=lone]").hidden = !lone;
}

/** A stream's legend. */
export function legend(stream) {
  return el("div", { class: "legend", data: { stream: streamIndex(stream) } },
    el("span", { class: "stream-name" }, streamTitle(stream)), el("span", {}, "0"),
    el("span", { class: "legend__strip" }, heatStrip()),
    el("span", { class: "number", data: { scale: stream } }, "–"));
}

/** Writes the scales' ends into the legends. @param {Record<string, number>} scale stream -> largest value */
export function showScales(legends, scale, same) {
  for (const place of legends.querySelectorAll("[data-scale]")) {
    place.textContent = same ? significant(scale[place.dataset.scale] ?? 0) : "own max.";
  }
}
