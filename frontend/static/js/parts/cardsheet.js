// The cards in sight on one canvas, a column for each stream: for slides and papers.
import { info } from "../bundle.js";
import { drawContactSheet } from "./contactsheet.js";
import { showPicture } from "./data.js";

const PICTURES = 3; // of a latent in a stream: one line of the sheet
const MOST = 12;
const PATIENCE_MS = 10_000;

/** Offers a picture of the cards in "Data of this page". @param {HTMLElement} list holds `latentCard`s */
export function offerCards(list) {
  showPicture("cards", "The cards in sight", async () => draw((await cardsInSight(list)).slice(0, MOST)));
}

/** The cards in sight, as soon as each is known: the click that asks for them may have scrolled to blanks. */
async function cardsInSight(list) {
  const until = performance.now() + PATIENCE_MS;
  while (performance.now() < until) {
    await new Promise(requestAnimationFrame);
    const all = [...list.querySelectorAll(".card")];
    const cards = all.filter((card) => isInSight(card, list));
    if (!all.length || (cards.length && cards.every(({ dataset }) => dataset.latent))) return cards;
  }
  throw new Error("cards that do not arrive");
}

/** The data lies below the cards: those of the last screen count too. */
function isInSight(card, list) {
  const { top, bottom } = card.getBoundingClientRect();
  return bottom > Math.min(0, list.getBoundingClientRect().bottom) - innerHeight && top < innerHeight;
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
