// How well one latent tells each class, the best told class first; a line for each stream.
import { latentHref, streamTitle } from "../../bundle.js";
import { axis, colour, note, plain, streamColour } from "../plot.js";

const MANY = 150; // classes: points are smaller

/**
 * @param {object} plots evaluation_page.plots.Plots
 * @param {object[]} plots.probes
 * @param {number} plots.chance
 */
export function probePlot({ probes, chance }) {
  const least = Math.min(...probes.map(({ cross_entropy }) => cross_entropy[0]));
  const most = Math.max(chance, ...probes.map(({ cross_entropy }) => cross_entropy.at(-1)));
  const layout = {
    xaxis: axis({ range: [0, 1 + Math.max(...probes.map(({ labels }) => labels.length))], zeroline: false, tickformat: "d", title: "classes" }),
    yaxis: axis({ zeroline: false, range: [Math.floor(10 * least) / 10, most + 0.04], title: "cross-entropy" }),
    shapes: [{ type: "line", xref: "paper", x0: 0, x1: 1, y0: chance, y1: chance, line: { color: colour("--muted"), width: 1.5, dash: "dash" } }],
    annotations: [note(`chance ${chance.toFixed(3)}`, 0, chance, { yref: "y", xanchor: "left", yanchor: "bottom", font: { color: colour("--muted") } })],
  };
  return { traces: probes.map(trace), layout };
}

/** Where a point leads. */
export function probeHref({ customdata }) {
  return latentHref(customdata[1]);
}

function trace({ stream, labels, latents, names, cross_entropy }) {
  return {
    type: "scatter",
    mode: "lines+markers",
    name: streamTitle(stream),
    x: labels.map((_, i) => i + 1),
    y: cross_entropy,
    line: { color: streamColour(stream), width: 1.5 },
    marker: { color: streamColour(stream), size: labels.length > MANY ? 4 : 6 },
    customdata: labels.map((label, i) => [plain(label), latents[i], plain(names[i])]),
    hovertemplate: "%{customdata[0]}: %{y:.3f}<br>latent %{customdata[1]}, %{customdata[2]}<extra>%{fullData.name}</extra>",
  };
}
