// Where in a hit's picture the latents are that it shares with the query.
import * as api from "../../api.js";
import { el } from "../../dom.js";
import { isAbort, troubleBox } from "../../status.js";
import { ranksOf } from "../bar.js";
import { showCall } from "../data.js";
import { drawHeatmap, largest } from "../heatmaps/heatmap.js";
import { fillPicture, paneOf, pictureFigure } from "../heatmaps/picture.js";
import { endTrust, showTrust } from "../heatmaps/trust.js";

const MOST_LATENTS = 8;
const OPACITY = 0.68; // as the caption page begins with

/**
 * Shows heatmaps of the latents that speak for a hit, strongest first.
 * @param {HTMLElement} place
 * @param {object} hit schemas.Hit
 * @param {AbortSignal} signal
 */
export async function showWhere(place, hit, signal) {
  const latents = hit.shared.filter(({ share }) => share > 0).sort((a, b) => b.share - a.share).slice(0, MOST_LATENTS);
  const note = el("p", { class: "note", role: "status" }, "Looking for the shared latents in the picture…");
  place.replaceChildren(note);
  place.style.setProperty("--opacity", OPACITY);
  try {
    const request = { latents: latents.map(({ latent }) => latent), item_ids: [hit.item_id], trust: true };
    const ranks = ranksOf(request.latents);
    let figure = null;
    for await (const line of api.heatmaps(request, signal)) {
      if (signal.aborted) return;
      if (line.kind === "caption") place.append((figure = pictureFigure(hit.item_id, line.streams, { tag: "div", save: false })));
      if (line.kind === "picture") for (const { canvas, heatmap } of fillPicture(figure, line, ranks, null)) drawHeatmap(canvas, heatmap, { scale: largest(heatmap), threshold: 0, patches: false });
      if (line.kind === "trust") showTrust(figure, line.streams, (stream) => paneOf(figure, stream));
    }
    endTrust(place);
    note.textContent = `Heatmaps of what hit and query share: ${latents.map(({ name }) => name).join(", ")}. Each sets its own scale: even a faint one looks bright.`;
    showCall("where", { title: "Where the shared latents are", method: "POST", path: `${api.ROOT}/heatmaps`, body: request });
  } catch (error) {
    if (signal.aborted || isAbort(error)) return;
    place.replaceChildren(troubleBox(error, () => showWhere(place, hit, signal)));
  }
}
