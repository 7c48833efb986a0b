// Bars, codes and shares: how much of something, next to its name.
import { latentHref } from "../bundle.js";
import { el } from "../dom.js";
import { decimal, percent } from "../format.js";

const NAMED_SHARES = 4;
const COLOURS = 6;

/** A thin bar filled to `share` (0 to 1). The twin of `bar` in parts.html. */
export function bar(share, kind = "") {
  return el("span", { class: `bar${kind && ` bar--${kind}`}`, style: `--share:${share.toFixed(4)}`, "aria-hidden": "true" });
}

/** Ranks that decide colours: the first six latents get one each. @param {number[]} latents strongest first */
export function ranksOf(latents) {
  return new Map(latents.slice(0, COLOURS).map((latent, rank) => [latent, rank]));
}

/** A code as ranked bars linking to its latents. @param {{latent: number, name: string, activation: number}[]} code */
export function codeList(code, ranks) {
  const strongest = Math.max(...code.map((entry) => entry.activation), 1e-9);
  const rows = code.map((entry) =>
    el("li", { data: { latent: entry.latent, rank: ranks.get(entry.latent) ?? "rest" } },
      el("span", { class: "swatch", "aria-hidden": "true" }),
      el("a", { href: latentHref(entry.latent) }, entry.name, " ", el("span", { class: "faint mono" }, entry.latent)),
      bar(entry.activation / strongest, "rank"),
      el("span", { class: "number" }, decimal(entry.activation))),
  );
  return el("ol", { class: "code ranked" }, rows);
}

/**
 * A score taken apart: one stacked bar, and its largest parts by name.
 * @param {{latent: number, name: string, share: number}[]} contributions their shares add up to 1
 * @param {Map<number, number>} ranks see ranksOf
 * @param {number} [named] how many parts are named
 */
export function shares(contributions, ranks, named = NAMED_SHARES) {
  if (!contributions.length) return [el("p", { class: "faint" }, "no shared latent")];
  const sorted = [...contributions].sort((a, b) => b.share - a.share);
  const rank = (part) => ranks.get(part.latent) ?? "rest";
  const segments = sorted.map((part) =>
    el("span", { style: `--share:${part.share}`, title: `${part.name} ${percent(part.share)}`, data: { latent: part.latent, rank: rank(part) } }));
  const names = sorted.slice(0, named).map((part) =>
    el("li", { data: { latent: part.latent, rank: rank(part) } },
      el("span", { class: "swatch", "aria-hidden": "true" }),
      el("a", { href: latentHref(part.latent), title: `latent ${part.latent}` }, part.name),
      el("span", { class: "faint" }, percent(part.share))));
  const rest = sorted.length - names.length;
  if (rest > 0) names.push(el("li", { class: "faint" }, `+${rest} more`));
  return [el("div", { class: "stack", "aria-hidden": "true" }, segments), el("ul", { class: "shares" }, names)];
}
