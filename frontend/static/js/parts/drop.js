// Where a picture is dropped or chosen, and the pictures that this page has sent.
import * as api from "../api.js";

const sent = new Map(); // upload id -> {address, ratio}; the server keeps the pixels, the page its own copy to show

/**
 * Makes a drop area work.
 * @param {HTMLElement} area holds the file input
 * @param {(file: File) => void} onFile
 */
export function acceptPictures(area, onFile) {
  const input = area.querySelector("input[type=file]");
  input.addEventListener("change", () => {
    if (input.files[0]) onFile(input.files[0]);
    input.value = "";
  });
  const isFile = (event) => event.dataTransfer?.types.includes("Files");
  document.addEventListener("dragover", (event) => {
    if (!isFile(event)) return;
    event.preventDefault();
    area.toggleAttribute("data-over", true);
  });
  document.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) area.toggleAttribute("data-over", false);
  });
  document.addEventListener("drop", (event) => {
    area.toggleAttribute("data-over", false);
    if (!isFile(event)) return;
    event.preventDefault();
    if (event.dataTransfer.files[0]) onFile(event.dataTransfer.files[0]);
  });
}

/** Sends a picture and remembers how to show it. @returns {Promise<string>} the upload's id */
export async function sendPicture(file, signal) {
  const { upload_id: id, width, height } = await api.upload(file, signal);
  if (!sent.has(id)) sent.set(id, { address: URL.createObjectURL(file), ratio: width / height });
  return id;
}

/** A picture that this page has sent, or null. @returns {{address: string, ratio: number} | null} */
export function sentPicture(uploadId) {
  return sent.get(uploadId) ?? null;
}
