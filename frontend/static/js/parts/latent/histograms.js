// A latent's histograms: the server's drawing is replaced by Plotly's, when they come into sight and if Plotly loads.
import { streamTitle } from "../../bundle.js";
import { el, embedded } from "../../dom.js";
import { axis, baseLayout, loadPlotly, note, numbered, offerPlot, streamColour, whenInSight } from "../plot.js";

const ROW_GAP = 0.3;
const holder = document.querySelector("#histograms");

/** Waits until the histograms come into sight. */
export function plotInSight() {
  whenInSight(holder, start);
}

async function start() {
  const histograms = embedded("histogram-data");
  if (!histograms.length) return;
  try {
    await loadPlotly();
    await plot(histograms);
  } catch {
    return; // the server's drawing stays
  }
  document.addEventListener("themechange", () => plot(histograms));
}

async function plot(histograms) {
  const place = el("div", { class: "histograms__plot", style: `block-size:${holder.offsetHeight}px` });
  const traces = histograms.map(trace);
  holder.replaceChildren(place);
  await window.Plotly.newPlot(place, traces, layout(histograms), { displayModeBar: false, responsive: true });
  offerPlot(place, "activations");
}

function trace({ stream, edges, counts }, row) {
  const middles = counts.map((_, i) => (edges[i] + edges[i + 1]) / 2);
  return {
    type: "bar",
    name: streamTitle(stream),
    x: middles,
    y: counts,
    width: counts.map((_, i) => (edges[i + 1] - edges[i]) * 0.94),
    yaxis: numbered("y", row),
    marker: { color: streamColour(stream) },
    customdata: counts.map((_, i) => [edges[i], edges[i + 1]]),
    hovertemplate: "%{y} items<br>%{customdata[0]:.3f} to %{customdata[1]:.3f}<extra>%{fullData.name}</extra>",
  };
}

function layout(histograms) {
  const share = 1 / histograms.length;
  const axes = {};
  histograms.forEach((_, row) => {
    const top = 1 - row * share;
    axes[numbered("yaxis", row)] = axis({ domain: [top - share * (1 - ROW_GAP), top - share * 0.08], nticks: 3, rangemode: "tozero" });
  });
  return baseLayout({
    ...axes,
    xaxis: axis({ anchor: numbered("y", histograms.length - 1), fixedrange: false, rangemode: "tozero", title: "activation" }),
    annotations: histograms.map(({ stream }, row) => note(streamTitle(stream), 1, 1 - row * share, { xanchor: "right", yanchor: "top", font: { color: streamColour(stream) } })),
    margin: { l: 36, r: 8, t: 4, b: 40 },
    bargap: 0,
    dragmode: "zoom",
  });
}
