// The page Compare: choices without a button, tables that sort, and histograms to keep as a picture.
import { embedded } from "../dom.js";
import { showPicture } from "../parts/data.js";
import { drawSpreads } from "../parts/compare/outlinepicture.js";
import { makeSortable } from "../parts/sorting.js";

const form = document.querySelector("#choice");
const spreads = document.querySelector("#spreads");

for (const table of document.querySelectorAll("table.grid[data-table]")) makeSortable(table);
if (spreads) showPicture("spreads", "Histograms over latents", () => drawSpreads(embedded("spreads"), spreads.dataset.foot));
if (form) chooseAtOnce(form);

/** Another choice is another page; one stream cannot be both, so the other one takes the place that came free. */
function chooseAtOnce({ elements }) {
  const { first, second } = elements;
  const before = { first: first?.value, second: second?.value };
  form.addEventListener("change", ({ target }) => {
    if (first && first.value === second.value) (target === first ? second : first).value = before[target.name];
    form.requestSubmit();
  });
}
