// The map of latents: what the filters leave among all of them. Answers and legend; mapstage.js is the canvas.
import { addressOf } from "../../address.js";
import { latentMap, ROOT } from "../../api.js";
import { el } from "../../dom.js";
import { count } from "../../format.js";
import { isAbort, troubleBox } from "../../status.js";
import { showCall, showPicture } from "../data.js";
import { readLasso } from "./lasso.js";
import { mapPicture } from "./mappicture.js";
import { MapPoints } from "./mappoints.js";
import { MapStage } from "./mapstage.js";

const HELP = "Latents lie close where their directions are alike. Drag to move, wheel or pinch to zoom, click to open. " +
  "Keys: arrows, + and −, 0 for the whole map, Enter for the latent in the middle. As cards, the same latents are a list.";

/**
 * @typedef {object} Shown
 * @property {[string, string][]} filter schemas.LatentFilter
 * @property {string} colour what points are coloured by
 * @property {string} pictures whose strongest items are pictured: an image stream, or "" for the server's choice
 * @property {string} lasso of the address, or ""
 */

/** Fills gallery.html's `#map`. */
export class MapView {
  #stage;
  #shownTotal;
  #legend = el("p", { class: "map__legend" });
  #note = el("div", { class: "map__note" });
  #request = new AbortController();
  /** @type {MapPoints | null} */
  #points = null;
  #all = { pictures: null, unplaced: 0 }; // what the points are an answer to

  /**
   * @param {HTMLElement} place
   * @param {object} how
   * @param {(lasso: string) => void} how.gather after a lasso was drawn
   * @param {(total: number, unplaced: number) => void} how.shown after the matching latents are known
   */
  constructor(place, { gather, shown }) {
    this.#shownTotal = shown;
    this.#stage = new MapStage(gather);
    this.#stage.element.append(this.#legend, this.#note);
    place.replaceChildren(this.#stage.element, el("p", { class: "note map__help", id: "map-help" }, HELP));
    showPicture("map", "Map", () => mapPicture(this.#stage.scene, "Map of latents"));
  }

  /** Shows what a view says; what was under way is given up. @param {Shown} shown */
  async show(shown) {
    const { filter, pictures } = shown;
    this.#request.abort();
    this.#request = new AbortController();
    const { signal } = this.#request;
    const stream = [["stream", pictures]];
    showCall("map", { title: "Map", method: "GET", path: addressOf(`${ROOT}/latents/map`, [...filter, ...stream]) });
    this.#note.replaceChildren();
    try {
      const [all, some] = await Promise.all([
        this.#all.pictures === pictures ? null : latentMap(stream, signal),
        filter.length ? latentMap([...filter, ...stream], signal) : null,
      ]);
      if (!signal.aborted) this.#take(shown, all, some);
    } catch (error) {
      if (!signal.aborted && !isAbort(error)) this.#note.replaceChildren(troubleBox(error, () => this.show(shown)));
    }
  }

  #take({ colour, lasso, pictures }, all, some) {
    if (all) [this.#points, this.#all] = [new MapPoints(all), { pictures, unplaced: all.unplaced }];
    const points = this.#points;
    points.match(some?.ids ?? null);
    const [placed, unplaced] = some ? [some.ids.length, some.unplaced] : [points.n, this.#all.unplaced];
    const scale = points.scale(colour);
    const label = `Map of ${count(placed, "latent")}, larger where they are active on more items, coloured by ${colour}`;
    this.#stage.show({ points, scale, lasso: readLasso(lasso), label });
    this.#legend.replaceChildren(
      el("span", {}, scale.name), el("span", { class: "number" }, scale.low), el("span", { class: "map__strip", "aria-hidden": "true" }),
      el("span", { class: "number" }, scale.high), el("span", { class: "map__sizes", "aria-hidden": "true" }), el("span", {}, "denser"));
    this.#shownTotal(placed + unplaced, unplaced);
  }
}
