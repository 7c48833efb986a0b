// How heatmaps are computed: the choices, and what they are now in one line.

const CHOICES = ["method", "target", "layers"];

/** Shows a view's choices. @param {HTMLDetailsElement} place of the template */
export function showMethod(place, view) {
  const selects = CHOICES.map((name) => place.querySelector(`select[name=${name}]`));
  for (const select of selects) select.value = view[select.name];
  const [, , layers] = selects;
  layers.options[0].textContent = view.method === "gradcam" ? "One block (as published)" : "All blocks";
  place.querySelector("[data-now]").textContent = namesOf(place).join(" · ");
}

/** The choices in words. @returns {string[]} */
export function namesOf(place) {
  const selected = CHOICES.map((name) => place.querySelector(`select[name=${name}]`).selectedOptions[0]);
  return selected.filter(Boolean).map((option) => option.textContent.replace(/ \((default|published)\)/, ""));
}
