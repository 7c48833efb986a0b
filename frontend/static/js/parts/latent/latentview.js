// What a latent's page shows: everything that its address holds. The twin of server/latent_page/address.py.
import { addressOf, visit } from "../../address.js";
import { latentHref } from "../../bundle.js";

const USUAL = { interval: "top", seed: "0", heat: "", try: "", upload: "", beside: "" };
const OTHERS = "a[rel=prev], a[rel=next], .below .ranked a[href^='/latents/']";

/** The number of the page's latent. */
export const latentId = Number(document.querySelector("[data-latent-id]").dataset.latentId);

/** The view in the page's address. @returns {Record<keyof typeof USUAL, string>} */
export function currentView() {
  const given = new URLSearchParams(location.search);
  const view = Object.fromEntries(Object.entries(USUAL).map(([name, usual]) => [name, given.get(name) ?? usual]));
  return { ...view, heat: ["1", "true"].includes(view.heat) ? "1" : "" };
}

/** The address of a view: what is as usual stays out of it. @param {number | string} [latent] the page's where none is named */
export function viewHref(view, latent = latentId) {
  const said = Object.entries(view).filter(([name, value]) => value !== USUAL[name]);
  return addressOf(latentHref(latent), said);
}

/** Goes to another view of this page; false where it is there already. @param {Partial<Record<keyof typeof USUAL, string>>} changed */
export function change(changed) {
  const isOther = visit(viewHref({ ...currentView(), ...changed }));
  if (isOther) followView();
  return isOther;
}

/** Makes links to other latents, and to other bundles beside this one, keep the view. */
export function followView() {
  const view = currentView();
  for (const link of document.querySelectorAll(OTHERS)) link.href = viewHref({ ...view, seed: USUAL.seed }, numberIn(link));
  for (const link of document.querySelectorAll("[data-beside]")) link.href = `${viewHref({ ...view, beside: link.dataset.beside })}#beside`;
}

function numberIn(link) {
  return new URL(link.href).pathname.split("/").at(-1);
}
