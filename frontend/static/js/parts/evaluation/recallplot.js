// Recall at 1, 5 and 10, a panel for each direction, a line for each way.
import { streamTitle } from "../../bundle.js";
import { axis, colour, note, numbered, streamColour } from "../plot.js";

const AT = ["1", "5", "10"];
const COLUMNS = 3; // and two on narrow screens; evaluation_plots.html keeps as many rows free
const GAP = { x: 0.04, y: 0.14 };
const WAYS = {
  latent: { title: "by latents", dash: "solid", symbol: "circle", width: 2.5 },
  reconstruction: { title: "by reconstructed features", dash: "dash", symbol: "square-open", width: 1.5 },
  backbone: { title: "by features alone", dash: "dot", symbol: "diamond-open", width: 1.5 },
};

/** @param {object[]} panels evaluation_page.plots.RecallPanel, of one corpus */
export function recallPlot(panels, narrow) {
  const columns = Math.min(panels.length, narrow ? COLUMNS - 1 : COLUMNS);
  const rows = Math.ceil(panels.length / columns);
  const [width, height] = [(1 - GAP.x * (columns - 1)) / columns, (1 - GAP.y * (rows - 1)) / rows];
  const range = rangeOf(panels);
  const layout = { margin: { l: 36, r: 12, t: 24, b: 28 }, annotations: [] };
  panels.forEach(({ query, target }, i) => {
    const [column, row] = [i % columns, Math.floor(i / columns)];
    const [left, top] = [column * (width + GAP.x), 1 - row * (height + GAP.y)];
    layout[numbered("xaxis", i)] = axis({ domain: [left, left + width], anchor: numbered("y", i), type: "category", range: [-0.2, 2.2] });
    layout[numbered("yaxis", i)] = axis({ domain: [Math.max(0, top - height), top], anchor: numbered("x", i), range, nticks: 5, showticklabels: column === 0 });
    layout.annotations.push(note(`${streamTitle(query)} → ${streamTitle(target)}`, left, top, { xanchor: "left", yanchor: "bottom", yshift: 2 }));
  });
  return { traces: panels.flatMap((panel, i) => panel.ways.map((way) => trace(panel, way, i))), layout };
}

/** One for all panels, to tenths, with room for the points at its ends. */
function rangeOf(panels) {
  const values = panels.flatMap(({ ways }) => ways.flatMap(({ recalls }) => recalls));
  const [least, most] = [Math.floor(10 * Math.min(...values)) / 10, Math.ceil(10 * Math.max(...values)) / 10];
  const room = 0.06 * (most - least || 0.1);
  return [least - room, most + room];
}

function trace({ target }, { way, recalls }, i) {
  const { title, dash, symbol, width } = WAYS[way];
  const ink = way === "latent" ? streamColour(target) : colour("--muted");
  return {
    type: "scatter",
    mode: "lines+markers",
    name: title,
    x: AT,
    y: recalls,
    xaxis: numbered("x", i),
    yaxis: numbered("y", i),
    line: { color: ink, width, dash },
    marker: { color: ink, symbol, size: 7 },
    hovertemplate: "R@%{x} %{y:.3f}<extra>%{fullData.name}</extra>",
  };
}
