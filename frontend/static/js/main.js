// On every page: keys, the theme button, the help dialog, links to copy, and latents that light up together.
import "./parts/data.js";
import { watchStars } from "./parts/star.js";
import { announce } from "./status.js";

const PLACES = { l: "/", c: "/caption", r: "/retrieve", m: "/compare", e: "/evaluation", s: "/collection" };
const CHORD_MS = 1200;
const keys = document.querySelector("#keys");
let chordStarted = -Infinity;

document.querySelector("#open-keys").addEventListener("click", () => keys.showModal());
document.querySelector("#theme").addEventListener("click", changeTheme);
showThemeName(document.documentElement.dataset.theme);
watchStars();
document.addEventListener("keydown", onKey);
document.addEventListener("click", onClick);
for (const name of ["pointerover", "focusin"]) document.addEventListener(name, (event) => lightUp(event.target));

function onKey(event) {
  if (event.key === "Escape") closeHints();
  const typing = event.target.matches?.("input:not([type=radio], [type=checkbox], [type=range]), select, textarea");
  if (typing || keys.open || event.ctrlKey || event.metaKey || event.altKey) return;
  const chord = performance.now() - chordStarted < CHORD_MS;
  chordStarted = -Infinity;
  if (chord && PLACES[event.key]) return void (location.href = PLACES[event.key]);
  if (event.key === "g") chordStarted = performance.now();
  else if (event.key === "?") keys.showModal();
  else if (event.key === "t") changeTheme();
  else if (event.key === "[") document.querySelector("a[rel=prev]")?.click();
  else if (event.key === "]") document.querySelector("a[rel=next]")?.click();
  else if (event.key === "/") focusSearch(event);
}

function focusSearch(event) {
  const search = document.querySelector("[data-search]");
  if (!search) return;
  event.preventDefault();
  search.focus();
  search.select();
}

function onClick(event) {
  if (event.target === keys) keys.close(); // the backdrop
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
