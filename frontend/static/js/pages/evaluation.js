// The page Evaluation: tables that sort, plots over them, and which section is being read.
import { embedded } from "../dom.js";
import { densityHref, densityPlot } from "../parts/evaluation/densityplot.js";
import { plotInSight } from "../parts/plot.js";
import { probeHref, probePlot } from "../parts/evaluation/probeplot.js";
import { profilePlot } from "../parts/evaluation/profileplot.js";
import { recallPlot } from "../parts/evaluation/recallplot.js";
import { makeSortable } from "../parts/sorting.js";

const plots = embedded("plot-data");

for (const table of document.querySelectorAll("table.grid")) makeSortable(table);
startPlot("profiles", () => profilePlot(plots.profiles));
startPlot("density", () => densityPlot(plots), densityHref);
startPlot("probes", () => probePlot(plots), probeHref);
startRecalls();
followReading();

function startPlot(name, draw, hrefOf) {
  const figure = figureOf(name);
  if (figure) plotInSight(figure, draw, hrefOf);
}

function startRecalls() {
  const figure = figureOf("retrieval");
  if (!figure) return;
  const choice = figure.querySelector("select");
  const shown = () => plots.recalls.filter(({ corpus }) => corpus === (choice?.value ?? plots.recalls[0].corpus));
  const { redraw } = plotInSight(figure, (narrow) => recallPlot(shown(), narrow));
  choice?.addEventListener("change", redraw);
}

function figureOf(name) {
  return document.querySelector(`[data-plot="${name}"]`);
}

/** Marks the section that lies across the upper third of the window. */
function followReading() {
  const list = document.querySelector(".contents");
  const links = new Map([...document.querySelectorAll(".contents a")].map((link) => [link.hash.slice(1), link]));
  const reading = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      const link = links.get(target.id);
      link.toggleAttribute("data-read", isIntersecting);
      if (isIntersecting) list.scrollTo({ left: link.offsetLeft - list.clientWidth / 3 });
    }
  }, { rootMargin: "-30% 0px -69%" });
  for (const id of links.keys()) reading.observe(document.getElementById(id));
}
