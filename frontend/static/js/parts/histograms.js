// A latent's histograms: the server's drawing is replaced by Plotly's, when they come into sight and if Plotly loads.
import { streamIndex, streamTitle } from "../bundle.js";
import { el, embedded } from "../dom.js";

const PLOTLY = "/static/vendor/plotly.min.js";
const ROW_GAP = 0.3;
const holder = document.querySelector("#histograms");

/** Waits until the histograms come into sight. */
export function plotInSight() {
  const inSight = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    inSight.disconnect();
    start();
  }, { rootMargin: "200px" });
  inSight.observe(holder);
}

async function start() {
  const histograms = embedded("histogram-data");
  if (!histograms.length) return;
  try {
    await loadScript(PLOTLY);
    await plot(histograms);
  } catch {
    return; // the server's drawing stays
  }
  document.addEventListener("themechange", () => plot(histograms));
}

function loadScript(address) {
  return new Promise((resolve, reject) => document.head.append(el("script", { src: address, on: { load: resolve, error: reject } })));
}

async function plot(histograms) {
  const place = el("div", { class: "histograms__plot", style: `block-size:${holder.offsetHeight}px` });
  const traces = histograms.map(trace);
  holder.replaceChildren(place);
  await window.Plotly.newPlot(place, traces, layout(histograms), { displayModeBar: false, responsive: true });
}

function trace({ stream, edges, counts }, row) {
  const middles = counts.map((_, i) => (edges[i] + edges[i + 1]) / 2);
  return {
    type: "bar",
    name: streamTitle(stream),
    x: middles,
    y: counts,
    width: counts.map((_, i) => (edges[i + 1] - edges[i]) * 0.94),
    yaxis: row ? `y${row + 1}` : "y",
    marker: { color: colour(`--stream-${streamIndex(stream) % 6}`) },
    customdata: counts.map((_, i) => [edges[i], edges[i + 1]]),
    hovertemplate: "%{y} items<br>%{customdata[0]:.3f} to %{customdata[1]:.3f}<extra>%{fullData.name}</extra>",
  };
}

function layout(histograms) {
  const line = colour("--line");
  const share = 1 / histograms.length;
  const axes = {};
  histograms.forEach((_, row) => {
    const top = 1 - row * share;
    axes[row ? `yaxis${row + 1}` : "yaxis"] = { domain: [top - share * (1 - ROW_GAP), top - share * 0.08], gridcolor: line, zerolinecolor: line, nticks: 3, fixedrange: true, rangemode: "tozero" };
  });
  const last = histograms.length > 1 ? `y${histograms.length}` : "y";
  return {
    ...axes,
    xaxis: { anchor: last, rangemode: "tozero", gridcolor: line, zerolinecolor: line, title: { text: "activation", standoff: 6 } },
    annotations: histograms.map(({ stream }, row) => ({ text: streamTitle(stream), xref: "paper", yref: "paper", x: 1, y: 1 - row * share, xanchor: "right", yanchor: "top", showarrow: false, font: { color: colour(`--stream-${streamIndex(stream) % 6}`) } })),
    showlegend: false,
    margin: { l: 36, r: 8, t: 4, b: 40 },
    paper_bgcolor: "transparent",
    plot_bgcolor: "transparent",
    font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: colour("--muted") },
    hoverlabel: { bgcolor: colour("--paper"), bordercolor: colour("--line-strong"), font: { color: colour("--ink") } },
    bargap: 0,
  };
}

/** The present value of a colour token; only a real property resolves light-dark(). */
function colour(token) {
  const probe = el("span", { style: `color:var(${token})`, hidden: true });
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}
