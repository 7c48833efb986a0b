// What can be done with starred latents and items, a picture of them, and how to star where there is none.
import { addressOf } from "../../address.js";
import { imageHref, info } from "../../bundle.js";
import { el } from "../../dom.js";
import { drawContactSheet } from "../contactsheet.js";
import { nameOf, pictureOfLatent } from "./entryrow.js";
import { lookUpLatents } from "./latentlookup.js";

const MOST = { examples: 64, terms: 16 }; // as schemas.LatentSearchRequest and schemas.RetrieveRequest take them

/** Links that use these entries as examples; those of another bundle are left out. @returns {HTMLElement[]} */
export function usesOf(entries) {
  const [items, latents] = ["item", "latent"].map((kind) => idsOf(entries, kind));
  return [
    useOf(items, MOST.examples, "Find the latents of these items", (ids) => addressOf("/find", [["by", "examples"], ...ids.map((id) => ["item", id])])),
    useOf(items, MOST.terms, "Retrieve like these items", (ids) => addressOf("/retrieve", ids.map((id) => ["term", `item:${id}`]))),
    useOf(latents, MOST.terms, "Retrieve with these latents", (ids) => addressOf("/retrieve", ids.map((id) => ["term", `latent:${id}`]))),
  ].filter(Boolean);
}

/** Ids of the entries of a kind that mean the same in this bundle. @param {"latent" | "item"} kind */
export function idsOf(entries, kind) {
  return entries.filter((entry) => entry.kind === kind && !entry.bundle_id).map(({ id }) => id);
}

/** What stands in place of entries. @param {number} n how many there are, none of which is shown @param {() => void} showAll */
export function emptyNote(n, showAll) {
  if (n) return el("p", { class: "empty" }, "No entry matches. ", el("button", { class: "button button--small", type: "button", on: { click: showAll } }, "Show all"));
  return el("section", { class: "notice starless" },
    el("h2", {}, "Nothing is starred yet"),
    el("p", {}, "Press the star ", el("span", { class: "star-drawn", role: "img", "aria-label": "(a star)" }), " of a latent or an item wherever you see one, or ", el("kbd", {}, "s"), " on its page. It then waits here, to be tagged, noted, exported and shared."),
    el("p", { class: "offer__choices" }, el("a", { class: "button button--main", href: "/" }, "To the latents"), el("a", { class: "button", href: "/tour" }, "Take the tour")));
}

/** Draws these entries on one sheet. */
export async function collectionPicture(entries) {
  const latents = await lookUpLatents(idsOf(entries, "latent").map(Number));
  const cells = (kind, cell) => idsOf(entries, kind).map((id) => cell(id, nameOf(entries.find((one) => one.kind === kind && one.id === id))));
  const columns = [
    { title: "Latents", stream: -1, cells: cells("latent", (id, name) => latentCell(latents.get(Number(id)), `${id} ${name}`)) },
    { title: "Items", stream: -1, cells: cells("item", (id, name) => ({ address: imageHref(id, 224), text: name })) },
  ];
  return drawContactSheet({ title: "Collection", notes: [], columns: columns.filter((column) => column.cells.length), foot: `SPARC bundle ${info.bundle_id}, corpus ${info.corpus}` });
}

function latentCell(latent, text) {
  const address = pictureOfLatent(latent, 224);
  return address ? { address, text } : { text };
}

function useOf(ids, most, text, href) {
  if (!ids.length) return null;
  return el("a", { class: "button button--small", href: href(ids.slice(0, most)), title: ids.length > most ? `the first ${most} of ${ids.length}` : null }, ids.length > most ? `${text} (first ${most})` : text);
}
