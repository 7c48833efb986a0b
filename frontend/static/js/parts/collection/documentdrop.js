// Where a file that is no picture is dropped or chosen; pictures are left to the search box.

/**
 * Makes a file input take what is dropped anywhere on the page too.
 * @param {HTMLElement} area holds the input
 * @param {(file: File) => void} onFile
 */
export function acceptDocuments(area, onFile) {
  const input = area.querySelector("input[type=file]");
  input.addEventListener("change", () => {
    if (input.files[0]) onFile(input.files[0]);
    input.value = "";
  });
  const show = (over) => area.toggleAttribute("data-over", over);
  document.addEventListener("dragover", (event) => {
    if (!isDocument(event)) return;
    event.preventDefault();
    show(true);
  });
  document.addEventListener("dragleave", (event) => event.relatedTarget === null && show(false));
  document.addEventListener("drop", (event) => {
    show(false);
    if (!isDocument(event)) return;
    event.preventDefault();
    onFile(event.dataTransfer.files[0]);
  });
}

function isDocument({ dataTransfer }) {
  const [first] = [...(dataTransfer?.items ?? [])].filter(({ kind }) => kind === "file");
  return Boolean(first) && !first.type.startsWith("image/");
}
