// One latent shown alone: the buttons that ask for it, and the line that says so and leads back.
import { latentHref } from "../../bundle.js";
import { el } from "../../dom.js";

/**
 * Makes the latents that bar.js named into buttons that show one alone; the links to their pages stay beside them.
 * A segment of a stacked bar can be clicked too; keys have the list of the whole code for that.
 * @param {HTMLElement} place holds lists of bar.js
 * @param {string} isolated the latent that is shown alone, or ""
 */
export function offerIsolation(place, isolated) {
  for (const segment of place.querySelectorAll(".stack [data-latent]")) segment.dataset.isolate = segment.dataset.latent;
  for (const row of place.querySelectorAll("li[data-latent]")) {
    const { latent } = row.dataset;
    const link = row.querySelector("a");
    const name = link.firstChild.textContent.trim();
    const label = el("span", { class: "isolate__name" }, name);
    row.prepend(el("button", { class: "isolate", type: "button", title: `Show ${name} alone`, data: { isolate: latent } }, row.querySelector(".swatch"), label));
    link.replaceChildren(`#${latent}`);
    link.classList.add("mono", "faint");
    link.title = `About latent ${latent}: ${name}`;
    row.append(link);
  }
  markIsolated(place, isolated);
}

/** Shows which of the buttons in `place` is pressed. */
export function markIsolated(place, isolated) {
  for (const button of place.querySelectorAll("button.isolate")) button.setAttribute("aria-pressed", button.dataset.isolate === isolated);
}

/**
 * Says that one latent is shown alone, or takes that back.
 * @param {HTMLElement} line of the template
 * @param {string} isolated the latent, or ""
 * @param {{latent: number, name: string}[]} code where the latent's name may be found
 */
export function showIsolation(line, isolated, code) {
  line.hidden = !isolated;
  line.dataset.latent = isolated;
  if (!isolated) return;
  const name = code.find((entry) => String(entry.latent) === isolated)?.name ?? "one latent";
  const link = line.querySelector("a");
  line.querySelector("b").textContent = name;
  link.textContent = `#${isolated}`;
  link.href = latentHref(isolated);
  link.title = `About latent ${isolated}: ${name}`;
}
