// Agreement of class profiles by depth of the hierarchy, a panel for each selection.
import { streamTitle } from "../../bundle.js";
import { axis, colour, note, numbered, streamColour } from "../plot.js";

const GAP = 0.06;
const TITLES = { own: "the model’s selection", local: "selection per stream" };

/** @param {object[]} panels evaluation_page.plots.ProfilePanel */
export function profilePlot(panels) {
  const width = (1 - GAP * (panels.length - 1)) / panels.length;
  const layout = { margin: { l: 44, r: 12, t: 28, b: 40 }, yaxis: axis({ range: rangeOf(panels), title: "Jaccard" }) };
  layout.annotations = panels.map(({ selection }, i) => note(TITLES[selection], i * (width + GAP), 1, { xanchor: "left", yanchor: "bottom", yshift: 4 }));
  panels.forEach(({ depths }, i) => {
    const left = i * (width + GAP);
    layout[numbered("xaxis", i)] = axis({ domain: [left, left + width], tickvals: depths, zeroline: false, range: [depths[0] - 0.25, depths.at(-1) + 0.25], title: "depth" });
  });
  return { traces: panels.flatMap(lines), layout };
}

function rangeOf(panels) {
  const values = panels.flatMap((panel) => [panel.of_all, panel.published, ...panel.pairs.map((pair) => pair.jaccard)].flat());
  const least = Math.min(...values.filter((value) => value !== null));
  return [Math.max(0, Math.floor(10 * least - 0.2) / 10), 1.02];
}

/** A pair has the first stream's line and the second one's points. */
function lines({ depths, pairs, of_all, published }, i) {
  const line = (name, y, own) => ({ type: "scatter", name, x: depths, y, xaxis: numbered("x", i), hovertemplate: "%{y:.3f} at depth %{x}<extra>%{fullData.name}</extra>", ...own });
  return [
    ...pairs.map(({ first, second, jaccard }) =>
      line(`${streamTitle(first)} and ${streamTitle(second)}`, jaccard, { mode: "lines+markers", line: { color: streamColour(first), width: 2 }, marker: { color: streamColour(second), size: 8 } })),
    line("over all latents", of_all, { mode: "lines", line: { color: colour("--ink"), width: 1.5 } }),
    line("published, over all latents", published, { mode: "lines", line: { color: colour("--muted"), width: 1.5, dash: "dash" } }),
  ];
}
