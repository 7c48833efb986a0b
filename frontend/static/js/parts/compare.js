// One query all three ways, side by side.
import * as api from "../api.js";
import { el } from "../dom.js";
import { isAbort, troubleBox } from "../status.js";
import { ranksOf } from "./bar.js";
import { hitInShort, strongestLatents } from "./hit.js";
import { searched } from "./queryreading.js";
import { requestFor, scoreName, WAYS } from "./search.js";

const LIMIT = 8;
const TITLES = { latent: "Latents", reconstruction: "Reconstruction", backbone: "Backbone" };

/**
 * Asks all ways at once; a way that cannot answer says why in its column.
 * @param {HTMLElement} place
 * @param {object} search see search.js
 * @param {AbortSignal} signal
 * @returns {Promise<object[]>} the answers that came, schemas.Retrieval, in the order of WAYS
 */
export async function compareWays(place, search, signal) {
  const columns = WAYS.map((way) => el("section", { class: "compare__way", "aria-label": TITLES[way], "aria-busy": "true" }, el("h2", {}, TITLES[way])));
  place.replaceChildren(...columns);
  const asked = WAYS.map((way) => api.retrieve({ ...requestFor(search, way), limit: LIMIT }, signal));
  const settled = await Promise.allSettled(asked);
  if (signal.aborted) return [];
  const answers = settled.filter(({ status }) => status === "fulfilled").map(({ value }) => value);
  const ranks = ranksOf(strongestLatents(answers.flatMap(({ hits }) => hits)));
  settled.forEach(({ value, reason }, i) => fill(columns[i], value, reason, ranks));
  return answers;
}

function fill(column, answer, error, ranks) {
  column.removeAttribute("aria-busy");
  if (error && !isAbort(error)) column.append(troubleBox(error));
  if (!answer) return;
  const hits = answer.hits.map((hit, index) => hitInShort(hit, index + 1, ranks));
  column.append(
    el("p", { class: "note" }, `${scoreName(answer)[0].toUpperCase()}${scoreName(answer).slice(1)}. ${searched(answer)}`),
    hits.length ? el("ol", {}, hits) : el("p", { class: "empty" }, "no item matches"));
}
