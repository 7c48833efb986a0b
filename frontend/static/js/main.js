// On every page: the search box, keys, the theme button, links to copy, stars, and latents that light up together.
import { watchKeys } from "./keys.js";
import "./parts/data.js";
import { watchStars } from "./parts/star.js";
import { watchSearch } from "./search/searchbox.js";
import { announce } from "./status.js";

document.querySelector("#theme").addEventListener("click", changeTheme);
showThemeName(document.documentElement.dataset.theme);
showCurrentPage();
watchStars();
watchKeys();
watchSearch();
document.addEventListener("keydown", ({ key }) => key === "Escape" && closeHints());
document.addEventListener("click", onClick);
for (const name of ["pointerover", "focusin"]) document.addEventListener(name, (event) => lightUp(event.target));

/** Where the navigation is wider than the screen, it shows the page that is current. */
function showCurrentPage() {
  const current = document.querySelector(".nav [aria-current]");
  if (!current) return;
  const nav = current.parentElement;
  nav.scrollLeft = current.offsetLeft - nav.offsetLeft - (nav.clientWidth - current.offsetWidth) / 2;
}

function onClick(event) {
  closeHints(event.target.closest?.(".hint, .menu"));
  if (event.target.closest?.("[data-copy-link]")) copyLink();
}

function closeHints(except = null) {
  for (const hint of document.querySelectorAll(".hint[open], .menu[open]")) if (hint !== except) hint.open = false;
}

function changeTheme() {
  const theme = window.sparcTheme.next();
  showThemeName(theme);
  announce(`Colour theme: ${theme}`);
}

function showThemeName(theme) {
  document.querySelector("#theme-name").textContent = theme;
  document.querySelector("#theme").setAttribute("aria-label", `Colour theme: ${theme}`);
}

async function copyLink() {
  const button = document.querySelector("[data-copy-link]");
  try {
    await navigator.clipboard.writeText(location.href);
    button.textContent = "Copied";
    announce("Link copied");
  } catch {
    button.textContent = "Not allowed";
    announce("The browser does not allow copying: take the link from the address bar");
  }
  setTimeout(() => (button.textContent = "Copy link"), 1600);
}

/** Marks every element of the latent under the pointer or the focus. */
function lightUp(target) {
  const latent = target.closest?.("main [data-latent]")?.dataset.latent;
  for (const lit of document.querySelectorAll(".lit")) if (lit.dataset.latent !== latent) lit.classList.remove("lit");
  if (latent === undefined) return;
  for (const element of document.querySelectorAll(`[data-latent="${CSS.escape(latent)}"]`)) element.classList.add("lit");
}
