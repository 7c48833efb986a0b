// What a page is made of: the calls of the API behind it, each to be kept as JSON or CSV, and its pictures as PNG.
// The server lists the calls that it answered itself (base.html); scripts add theirs as they ask.
import * as api from "../api.js";
import { el, embedded } from "../dom.js";
import { announce } from "../status.js";
import { csvOf } from "./csv.js";
import { fileName, saveBlob, saveCanvas } from "./files.js";

/**
 * @typedef {object} Call
 * @property {string} title what it answers, "Latents"
 * @property {"GET" | "POST"} method
 * @property {string} path from the host on, with its parameters
 * @property {object} [body] of a POST
 */

const LONG_CALL = 150; // characters, from which on it may be pushed up and down: keys must get there too
const place = document.querySelector("#data");
const list = document.querySelector("#data-calls");
/** @type {Map<string, Call>} */
const calls = new Map(embedded("calls").map(({ key, ...call }) => [key, call]));
/** @type {Map<string, {title: string, draw: () => Promise<HTMLCanvasElement>}>} */
const pictures = new Map();

/** Says that the page shows this call's answer, instead of what it said under the same key. @param {Call | null} call null: no longer */
export function showCall(key, call) {
  if (call) calls.set(key, call);
  else calls.delete(key);
  render();
}

/** Offers a picture of what the page shows. @param {() => Promise<HTMLCanvasElement>} draw is asked when the picture is wanted */
export function showPicture(key, title, draw) {
  pictures.set(key, { title, draw });
  render();
}

function render() {
  place.hidden = !calls.size && !pictures.size;
  list.replaceChildren(...[...calls.values()].map(callEntry), ...[...pictures.values()].map(pictureEntry));
}

function callEntry(call) {
  const said = `${call.method} ${decodeURI(call.path)}${call.body ? ` ${JSON.stringify(call.body)}` : ""}`;
  return el("li", { class: "data__call" },
    el("span", { class: "data__title" }, call.title),
    el("code", { class: "data__said", tabindex: said.length > LONG_CALL ? "0" : null }, said),
    el("span", { class: "data__ways" },
      button("JSON", call.title, () => saveJson(call)),
      button("CSV", call.title, () => saveCsv(call)),
      button("Copy as curl", call.title, () => copy(curlOf(call)))));
}

function pictureEntry({ title, draw }) {
  return el("li", { class: "data__call" },
    el("span", { class: "data__title" }, title),
    el("span", { class: "data__said" }, "a picture for slides and papers"),
    el("span", { class: "data__ways" }, button("PNG", title, async () => saveCanvas(await draw(), fileName("png", document.title, title)))));
}

function button(title, what, act) {
  return el("button", { class: "button button--small", type: "button", "aria-label": `${title}: ${what}`, on: { click: () => act().catch(failed) } }, title);
}

function failed(error) {
  announce(error instanceof api.ApiError ? error.message : "The file could not be made.");
}

async function saveJson(call) {
  const blob = await api.raw(call);
  saveBlob(blob, fileName(blob.type.includes("ndjson") ? "ndjson" : "json", document.title, call.title));
}

async function saveCsv(call) {
  const text = csvOf(await (await api.raw(call)).text());
  saveBlob(new Blob([text], { type: "text/csv" }), fileName("csv", document.title, call.title));
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    announce("Copied");
  } catch {
    announce("The browser does not allow copying.");
  }
}

function curlOf({ method, path, body }) {
  const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const address = quoted(location.origin + path);
  return method === "GET" ? `curl ${address}` : `curl ${address} -H 'Content-Type: application/json' -d ${quoted(JSON.stringify(body))}`;
}

render();
