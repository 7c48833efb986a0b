// Files that the browser makes and hands to the visitor.

/** "a-red-balloon_s000123.png" from parts: letters and digits of any script, so that every file system takes it. */
export function fileName(ending, ...parts) {
  const slug = (text) => text.normalize("NFC").toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-").slice(0, 60).replace(/^-|-$/g, "");
  return `${parts.filter(Boolean).map(slug).filter(Boolean).join("_")}.${ending}`;
}

/** Hands a canvas over as a PNG file. @param {HTMLCanvasElement} canvas */
export async function saveCanvas(canvas, name) {
  saveBlob(await new Promise((resolve) => canvas.toBlob(resolve, "image/png")), name);
}

/** Hands a file over. @param {Blob} blob */
export function saveBlob(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // some browsers read it after the click
}
