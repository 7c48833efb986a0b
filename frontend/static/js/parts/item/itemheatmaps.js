// Where latents are in one item's picture: asked for once each, and kept.
import * as api from "../../api.js";

/**
 * @typedef {object} Look
 * @property {string} latent its number
 * @property {string} name
 * @property {object[]} heatmaps schemas.Heatmap of each image stream
 * @property {number} scale the largest value of all of them
 */

/** Heatmaps of an item, by latent. */
export class ItemHeatmaps {
  #itemId;
  #known = new Map();

  /** @param {string} itemId */
  constructor(itemId) {
    this.#itemId = itemId;
  }

  /** What is known of a latent. @param {string} latent @returns {Look | undefined} */
  known(latent) {
    return this.#known.get(latent);
  }

  /** The schemas.HeatmapRequest for a latent. */
  request(latent) {
    return { latents: [Number(latent)], item_ids: [this.#itemId] };
  }

  /** Asks, where nothing is known yet. @returns {Promise<Look>} */
  async ask(latent, signal) {
    if (this.#known.has(latent)) return this.#known.get(latent);
    const look = { latent, name: `latent ${latent}`, heatmaps: [], scale: 0 };
    for await (const line of api.heatmaps(this.request(latent), signal)) {
      if (line.kind === "caption") look.name = line.code[0].name;
      if (line.kind === "picture") look.heatmaps = line.heatmaps;
      if (line.kind === "done") look.scale = Math.max(...Object.values(line.scale), 0);
    }
    this.#known.set(latent, look);
    return look;
  }

  /** How a stream's patches lie, where any heatmap told. @param {string} stream @returns {object | undefined} */
  grid(stream) {
    for (const { heatmaps } of this.#known.values()) return heatmaps.find((heatmap) => heatmap.stream === stream);
    return undefined;
  }
}
