// Tables from the answers of the API, for spreadsheets.

const FORMULA = /^(?:[=@\t\r]|[+-](?![\d.e;+ -]*$))/i; // numbers, and lists of them, are none

/**
 * The main table of an answer as CSV: its longest list of objects, or its parallel lists, or the answer as one row.
 * Objects within a row become columns ("streams.0.density"); lists of plain values are joined with "; ".
 * @param {string} text JSON, or JSON lines
 */
export function csvOf(text) {
  const rows = rowsOf(parsed(text)).map((row) => flat(row));
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  return [columns, ...rows.map((row) => columns.map((column) => row[column] ?? ""))].map((cells) => cells.map(cell).join(",")).join("\r\n") + "\r\n";
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text.split("\n").filter(Boolean).map((line) => JSON.parse(line));
  }
}

function rowsOf(answer) {
  if (Array.isArray(answer)) return answer;
  const lists = Object.entries(answer).filter(([, value]) => Array.isArray(value));
  const tables = lists.filter(([, list]) => list.length && typeof list[0] === "object" && list[0] !== null);
  if (tables.length) return tables.sort((a, b) => b[1].length - a[1].length)[0][1];
  const [, longest = []] = lists.sort((a, b) => b[1].length - a[1].length)[0] ?? [];
  const parallel = lists.filter(([, list]) => list.length === longest.length);
  if (parallel.length > 1) return longest.map((_, row) => Object.fromEntries(parallel.map(([name, list]) => [name, list[row]])));
  return [answer];
}

function flat(value, prefix = "", row = {}) {
  if (Array.isArray(value) && value.every((one) => typeof one !== "object" || one === null)) row[prefix] = value.join("; ");
  else if (typeof value === "object" && value !== null) for (const [name, inner] of Object.entries(value)) flat(inner, prefix ? `${prefix}.${name}` : name, row);
  else row[prefix || "value"] = value;
  return row;
}

/** A field. A text that a spreadsheet would run as a formula gets an apostrophe in front, as in `sparc_core/evaluation/formats.py`. */
function cell(value) {
  const plain = String(value ?? "");
  const text = FORMULA.test(plain) ? `'${plain}` : plain;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
