// One answer of the caption page: its pictures in their places, drawn again whenever scale or display change.
import { imageHref, uploadHref } from "../../bundle.js";
import { legend, readDisplay, showDisplay, showScales } from "./controls.js";
import { PICTURE_PIXELS, savePicture } from "./download.js";
import { drawHeatmap, largest } from "./heatmap.js";
import { drawHeatmapSheet } from "./heatmapsheet.js";
import { fillPicture, paneOf, pictureFigure } from "./picture.js";
import { endTrust, showTrust } from "./trust.js";
import { isolates, subjectOf } from "./view.js";

const SHEET_PIXELS = 448;

/** Pictures as they come. Until the first line is here, the page keeps what it shows. */
export class Answer {
  #places;
  #view;
  #panes = [];
  #scale = {};
  #ranks = new Map();
  #figures = new Map();
  #pictures = new Map();
  #verdicts = new Map();

  /**
   * @param {{pictures: HTMLElement, viewer: HTMLFormElement, legends: HTMLElement}} places of the template
   * @param {object} view see view.js
   */
  constructor(places, view) {
    [this.#places, this.#view] = [places, view];
  }

  /** How many pictures will come; 0 while that is unknown. */
  get expected() {
    return this.#figures.size;
  }

  /** How many pictures are here. */
  get arrived() {
    return this.#pictures.size;
  }

  /** Makes room for the pictures. @param {Map<number, number>} ranks see ranksOf */
  begin(ids, streams, ranks) {
    const { pictures, viewer, legends } = this.#places;
    this.#ranks = ranks;
    for (const id of ids) this.#figures.set(id, pictureFigure(id, streams, { upload: this.#view.upload }));
    legends.replaceChildren(...streams.map(legend));
    viewer.hidden = false;
    pictures.classList.toggle("pictures--one", ids.length === 1);
    pictures.replaceChildren(...this.#figures.values());
    pictures.dataset.subject = subjectOf(this.#view);
    pictures.removeAttribute("aria-busy");
    this.display();
  }

  /** Shows a schemas.PictureHeatmaps. */
  add(picture) {
    const isolated = isolates(this.#view) ? this.#view.latent : null;
    const panes = fillPicture(this.#figures.get(picture.item_id), picture, this.#ranks, isolated);
    this.#panes.push(...panes);
    this.#pictures.set(picture.item_id, picture);
    const brighter = panes.filter(({ heatmap }) => largest(heatmap) > (this.#scale[heatmap.stream] ?? 0));
    for (const { heatmap } of brighter) this.#scale[heatmap.stream] = largest(heatmap);
    this.#draw(brighter.length ? this.#panes : panes);
  }

  /** Shows a schemas.PictureTrust. */
  believe({ item_id: id, streams }) {
    const figure = this.#figures.get(id);
    this.#verdicts.set(id, showTrust(figure, streams, (stream) => paneOf(figure, stream)));
  }

  /** The answer has ended, one way or the other. @param {Record<string, number>} [scale] of all pictures */
  end(scale = {}) {
    Object.assign(this.#scale, scale);
    this.#draw(this.#panes);
    for (const frame of this.#places.pictures.querySelectorAll("[data-waiting]")) frame.removeAttribute("data-waiting");
    endTrust(this.#places.pictures);
  }

  /** Follows the display's controls. */
  display() {
    showDisplay(this.#places.viewer, this.#places.pictures, this.expected === 1);
    this.#draw(this.#panes);
  }

  /** Hands a picture to the visitor as a file. @param {string} alone see savePicture @param {string} how */
  async save(id, alone, how) {
    const address = this.#addressOf(id, PICTURE_PIXELS);
    const display = readDisplay(this.#places.viewer);
    const verdicts = this.#verdicts.get(id) ?? new Map();
    await savePicture(this.#pictures.get(id), { view: this.#view, alone, how, address, display, verdicts, lookOf: (heatmap) => this.#lookOf(heatmap) });
  }

  /** All pictures that are here, on one canvas. @param {string[]} notes lines under the caption */
  drawAll(notes) {
    const { opacity, same } = readDisplay(this.#places.viewer);
    const pictures = [...this.#pictures].map(([id, picture]) => ({
      picture,
      address: this.#addressOf(id, SHEET_PIXELS),
      ratio: Number(this.#figures.get(id).querySelector(".pane__frame").style.getPropertyValue("--ratio")) || 1,
    }));
    const streams = pictures[0].picture.heatmaps.map(({ stream }) => stream);
    const scales = same ? "One scale for all pictures of a stream" : "Each picture sets its own scale: even noise looks bright";
    return drawHeatmapSheet({ title: `“${this.#view.q}”`, notes: [...notes, scales], streams, pictures, opacity, lookOf: (heatmap) => this.#lookOf(heatmap) });
  }

  #addressOf(id, size) {
    return this.#view.upload ? uploadHref(this.#view.upload, size) : imageHref(id, size);
  }

  #lookOf(heatmap) {
    const { same, threshold, patches } = readDisplay(this.#places.viewer);
    return { scale: same ? (this.#scale[heatmap.stream] ?? 0) : largest(heatmap), threshold, patches };
  }

  #draw(panes) {
    for (const { canvas, heatmap } of panes) drawHeatmap(canvas, heatmap, this.#lookOf(heatmap));
    showScales(this.#places.legends, this.#scale, readDisplay(this.#places.viewer).same);
  }
}
