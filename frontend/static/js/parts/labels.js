// Labels to choose from, fetched when a field that takes one is first used.
import * as api from "../api.js";
import { el } from "../dom.js";

/** Fills the list of a field's suggestions; without them, the field still takes what is typed. @param {HTMLInputElement} field */
export function offerLabels(field) {
  field.addEventListener("focus", async () => {
    const labels = await api.labels().catch(() => []);
    field.list.replaceChildren(...labels.map(({ name, n_items: n }) => el("option", { value: name, label: `${name} (${n.toLocaleString("en")})` })));
  }, { once: true });
}
