// A latent's name that opens what can be done with it: more of it, less of it, or its page.
import { latentHref } from "../../bundle.js";
import { el } from "../../dom.js";

/**
 * The name with its menu; clicks on the buttons are the page's, by `data-weigh`. main.js closes menus.
 * @param {{latent: number, name: string}} part
 */
export function latentMenu({ latent, name }) {
  const weigh = (sign, text) => el("button", { class: "menu__choice", type: "button", data: { weigh: `${sign}${latent}`, name } }, text);
  return el("details", { class: "menu", on: { toggle: keepInSight } },
    el("summary", { title: `latent ${latent}: more or less of it` }, name),
    el("div", { class: "menu__choices" },
      weigh("+", "More of this"), weigh("-", "Less of this"),
      el("a", { class: "menu__choice", href: latentHref(latent) }, "About latent ", el("span", { class: "mono" }, `#${latent}`))));
}

/** Opens towards the other side where the window ends. */
function keepInSight({ target }) {
  const choices = target.querySelector(".menu__choices");
  target.toggleAttribute("data-end", false);
  if (target.open && choices.getBoundingClientRect().right > document.documentElement.clientWidth) target.toggleAttribute("data-end", true);
}
