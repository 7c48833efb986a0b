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

/** Address of an item's picture, `size` pixels wide. */
export function imageHref(itemId, size) {
  return `/api/v1/items/${encodeURIComponent(itemId)}/image?size=${size}`;
}
