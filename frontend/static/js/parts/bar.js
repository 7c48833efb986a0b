// Bars and codes: how much of something, next to its name.
import { latentHref } from "../bundle.js";
import { el } from "../dom.js";
import { decimal } from "../format.js";

const COLOURS = 6;

/** A thin bar filled to `share` (0 to 1). The twin of `bar` in parts.html. */
export function bar(share, kind = "") {
  return el("span", { class: `bar${kind && ` bar--${kind}`}`, style: `--share:${share.toFixed(4)}`, "aria-hidden": "true" });
}

/** Ranks that decide colours: the first six latents get one each. @param {number[]} latents strongest first */
export function ranksOf(latents) {
  return new Map(latents.slice(0, COLOURS).map((latent, rank) => [latent, rank]));
}

/** A link to a latent's page. @param {{latent: number, name: string}} part */
export function latentLink({ latent, name }) {
  return el("a", { href: latentHref(latent), title: `latent ${latent}` }, name, " ", el("span", { class: "faint mono" }, latent));
}

/**
 * A code as ranked bars; what moves away from a latent is hatched.
 * @param {{latent: number, name: string, activation: number}[]} code
 * @param {Map<number, number>} ranks see ranksOf
 * @param {(entry: object) => HTMLElement} [nameOf] what names a latent
 */
export function codeList(code, ranks, nameOf = latentLink) {
  const strongest = Math.max(...code.map((entry) => Math.abs(entry.activation)), 1e-9);
  const rows = code.map((entry) =>
    el("li", { data: { latent: entry.latent, rank: ranks.get(entry.latent) ?? "rest" } },
      el("span", { class: `swatch${entry.activation < 0 ? " swatch--against" : ""}`, "aria-hidden": "true" }),
      nameOf(entry),
      bar(Math.abs(entry.activation) / strongest, entry.activation < 0 ? "against" : "rank"),
      el("span", { class: "number" }, decimal(entry.activation).replace("-", "−"))),
  );
  return el("ol", { class: "code ranked" }, rows);
}
