// Latents by density, a row of bars for each stream, on one logarithmic axis.
import { streamTitle } from "../../bundle.js";
import { significant } from "../../format.js";
import { axis, note, numbered, streamColour } from "../plot.js";

const ROW_GAP = 0.1;

/**
 * @param {object} plots evaluation_page.plots.Plots
 * @param {object[]} plots.bins
 * @param {object[]} plots.density
 */
export function densityPlot({ bins, density }) {
  const filled = bins.map((_, i) => i).filter((i) => density.some(({ counts }) => counts[i]));
  const ends = [Math.log10(bins[filled[0]].low), Math.log10(bins[filled.at(-1)].high)];
  const height = (1 - ROW_GAP * (density.length - 1)) / density.length;
  const most = Math.max(...density.flatMap(({ counts }) => counts));
  const layout = { bargap: 0, annotations: [], margin: { l: 44, r: 12, t: 8, b: 44 } };
  density.forEach(({ stream }, row) => {
    const top = 1 - row * (height + ROW_GAP);
    layout[numbered("yaxis", row)] = axis({ domain: [Math.max(0, top - height), top], range: [0, 1.05 * most], nticks: 3 });
    layout.annotations.push(note(streamTitle(stream), 0, top, { xanchor: "left", yanchor: "top", xshift: 6, font: { color: streamColour(stream) } }));
  });
  layout.xaxis = axis({ anchor: numbered("y", density.length - 1), range: ends, zeroline: false, title: "share of items on which a latent is active", ...decades(ends) });
  return { traces: density.map((bars, row) => trace(bars, row, bins)), layout };
}

/** Where a bar leads. */
export function densityHref({ customdata }) {
  return customdata[1];
}

/** The axis is linear in the logarithm: bars of a logarithmic axis have no width that can be set. */
function decades([low, high]) {
  const tickvals = [];
  for (let power = Math.ceil(low - 1e-9); power <= high + 1e-9; power++) tickvals.push(power);
  return { tickvals, ticktext: tickvals.map((power) => `${significant(100 * 10 ** power)}%`) };
}

function trace({ stream, counts }, row, bins) {
  const bars = bins.map((bin, i) => ({ ...bin, count: counts[i] })).filter(({ count }) => count);
  return {
    type: "bar",
    name: streamTitle(stream),
    x: bars.map(({ low, high }) => (Math.log10(low) + Math.log10(high)) / 2),
    y: bars.map(({ count }) => count),
    width: bars.map(({ low, high }) => 0.92 * Math.log10(high / low)),
    yaxis: numbered("y", row),
    marker: { color: streamColour(stream) },
    customdata: bars.map(({ text, href }) => [text, href]),
    hovertemplate: "%{y} latents<br>%{customdata[0]} of items<extra>%{fullData.name}</extra>",
  };
}
