// The cards in sight on one canvas, a column for each stream: for slides and papers.
import { info } from "../bundle.js";
import { drawContactSheet } from "./contactsheet.js";
import { showPicture } from "./data.js";

const PICTURES = 3; // of a latent in a stream: one line of the sheet
const MOST = 12;

/** Offers a picture of the cards in "Data of this page". @param {HTMLElement} list holds `latentCard`s */
export function offerCards(list) {
  showPicture("cards", "The cards in sight", () => draw([...list.querySelectorAll(".card[data-latent]")].filter(isInSight).slice(0, MOST)));
}

function isInSight(card) {
  const { top, bottom } = card.getBoundingClientRect();
  return bottom > -innerHeight && top < innerHeight; // the data lies below the cards: those of the last screen too
}

function draw(cards) {
  return drawContactSheet({
    title: document.querySelector("h1").textContent,
    notes: [document.querySelector("#status").textContent],
    columns: info.streams.map(({ title }, stream) => ({ title, stream, cells: cards.flatMap((card) => cellsOf(card, stream)) })),
    foot: `bundle ${info.bundle_id} · SPARC Explorer`,
  });
}

function cellsOf(card, stream) {
  const name = `#${card.dataset.latent} ${card.querySelector(".card__name").textContent.trim()}`;
  const strip = card.querySelector(`.strip[data-stream="${stream}"]`);
  const pictures = [...strip.querySelectorAll("img")].slice(0, PICTURES);
  if (pictures.length) return pictures.map(({ src: address }, at) => ({ address, text: at ? "" : name, begins: !at }));
  const captions = [...strip.querySelectorAll("li")].map(({ textContent }) => `“${textContent.trim()}”`);
  return [{ text: `${name}: ${captions.join(" ") || "never active"}` }];
}
