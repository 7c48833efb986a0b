// Latents by number, many at a time, each asked for once.
import { addressOf } from "../../address.js";
import * as api from "../../api.js";

const AT_A_TIME = 200; // the most that schemas.LatentQuery takes
/** @type {Map<number, Promise<object | null>>} */
const known = new Map();

/**
 * Latents by number; null for those that the bundle does not have.
 * @param {number[]} ids
 * @returns {Promise<Map<number, object | null>>} schemas.LatentSummary
 */
export async function lookUpLatents(ids) {
  for (const some of portions(ids.filter((id) => !known.has(id)))) ask(some);
  return new Map(await Promise.all(ids.map(async (id) => [id, await known.get(id)])));
}

/** The calls of the API that answer for these latents. @param {number[]} ids @returns {import("../data.js").Call[]} */
export function latentCalls(ids) {
  return portions(ids).map((some) => ({ title: "Starred latents", method: "GET", path: addressOf(`${api.ROOT}/latents`, queryFor(some)) }));
}

function ask(ids) {
  const answer = api.latents(queryFor(ids)).then(({ latents }) => new Map(latents.map((latent) => [latent.id, latent])));
  for (const id of ids) {
    const one = answer.then((found) => found.get(id) ?? null);
    one.catch(() => known.delete(id)); // so that it is asked for again
    known.set(id, one);
  }
}

function queryFor(ids) {
  return [...ids.map((id) => ["ids", id]), ["sort", "id"], ["limit", ids.length]];
}

function portions(ids) {
  return Array.from({ length: Math.ceil(ids.length / AT_A_TIME) }, (_, i) => ids.slice(i * AT_A_TIME, (i + 1) * AT_A_TIME));
}
