// What the search box asks for, and the pages that answer it. The twin of server/routes/search.py: keep them alike.
import { addressOf } from "../address.js";
import { info, latentHref, readersOf } from "../bundle.js";
import { term, writeTerm } from "../parts/retrieve/term.js";

const NUMBER = /^(#?)\s*(\d+)$/; // "#17", "17"
const words = new Intl.ListFormat("en");

/** What can be looked for. */
export const SCOPES = ["latents", "images", "captions"];
/** The stream in which captions are found; "" where the bundle has none. */
export const CAPTION_STREAM = info.streams.findLast(({ modality }) => modality === "text")?.name ?? "";

/**
 * @typedef {object} Search
 * @property {"latents" | "images" | "captions"} scope
 * @property {string} text
 * @property {string} upload id of a sent picture, or ""
 * @property {boolean} isNumber whether the text is a latent's number rather than words
 * @property {number | null} latent the latent of that number, where there is one
 */

/** @returns {Search} */
export function searchFor(typed, scope, upload = "") {
  const text = typed.trim();
  const [, sign, digits] = (!upload && NUMBER.exec(text)) || [];
  const latent = digits !== undefined && Number(digits) < info.n_latents ? Number(digits) : null;
  const isNumber = latent !== null || sign === "#" || (digits !== undefined && scope === "latents");
  return { scope, text, upload, isNumber, latent };
}

/** Whether there is a stream that can read new texts. */
export function readsText() {
  return readersOf("text").length > 0;
}

/** The terms of a retrieval for a search: its picture, its text, or its latent. @param {Search} search */
export function termsOf({ text, upload, latent }) {
  if (latent !== null) return [term("latent", latent)];
  return [upload && term("upload", upload), text && term("text", text)].filter(Boolean);
}

/**
 * Pages that answer a search; the one that Enter leads to is `isUsual`.
 * @param {Search} search
 * @returns {{title: string, href: string, isUsual: boolean}[]}
 */
export function pagesFor(search) {
  const { scope, isNumber, latent } = search;
  if (!isNumber) return [...captionPage(search), { ...retrieval(search), isUsual: scope !== "latents" }, { ...latentsPage(search), isUsual: scope === "latents" }];
  if (latent === null) return [{ title: "All latents", href: "/", isUsual: false }];
  return [{ title: `Latent #${latent}`, href: latentHref(latent), isUsual: true }, { ...retrieval(search), isUsual: false }];
}

/** Where a search leads that was made before, or is offered: the server says. @param {string} text @param {string} scope */
export function offerHref(text, scope) {
  return addressOf("/search", [["q", text], ["scope", scope]]);
}

function captionPage({ text, upload }) {
  const lookers = readersOf("upload").map(({ title }) => title);
  if (!lookers.length || !readsText()) return [];
  const titled = (title) => [{ title, href: addressOf("/caption", [["q", text], ["upload", upload]]), isUsual: false }];
  if (!text) return titled("Look for a caption in it");
  return titled(`Where ${lookers.length > 1 ? "do" : "does"} ${words.format(lookers)} find it${upload ? " in the picture" : ""}?`);
}

function retrieval(search) {
  const captions = search.scope === "captions" && CAPTION_STREAM;
  const terms = termsOf(search).map((one) => ["term", writeTerm(one)]);
  return { title: captions ? "Retrieve captions" : "Retrieve images", href: addressOf("/retrieve", [...terms, ["target", captions || ""]]) };
}

function latentsPage({ text, upload }) {
  if (upload) return { title: "Latents that it activates", href: addressOf("/find", [["by", "picture"], ["upload", upload]]) };
  if (readsText()) return { title: "Latents of this meaning", href: addressOf("/find", [["text", text]]) };
  return { title: "Latents of this name", href: addressOf("/", [["query", text]]) };
}
