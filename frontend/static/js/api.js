// The only module that talks to the server. Every function rejects with an ApiError, or an AbortError when its signal is used.

const ROOT = "/api/v1";

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
 * @param {{query?: string, sort?: string, alive?: string, limit?: number, cursor?: string}} parameters
 * @param {AbortSignal} [signal]
 */
export function latents(parameters, signal) {
  return getJson(`/latents${search(parameters)}`, signal);
}

/** The strongest items of a latent in one stream (schemas.LatentItems). */
export function latentItems(id, stream, limit, signal) {
  return getJson(`/latents/${id}/items${search({ stream, limit })}`, signal);
}

/** Sends a picture (schemas.Upload). @param {File} file */
export async function upload(file, signal) {
  const body = new FormData();
  body.append("file", file);
  return (await ask("/uploads", { method: "POST", body, signal })).json();
}

/** Hits for a schemas.RetrieveRequest (schemas.Retrieval). */
export async function retrieve(request, signal) {
  return (await ask("/retrieve", jsonPost(request, signal))).json();
}

/**
 * Heatmaps for a schemas.HeatmapRequest, line by line as the server finishes them.
 * @returns {AsyncGenerator<object>} CaptionReading, PictureHeatmaps..., HeatmapsDone
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

async function getJson(path, signal) {
  return (await ask(path, { signal })).json();
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

function search(parameters) {
  const filled = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return filled.length ? `?${new URLSearchParams(filled)}` : "";
}
