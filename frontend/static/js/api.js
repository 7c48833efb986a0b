// The only module that talks to the server. Every function rejects with an ApiError, or an AbortError when its signal is used.
import { addressOf } from "./address.js";

/** Where the API begins. */
export const ROOT = "/api/v1";

/** An error answer, or an answer that did not come. `code` is the server's, or "unreachable" or "cut_short". */
export class ApiError extends Error {
  constructor(code, message, status = 0) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

/**
 * A page of the gallery (schemas.LatentPage).
 * @param {[string, unknown][]} parameters of schemas.LatentQuery; a name may come more than once
 * @param {AbortSignal} [signal]
 */
export function latents(parameters, signal) {
  return getJson("/latents", parameters, signal);
}

/** Latents for a schemas.LatentSearchRequest (schemas.LatentSearch). */
export function searchLatents(request, signal) {
  return postJson("/latents/search", request, signal);
}

/** A page of latents on which two streams disagree (schemas.MismatchPage). @param {[string, unknown][]} parameters of schemas.MismatchQuery */
export function mismatches(parameters, signal) {
  return getJson("/latents/mismatches", parameters, signal);
}

/** How many latents each choice of a filter would leave (schemas.LatentCounts). @param {[string, unknown][]} parameters of schemas.LatentFilter */
export function latentCounts(parameters, signal) {
  return getJson("/latents/counts", parameters, signal);
}

/** The latents that have a place on the map, as parallel lists (schemas.LatentMap). @param {[string, unknown][]} parameters of schemas.LatentFilter, and `stream` */
export function latentMap(parameters, signal) {
  return getJson("/latents/map", parameters, signal);
}

/** How often two streams use each latent, as parallel lists (schemas.LatentPairs). @param {[string, unknown][]} parameters `first`, `second` */
export function latentPairs(parameters, signal) {
  return getJson("/latents/pairs", parameters, signal);
}

/** One latent in full (schemas.Latent). @param {[string, unknown][]} [parameters] `bundle` */
export function latent(id, parameters, signal) {
  return getJson(`/latents/${id}`, parameters, signal);
}

/** Latents that are active on the same items (schemas.CoactiveLatents). @param {[string, unknown][]} parameters `stream`, `limit` */
export function coactiveLatents(id, parameters, signal) {
  return getJson(`/latents/${id}/coactive`, parameters, signal);
}

/** What a text or picture does to one latent (schemas.LatentTest). @param {object} request schemas.LatentTestRequest */
export function testLatent(id, request, signal) {
  return postJson(`/latents/${id}/activation`, request, signal);
}

/** Items of a latent (schemas.LatentItems). @param {[string, unknown][]} parameters of schemas.LatentItemsQuery */
export function latentItems(id, parameters, signal) {
  return getJson(`/latents/${id}/items`, parameters, signal);
}

/** A page of the corpus (schemas.ItemPage). @param {[string, unknown][]} parameters of schemas.ItemQuery */
export function items(parameters, signal) {
  return getJson("/items", parameters, signal);
}

/** One item with its codes (schemas.Item). */
export function item(id, signal) {
  return getJson(`/items/${encodeURIComponent(id)}`, [], signal);
}

/** The corpus's labels (schemas.Label[]). */
export function labels(signal) {
  return getJson("/labels", [], signal);
}

/** Sends a picture (schemas.Upload). @param {File} file */
export async function upload(file, signal) {
  const body = new FormData();
  body.append("file", file);
  return (await ask("/uploads", { method: "POST", body, signal })).json();
}

/** Codes of a text, an item or a sent picture under per-stream selection (schemas.Encoding). @param {object} request schemas.EncodeRequest */
export function encode(request, signal) {
  return postJson("/encode", request, signal);
}

/** Hits for a schemas.RetrieveRequest (schemas.Retrieval). */
export function retrieve(request, signal) {
  return postJson("/retrieve", request, signal);
}

/**
 * Heatmaps for a schemas.HeatmapRequest, line by line as the server finishes them.
 * @returns {AsyncGenerator<object>} CaptionReading, PictureHeatmaps..., PictureTrust..., HeatmapsDone
 */
export async function* heatmaps(request, signal) {
  const response = await ask("/heatmaps", jsonPost(request, signal));
  let done = false;
  for await (const line of lines(response.body)) {
    const value = JSON.parse(line);
    if (value.error) throw new ApiError(value.error.code, value.error.message);
    done ||= value.kind === "done";
    yield value;
  }
  if (!done) throw cutShort();
}

/**
 * The answer to any call of the API, as it came.
 * @param {import("./parts/data.js").Call} call
 * @returns {Promise<Blob>}
 */
export async function raw({ method, path, body }) {
  return (await ask(path.slice(ROOT.length), method === "POST" ? jsonPost(body) : {})).blob();
}

async function* lines(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  while (true) {
    const { value, done } = await reader.read().catch((error) => {
      throw error.name === "AbortError" ? error : cutShort();
    });
    if (done) break;
    const parts = (rest + value).split("\n");
    rest = parts.pop();
    yield* parts.filter(Boolean);
  }
  if (rest) yield rest;
}

function cutShort() {
  return new ApiError("cut_short", "The answer stopped before it was complete.");
}

async function getJson(path, parameters = [], signal = undefined) {
  return (await ask(addressOf(path, parameters), { signal })).json();
}

async function postJson(path, body, signal) {
  return (await ask(path, jsonPost(body, signal))).json();
}

async function ask(path, options) {
  const response = await fetch(ROOT + path, options).catch((error) => {
    if (error.name === "AbortError") throw error;
    throw new ApiError("unreachable", "The server cannot be reached: check that it is running.");
  });
  if (response.ok) return response;
  const body = await response.json().catch(() => null);
  const { code = "unknown", message = `The server answered ${response.status}.` } = body?.error ?? {};
  throw new ApiError(code, message, response.status);
}

function jsonPost(body, signal) {
  return { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), signal };
}
