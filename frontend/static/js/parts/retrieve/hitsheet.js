// The hits on one canvas: a column for each way that the page shows.
import { imageHref, info, streamIndex } from "../../bundle.js";
import { decimal } from "../../format.js";
import { drawContactSheet } from "../contactsheet.js";
import { searched } from "./queryreading.js";
import { scoreName } from "./search.js";

const PIXELS = 224;
const TITLES = { latent: "Latents", reconstruction: "Reconstruction", backbone: "Backbone, without SPARC" };

/**
 * Draws the sheet.
 * @param {string} query in words
 * @param {object[]} answers schemas.Retrieval
 * @returns {Promise<HTMLCanvasElement>}
 */
export function drawHits(query, answers) {
  return drawContactSheet({
    title: query,
    notes: [...new Set(answers.map(searched))],
    columns: answers.map((answer) => ({
      title: `${TITLES[answer.way]}: ${scoreName(answer)}`,
      stream: streamIndex(answer.target),
      cells: answer.hits.map((hit, index) => ({ address: imageHref(hit.item_id, PIXELS), text: `${index + 1}. ${decimal(hit.score, 3)}` })),
    })),
    foot: `bundle ${info.bundle_id} · SPARC Explorer`,
  });
}
