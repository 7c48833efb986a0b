// Tables whose rows sort by a click on a column's head.
import { el } from "../dom.js";
import { announce } from "../status.js";

const MISSING = "–";

/** Makes the heads of a table buttons. @param {HTMLTableElement} table */
export function makeSortable(table) {
  if (table.tBodies[0].rows.length < 2) return;
  for (const head of table.tHead.rows[0].cells) {
    const button = el("button", { class: "grid__sort", type: "button" }, ...head.childNodes);
    button.addEventListener("click", () => sortBy(table, head));
    head.append(button);
  }
}

function sortBy(table, head) {
  const order = next(head);
  for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", order);
  const sign = order === "ascending" ? 1 : -1;
  const rows = [...table.tBodies[0].rows].map((row) => ({ row, value: valueOf(row.cells[head.cellIndex]) }));
  rows.sort((a, b) => compare(a.value, b.value, sign));
  table.tBodies[0].append(...rows.map(({ row }) => row));
  announce(`Sorted by ${head.textContent}, ${order}`);
}

/** The better end first, or the greater one; words from a to z. Then the other way round. */
function next(head) {
  const now = head.getAttribute("aria-sort");
  if (now) return now === "ascending" ? "descending" : "ascending";
  return head.classList.contains("grid__number") && head.dataset.better !== "less" ? "descending" : "ascending";
}

function valueOf(cell) {
  const text = cell.textContent.trim();
  const number = Number.parseFloat(text.replaceAll(",", ""));
  return text === MISSING ? null : Number.isNaN(number) ? text : number;
}

/** What is missing comes last, whatever the direction. */
function compare(a, b, sign) {
  if (a === null || b === null) return (a === null) - (b === null);
  if (typeof a === "number" && typeof b === "number") return sign * (a - b);
  return sign * String(a).localeCompare(String(b), "en", { numeric: true });
}
