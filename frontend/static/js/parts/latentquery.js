// A search for latents: by a text, a picture or a part of it, or by examples; as the address holds it.
import { addressOf } from "../address.js";

const DIGITS = 3; // of a region's edges
const MORE = 100; // the most that the server gives

/**
 * The search in the page's address.
 * @returns {{by: string, text: string, items: string[], upload: string, region: import("./regionframe.js").Region | null, stream: string, limit: string}}
 */
export function currentQuery() {
  const given = new URLSearchParams(location.search);
  const said = (name) => given.get(name)?.trim() ?? "";
  return { by: said("by") || "meaning", text: said("text"), items: given.getAll("item").filter(Boolean), upload: said("upload"), region: readRegion(said("region")), stream: said("stream"), limit: said("limit") };
}

/** The address of a search. */
export function queryHref({ by, text, items, upload, region, stream, limit }) {
  const written = region && [region.left, region.top, region.right, region.bottom].map((edge) => Number(edge.toFixed(DIGITS))).join(",");
  return addressOf("/find", [["by", by === "meaning" ? "" : by], ["text", text], ...items.map((id) => ["item", id]), ["upload", upload], ["region", written], ["stream", stream], ["limit", limit]]);
}

/** The schemas.LatentSearchRequest of a search; null where nothing is asked for yet. */
export function requestFor({ by, text, items, upload, region, stream, limit }) {
  const further = { ...(stream && { stream }), ...(limit && { limit: Number(limit) }) };
  if (by === "meaning") return text ? { text, ...further } : null;
  if (by === "examples") return items.length ? { item_ids: items, ...further } : null;
  if (!upload && !items.length) return null;
  return { ...(upload ? { upload_id: upload } : { item_id: items[0] }), ...(region && { region }), ...further };
}

/** The same search for as many latents as the server gives. */
export function further(query) {
  return { ...query, limit: String(MORE) };
}

/** Another query in the same way. */
export function another(query, changed) {
  return { ...query, limit: "", ...changed };
}

function readRegion(written) {
  const edges = written.split(",").map(Number);
  if (edges.length !== 4 || edges.some(Number.isNaN)) return null;
  const [left, top, right, bottom] = edges;
  return { left, top, right, bottom };
}
