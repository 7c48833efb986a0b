// Where a picture is dropped or chosen.

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
    area.toggleAttribute("data-over", !event.defaultPrevented); // the search box takes what is over it
    event.preventDefault();
  });
  document.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) area.toggleAttribute("data-over", false);
  });
  document.addEventListener("drop", (event) => {
    area.toggleAttribute("data-over", false);
    if (!isFile(event) || event.defaultPrevented) return;
    event.preventDefault();
    if (event.dataTransfer.files[0]) onFile(event.dataTransfer.files[0]);
  });
}
