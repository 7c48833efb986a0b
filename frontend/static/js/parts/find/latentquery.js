// A search for latents: by a text, a picture or a part of it, or by examples; as the address holds it.
import { addressOf } from "../../address.js";
import { readRegion, writeRegion } from "./regionframe.js";

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
  return addressOf("/find", [["by", by === "meaning" ? "" : by], ["text", text], ...items.map((id) => ["item", id]), ["upload", upload], ["region", writeRegion(region)], ["stream", stream], ["limit", limit]]);
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
