// A picture with its heatmaps as a PNG file.
import { info, streamIndex, streamTitle } from "../../bundle.js";
import { count, decimal, percent, significant } from "../../format.js";
import { fileName, saveCanvas } from "../files.js";
import { drawSheet } from "./sheet.js";
import { VERDICTS } from "./trust.js";

/**
 * Makes the file and hands it to the visitor.
 * @param {object} picture schemas.PictureHeatmaps
 * @param {object} shown
 * @param {{q: string, latent: string}} shown.view
 * @param {string} shown.alone name of the latent that is shown alone, or ""
 * @param {string} shown.how how heatmaps are computed, in words
 * @param {string} shown.address of the picture, large
 * @param {object} shown.display see readDisplay
 * @param {Map<string, string>} shown.verdicts stream -> verdict
 * @param {(heatmap: object) => object} shown.lookOf how it is drawn
 */
export async function savePicture(picture, { view, alone, how, address, display, verdicts, lookOf }) {
  const notes = [
    alone && `Only ${alone} (latent ${view.latent})`,
    display.threshold > 0 && `Nothing is painted below ${percent(display.threshold)} of the scale`,
    !display.same && "Each picture sets its own scale: even noise looks bright",
  ];
  const panes = picture.heatmaps.map((heatmap) => {
    const verdict = verdicts.get(heatmap.stream);
    const look = lookOf(heatmap);
    return {
      heatmap,
      look,
      stream: streamIndex(heatmap.stream),
      title: streamTitle(heatmap.stream),
      score: `score ${decimal(heatmap.score)}`,
      legend: `${significant(look.scale)}, ${display.same ? "largest of all pictures shown" : "largest of this picture"}`,
      words: heatmap.note ?? VERDICTS[verdict] ?? "not checked",
      muted: verdict === "chance",
    };
  });
  const layers = [...new Set(picture.heatmaps.map((heatmap) => heatmap.layers))].map((n) => count(n, "block")).join(" or ");
  const foot = [picture.item_id, picture.caption, how, layers, `bundle ${info.bundle_id}`, "SPARC Explorer"];
  const sheet = { title: `“${view.q}”`, notes: notes.filter(Boolean), address, opacity: display.opacity, panes, foot: foot.filter(Boolean).join(" · ") };
  await saveCanvas(await drawSheet(sheet), fileName("png", view.q, alone && `only ${alone}`, picture.item_id));
}

/** The size to ask a picture in: the largest that the server gives. */
export const PICTURE_PIXELS = 1024;
