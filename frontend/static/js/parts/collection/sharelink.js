// A whole collection in the fragment of an address, which no browser sends to a server.
// The document as JSON, deflated without header, in the letters of base64url.
import { CollectionError, documentOf, readDocument } from "./collectionfile.js";

const MARK = "#c=";
const MOST_CHARACTERS = 5_000_000; // of the JSON: a short link can say a very long text
const UNREADABLE = "This link holds no collection that can be read, perhaps since it was cut short: ask for it again, or for the exported file.";

/** The address that shares these entries. @param {import("../../collection.js").Entry[]} entries */
export async function shareLink(entries) {
  const plain = JSON.stringify(documentOf(entries), (name, value) => (value === "" || (name === "tags" && !value.length) ? undefined : value));
  const deflated = new Blob([plain]).stream().pipeThrough(new CompressionStream("deflate-raw"));
  return `${location.origin}/collection${MARK}${base64url(new Uint8Array(await new Response(deflated).arrayBuffer()))}`;
}

/** True where an address's fragment is to be a collection. */
export function isShared(hash) {
  return hash.startsWith(MARK);
}

/**
 * The collection of a fragment.
 * @returns {Promise<import("./collectionfile.js").CollectionDocument>}
 * @throws {CollectionError}
 */
export async function sharedCollection(hash) {
  let text = "";
  try {
    text = await inflated(hash.slice(MARK.length));
  } catch {
    throw new CollectionError(UNREADABLE);
  }
  return readDocument(text);
}

async function inflated(letters) {
  const bytes = Uint8Array.from(atob(letters.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
  const reader = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw")).pipeThrough(new TextDecoderStream("utf-8", { fatal: true })).getReader();
  let text = "";
  while (text.length <= MOST_CHARACTERS) {
    const { value, done } = await reader.read();
    if (done) return text;
    text += value;
  }
  await reader.cancel();
  throw new RangeError("more than a collection is");
}

function base64url(bytes) {
  const letters = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  return btoa(letters).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}
