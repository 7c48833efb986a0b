// A collection that came from elsewhere, by a link or a file, read-only until the visitor says that it is to be added.
import { imageHref, info } from "../../bundle.js";
import { el } from "../../dom.js";
import { count } from "../../format.js";
import { entriesHere } from "./collectionfile.js";
import { hrefOf, nameOf, pictureOfLatent } from "./entryrow.js";
import { lookUpLatents } from "./latentlookup.js";

/**
 * What is offered, and the choices.
 * @param {string} title "Shared collection"
 * @param {import("./collectionfile.js").CollectionDocument} found
 * @param {object} how
 * @param {(entries: import("../../collection.js").Entry[]) => void} how.add
 * @param {() => void} how.dismiss
 * @returns {HTMLElement}
 */
export function offerPanel(title, found, { add, dismiss }) {
  const entries = entriesHere(found);
  const foreign = entries.filter((entry) => entry.bundle_id);
  const own = entries.filter((entry) => !entry.bundle_id);
  const latents = lookUpLatents(own.filter(({ kind }) => kind === "latent").map(({ id }) => Number(id)));
  const button = (text, click, main = false) => el("button", { class: `button${main ? " button--main" : ""}`, type: "button", on: { click } }, text);
  return el("section", { class: "offer", "aria-label": title },
    el("h2", { tabindex: -1 }, `${title}: ${countsOf(entries)}`),
    foreign.length > 0 && el("p", { class: "offer__warning" }, warningOf(found, foreign, own)),
    el("ol", { class: "offer__entries" }, entries.map((entry) => brief(entry, latents))),
    el("p", { class: "offer__choices" },
      button(foreign.length ? "Add all the same" : "Add to mine", () => add(entries), !foreign.length),
      foreign.length > 0 && own.length > 0 && button(`Add only ${countsOf(own, " and ")}`, () => add(own), true),
      button("Dismiss", dismiss)));
}

function countsOf(entries, between = ", ") {
  const latents = entries.filter(({ kind }) => kind === "latent").length;
  const both = [[latents, "latent"], [entries.length - latents, "item"]].filter(([n]) => n);
  return both.map(([n, noun]) => count(n, noun)).join(between) || "nothing";
}

function warningOf(found, foreign, own) {
  const of = found.bundle_id.slice(0, 16) + (found.corpus === info.corpus ? ", over the same corpus" : `, over ${found.corpus.slice(0, 60)}`);
  const latents = foreign.some(({ kind }) => kind === "latent");
  const whole = latents ? "its numbers mean other latents there" : "its items are others there";
  const some = latents ? "where a number means another latent" : "where an id means another item";
  const from = found.bundle_id === info.bundle_id ? `${countsOf(foreign, " and ")} came from another bundle, ${some}.` : `It is of another bundle (${of}): ${whole}.`;
  return `${from} ${own.length ? `${countsOf(own, " and ")} can be taken over as they are. ` : ""}What you add all the same is kept and marked.`;
}

function brief(entry, latents) {
  const href = hrefOf(entry);
  const name = nameOf(entry);
  return el("li", { class: "offer__entry" },
    mediaOf(entry, latents),
    el("span", {},
      el("span", { class: entry.kind === "item" ? "caption" : "offer__name" }, href ? el("a", { href }, name) : name), " ",
      el("span", { class: "mono faint" }, entry.id),
      entry.tags.map((tag) => [" ", el("span", { class: "tag" }, tag)]),
      entry.note && el("span", { class: "offer__note" }, entry.note)));
}

/** An item's picture, or a latent's strongest item once it is looked up; the kind where there is none. */
function mediaOf({ kind, id, bundle_id: foreign }, latents) {
  const place = el("span", { class: "offer__kind" }, kind);
  if (foreign) return place;
  const picture = (src) => {
    const image = el("img", { src, alt: "", width: 112, height: 112, decoding: "async", on: { error: () => image.replaceWith(place) } });
    return image;
  };
  if (kind === "item") return picture(imageHref(id, 112));
  latents.then((found) => {
    const address = pictureOfLatent(found.get(Number(id)), 112);
    if (address) place.replaceWith(picture(address));
  }, () => {}); // without an answer, the kind says enough
  return place;
}
