// A score taken apart: one stacked bar, and its largest parts by name.
import { latentHref } from "../bundle.js";
import { el } from "../dom.js";
import { percent } from "../format.js";

const NAMED = 4;
const NAMED_AGAINST = 2;
const NEXT_TO_NOTHING = 0.005;

/**
 * What speaks for the pair lies right of the bar's zero, what speaks against it left, hatched.
 * @param {{latent: number, name: string, share: number}[]} contributions their shares add up to 1 with `rest`
 * @param {Map<number, number>} ranks see ranksOf
 * @param {object} [how]
 * @param {number} [how.named] how many parts are named
 * @param {number} [how.rest] the share that belongs to no latent
 * @param {(part: object) => HTMLElement} [how.nameOf] what names a latent
 * @returns {HTMLElement[]}
 */
export function shares(contributions, ranks, { named = NAMED, rest = 0, nameOf = plainLink } = {}) {
  const parts = [...contributions].sort((a, b) => b.share - a.share);
  const around = Math.abs(rest) < NEXT_TO_NOTHING ? [] : [{ latent: null, name: "no latent", share: rest }];
  if (!parts.length && !around.length) return [el("p", { class: "faint" }, "no shared latent")];
  const [against, agreeing] = [parts.filter((part) => part.share < 0).reverse(), parts.filter((part) => part.share >= 0)];
  const shown = [...agreeing.slice(0, named), ...against.filter(({ share }) => -share >= NEXT_TO_NOTHING).slice(0, NAMED_AGAINST), ...around];
  const names = shown.map((part) => namedPart(part, ranks, nameOf));
  const left = parts.length + around.length - shown.length;
  if (left > 0) names.push(el("li", { class: "faint" }, `+${left} more`));
  return [stack([...agreeing, ...around], against, ranks), el("ul", { class: "shares" }, names)];
}

/** The bar alone. @param {object} hit schemas.Hit */
export function shareBar({ shared, rest }, ranks) {
  return shares(shared, ranks, { rest })[0];
}

function stack(agreeing, against, ranks) {
  const left = [...against, ...agreeing.filter(({ share }) => share < 0)];
  const right = agreeing.filter(({ share }) => share >= 0);
  const bar = el("div", { class: "stack", "aria-hidden": "true" }, left.toReversed().map((part) => segment(part, ranks)), right.map((part) => segment(part, ranks)));
  if (left.length) bar.children[left.length]?.toggleAttribute("data-zero", true);
  return bar;
}

function segment({ latent, name, share }, ranks) {
  const own = latent === null ? { rank: "none" } : { latent, rank: ranks.get(latent) ?? "rest" };
  return el("span", { style: `--share:${Math.abs(share)}`, title: `${name} ${percent(share)}`, data: { ...own, share, ...(share < 0 && { against: "" }) } });
}

function namedPart(part, ranks, nameOf) {
  const swatch = el("span", { class: `swatch${part.share < 0 ? " swatch--against" : ""}`, "aria-hidden": "true" });
  const value = el("span", { class: "faint" }, percent(part.share));
  if (part.latent === null) return el("li", { data: { rank: "none" } }, swatch, part.name, value);
  return el("li", { data: { latent: part.latent, rank: ranks.get(part.latent) ?? "rest" } }, swatch, nameOf(part), value);
}

function plainLink({ latent, name }) {
  return el("a", { href: latentHref(latent), title: `latent ${latent}` }, name);
}
