// Pictures that are pasted, dropped or chosen for the search box.
// Pages with a place of their own for pictures take what is dropped there (parts/drop.js); the box itself always takes it.
import { isTextField } from "../keys.js";

/**
 * @param {HTMLFormElement} form the search box; `data-over` while a picture would land in it
 * @param {HTMLInputElement} box
 * @param {HTMLInputElement} chooser of files
 * @param {(file: File) => void} onFile
 */
export function watchPictures(form, box, chooser, onFile) {
  chooser.addEventListener("change", () => {
    if (chooser.files[0]) onFile(chooser.files[0]);
    chooser.value = "";
  });
  document.addEventListener("paste", (event) => {
    const file = [...event.clipboardData.files].find(({ type }) => type.startsWith("image/"));
    const isElsewhere = event.target !== box && isTextField(event.target) && event.clipboardData.types.includes("text/plain");
    if (!file || isElsewhere || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    onFile(file);
  });
  watchDrops(form, onFile);
}

function watchDrops(form, onFile) {
  let isOwn = false; // a picture of the page is dragged: only the box takes it
  const isFile = (event) => event.dataTransfer?.types.includes("Files");
  const show = (over) => form.toggleAttribute("data-over", over);
  const takes = (event) => isFile(event) && (form.contains(event.target) || (!isOwn && !event.defaultPrevented));
  const land = (event) => {
    show(false);
    if (event.dataTransfer.files[0]) onFile(event.dataTransfer.files[0]);
  };
  document.addEventListener("dragstart", () => (isOwn = true));
  document.addEventListener("dragend", () => (isOwn = false));
  // The box says before anyone else that it takes the picture, the window after everyone else.
  for (const name of ["dragover", "drop"]) form.addEventListener(name, (event) => isFile(event) && event.preventDefault());
  addEventListener("dragover", (event) => {
    show(takes(event));
    if (takes(event)) event.preventDefault();
  });
  addEventListener("dragleave", (event) => event.relatedTarget === null && show(false));
  addEventListener("drop", (event) => {
    if (!takes(event)) return show(false);
    event.preventDefault();
    land(event);
  });
}
