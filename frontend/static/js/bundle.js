// What is being served: the schemas.Info that the server left in the page, and the addresses of things.
import { embedded } from "./dom.js";

/** schemas.Info of the page. */
export const info = embedded("info");

const positions = new Map(info.streams.map((stream, index) => [stream.name, index]));

/** A stream's position in the bundle, which decides its colour. */
export function streamIndex(name) {
  return positions.get(name) ?? 0;
}

/** A stream's title for people; its name where the bundle does not know it. */
export function streamTitle(name) {
  return info.streams[positions.get(name)]?.title ?? name;
}

/** Address of a latent's page. */
export function latentHref(id) {
  return `/latents/${id}`;
}

/** Address of an item's page. */
export function itemHref(itemId) {
  return `/items/${encodeURIComponent(itemId)}`;
}

/** Address of an item's picture, at most `size` pixels wide and high; the bundle's id lets the browser keep it. */
export function imageHref(itemId, size) {
  return `/api/v1/items/${encodeURIComponent(itemId)}/image?size=${size}&bundle=${info.bundle_id}`;
}

/** Address of a sent picture, as `imageHref`; there as long as the server keeps it. */
export function uploadHref(uploadId, size) {
  return `/api/v1/uploads/${encodeURIComponent(uploadId)}/image?size=${size}`;
}

/** Streams that can read a kind of thing: the backbones of its modality; an item's code is stored for every stream. */
export function readersOf(kind) {
  if (kind === "item") return info.streams;
  return info.streams.filter((stream) => stream.can_read && stream.modality === (kind === "text" ? "text" : "image"));
}
