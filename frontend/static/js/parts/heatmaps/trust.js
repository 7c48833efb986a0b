// How far each heatmap can be believed, in words, and behind them the measurement.
import { streamIndex, streamTitle } from "../../bundle.js";
import { el } from "../../dom.js";
import { curveChart, curveKey } from "./curves.js";

/** What a verdict (schemas.Verdict) means. */
export const VERDICTS = {
  clear: "Finds what the score depends on",
  unspecific: "What stands out: random latents point here too",
  weak: "Only a little better than chance",
  chance: "No better than chance: do not read anything into it",
};

/** Says that a pane is being checked. Its line is there from the start, so that nothing moves. */
export function startTrust(pane) {
  const line = pane.querySelector(".trust");
  line.textContent = "checking…";
  line.dataset.verdict = "pending";
}

/** Whoever still waits will not hear: the answer has ended. */
export function endTrust(place) {
  for (const line of place.querySelectorAll('.trust[data-verdict="pending"]')) {
    line.textContent = "not checked";
    line.dataset.verdict = "none";
  }
}

/** Where a picture's measurement will be; takes its space from the start. */
export function evidencePlace() {
  return el("details", { class: "evidence", "data-empty": true }, el("summary", {}, "How we know"));
}

/**
 * Shows what was measured over a picture.
 * @param {HTMLElement} figure
 * @param {object[]} streams schemas.Faithfulness of each stream
 * @param {(stream: string) => HTMLElement} paneOf
 * @returns {Map<string, string>} stream -> verdict, of the panes that have something to judge
 */
export function showTrust(figure, streams, paneOf) {
  const judged = streams.filter(({ stream }) => paneOf(stream).querySelector(".trust").dataset.verdict === "pending");
  for (const { stream, verdict } of judged) {
    const line = paneOf(stream).querySelector(".trust");
    line.textContent = VERDICTS[verdict];
    Object.assign(line.dataset, { verdict, judged: "" });
    paneOf(stream).querySelector(".pane__frame").dataset.verdict = verdict;
  }
  const place = figure.querySelector(".evidence");
  if (judged.length) {
    place.removeAttribute("data-empty");
    place.append(evidence(judged));
  }
  return new Map(judged.map(({ stream, verdict }) => [stream, verdict]));
}

function evidence(streams) {
  return el("div", { class: "evidence__body" },
    el("p", {}, "The tower looked again with patches taken away in the heatmap’s order, strongest first, and with only those shown. Where a heatmap is right, the score falls early and returns early."),
    curveKey(),
    el("div", { class: "panes", style: `--n:${streams.length}` }, streams.map((measured) =>
      el("div", { data: { stream: streamIndex(measured.stream) } },
        el("p", { class: "stream-name" }, streamTitle(measured.stream)),
        curveChart(measured),
        el("p", {}, inWords(measured))))));
}

function inWords({ deletion_area: left, insertion_area: back, chance_deletion_area: chanceLeft, chance_insertion_area: chanceBack }) {
  return `Without the patches it marks, ${whole(left)} of the score is left on average (${whole(chanceLeft)} where random latents mark them); with those alone, ${whole(back)} is there (${whole(chanceBack)}).`;
}

function whole(share) {
  return `${Math.round(100 * share)}%`;
}
