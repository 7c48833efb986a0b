// The star of a latent or an item: starred things are in the visitor's collection. The twin of `star` in parts.html.
import { entries, has, toggle } from "../collection.js";
import { el } from "../dom.js";
import { announce } from "../status.js";

/** A star to press. @param {"latent" | "item"} kind @param {string | number} id @param {string} name of the latent, or the item's caption */
export function starButton(kind, id, name) {
  return el("button", { class: "star", type: "button", "aria-label": `Star ${kind} ${id}`, title: "Star", "aria-pressed": String(has(kind, id)), data: { star: kind, id, name } });
}

/** Makes all stars of the page work, also those to come, and keeps the count of starred things. */
export function watchStars() {
  document.addEventListener("click", ({ target }) => {
    const star = target.closest?.("[data-star]");
    if (!star) return;
    const { star: kind, id, name } = star.dataset;
    announce(toggle(kind, id, name) ? `Starred ${name}` : `${name} is no longer starred`);
  });
  document.addEventListener("collectionchange", showStars);
  showStars();
}

function showStars() {
  for (const star of document.querySelectorAll("[data-star]")) star.setAttribute("aria-pressed", String(has(star.dataset.star, star.dataset.id)));
  const n = entries().length;
  for (const place of document.querySelectorAll("[data-collected]")) {
    place.textContent = n || "";
    place.hidden = !n;
  }
}
