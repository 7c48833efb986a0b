// What a form says, and a form that says what the address says.

/**
 * Names and values of a form's fields, without those that are empty or as usual.
 * @param {HTMLFormElement} form
 * @param {Record<string, string>} [usual] values that need not be said
 * @returns {[string, string][]}
 */
export function pairsOf(form, usual = {}) {
  const pairs = [...new FormData(form)].map(([name, value]) => [name, String(value).trim()]);
  return pairs.filter(([name, value]) => value && value !== usual[name]);
}

/**
 * Sets a form's fields.
 * @param {HTMLFormElement} form
 * @param {URLSearchParams} given
 * @param {Record<string, string>} [usual] values of fields that are not given
 */
export function fillForm(form, given, usual = {}) {
  for (const field of form.elements) {
    if (!field.name || field.type === "hidden") continue;
    const values = given.has(field.name) ? given.getAll(field.name) : [usual[field.name] ?? ""];
    if (field.type === "radio" || field.type === "checkbox") field.checked = values.includes(field.value);
    else field.value = values.at(-1);
  }
}
