// What the search box suggests: groups of options, each of them one question to the server.
import * as api from "../api.js";
import { info, streamTitle } from "../bundle.js";
import { count, decimal } from "../format.js";
import { queryTerm } from "../parts/retrieve/term.js";
import { recentSearches } from "./kept.js";
import { itemOption, latentOption, pageOption, textOption } from "./options.js";
import { CAPTION_STREAM, pagesFor, readsText, termsOf } from "./query.js";

const N_LATENTS = 5;
const N_CAPTIONS = 5;
const N_IMAGES = 8;
const N_NUMBERS = 6;

/**
 * @typedef {object} Group
 * @property {string} key alike where a newer search has the same group
 * @property {string} title
 * @property {number} size how many options will come
 * @property {"rows" | "cells" | "line"} shape
 * @property {(signal: AbortSignal) => Promise<Found>} ask
 *
 * @typedef {object} Found
 * @property {HTMLElement[]} options
 * @property {string} [title] instead of the group's
 * @property {string} [note] what the numbers are, or how many there are
 * @property {string} [none] said where there are no options
 */

/** @param {import("./query.js").Search} search @returns {Group[]} the last one leads to the pages that answer it */
export function groupsFor(search) {
  const found = search.isNumber ? numberGroups(search) : { latents: latentGroups, images: imageGroups, captions: captionGroups }[search.scope](search);
  return [...found, fixed("pages", "Go to", "line", pagesFor(search).map(pageOption))];
}

/** What is offered before anything is typed. @param {string[]} examples texts that fit the corpus */
export function offersFor(scope, examples) {
  const recent = recentSearches().map((one) => textOption(one.text, one.scope, one.scope));
  return [
    ...(recent.length ? [fixed("recent", "Recent", "rows", recent)] : []),
    ...(examples.length ? [fixed("examples", "Try", "rows", examples.map((text) => textOption(text, scope)))] : []),
  ];
}

/** A picture on its way to the server. @param {() => Promise<unknown>} send */
export function sendingGroup(send) {
  return { key: "sending", title: "Sending the picture", shape: "rows", size: 3, ask: async () => (await send(), { options: [] }) };
}

function numberGroups(search) {
  const typed = Number(search.text.replace("#", ""));
  const ids = numbersFrom(typed);
  const none = `There is no latent ${typed}: they go from 0 to ${info.n_latents - 1}.`;
  const numbers = rows("numbers", "By number", N_NUMBERS, async (signal) => {
    if (!ids.length) return { options: [], none };
    const { latents } = await api.latents([...ids.map((id) => ["ids", id]), ["sort", "id"], ["limit", N_NUMBERS]], signal);
    return { options: latents.map((one) => latentOption(one)), none };
  });
  if (search.latent === null || search.scope === "latents") return [{ ...numbers, size: Math.max(ids.length, 1) }];
  return [{ ...numbers, size: ids.length }, search.scope === "images" ? images(search) : closestCaptions(search)];
}

/** A latent's number, and those that begin so: 12, 120, 121, ... */
function numbersFrom(first) {
  const found = first < info.n_latents ? [first] : [];
  for (let scale = 10; first > 0 && first * scale < info.n_latents && found.length < N_NUMBERS; scale *= 10) {
    const beyond = Math.min((first + 1) * scale, info.n_latents);
    for (let id = first * scale; id < beyond && found.length < N_NUMBERS; id++) found.push(id);
  }
  return found;
}

function latentGroups(search) {
  const { text, upload } = search;
  return [
    upload && activated("seen", "The picture activates", { upload_id: upload }),
    text && rows("named", "Name or label", N_LATENTS, async (signal) => {
      const { latents, total } = await api.latents([["query", text], ["limit", N_LATENTS]], signal);
      return { options: latents.map((one) => latentOption(one, { text })), note: total > N_LATENTS ? `${N_LATENTS} of ${total}` : "", none: "No latent has this name or label." };
    }),
    text && readsText() && activated("read", upload ? "The text activates" : "It activates", { text }),
  ].filter(Boolean);
}

function activated(key, title, query) {
  return rows(key, title, N_LATENTS, async (signal) => {
    const { latents, stream } = await api.searchLatents({ ...query, limit: N_LATENTS }, signal);
    const options = latents.map(({ latent, found, score }) => latentOption(latent, { measure: found === "code" ? decimal(score) : `cosine ${decimal(score)}` }));
    return { options, note: `activation in ${streamTitle(stream)}`, none: "It activates no latent." };
  });
}

function imageGroups(search) {
  return [images(search)];
}

function images(search) {
  return { ...hits({ key: "images", title: "Closest images", size: N_IMAGES, note: "best first, by cosine of codes" }, search, ""), shape: "cells" };
}

function captionGroups(search) {
  const { text } = search;
  const worded = text && !search.upload && rows("worded", "Captions with these words", N_CAPTIONS, async (signal) => {
    const { items, total } = await api.items([["caption", text], ["limit", N_CAPTIONS]], signal);
    return { options: items.map((one) => itemOption(one, { text })), note: total > N_CAPTIONS ? `${N_CAPTIONS} of ${count(total, "caption")}` : "", none: "No caption has these words." };
  });
  return [worded, closestCaptions(search)].filter(Boolean);
}

function closestCaptions(search) {
  return hits({ key: "captions", title: "Closest captions", size: N_CAPTIONS, note: "cosine of codes" }, search, CAPTION_STREAM);
}

function hits({ key, title, size, note }, search, target) {
  return rows(key, title, size, async (signal) => {
    const answer = await api.retrieve({ query: termsOf(search).map(queryTerm), ...(target && { target }), limit: size }, signal);
    const options = answer.hits.map((hit) => itemOption(hit, { measure: decimal(hit.score) }));
    return { options, title: `Closest in ${streamTitle(answer.target)}`, note, none: "No item is close to it." };
  });
}

function rows(key, title, size, ask) {
  return { key, title, shape: "rows", size, ask };
}

function fixed(key, title, shape, options) {
  return { key, title, shape, size: options.length, options };
}
