// The guided tour's panel: a ring around what it speaks of, and a way out. Without it, the panel is links and text.
import { rememberTour } from "./invitation.js";

const PATIENCE_MS = 30_000; // until what it speaks of is there: heatmaps and hits take a while
const SMALL = 120; // pixels: what is seen best with what is around it
const OPEN = "dialog[open], .hint[open], .menu[open], [role=dialog]:not([hidden]), .search__panel:not([hidden])"; // what Escape closes first
const panel = document.querySelector("#tour");
const leaving = new AbortController();

rememberTour();
panel.focus({ preventScroll: true });
panel.querySelector(".tour__leave").addEventListener("click", leave);
document.addEventListener("keydown", onKey, { capture: true, signal: leaving.signal }); // before what is open closes
ringWhenThere(panel.dataset.lookAt);

function onKey(event) {
  if (event.key === "Escape" && !event.target.matches("input, select, textarea") && !document.querySelector(OPEN)) leave(event);
}

/** Takes the panel away; the page stays as it is. */
function leave(event) {
  event.preventDefault();
  leaving.abort();
  document.querySelector(".tour-ring")?.classList.remove("tour-ring");
  panel.remove();
  const address = new URL(location.href);
  address.searchParams.delete("tour");
  history.replaceState(history.state, "", address);
}

function ringWhenThere(selector) {
  let still = true; // where the visitor scrolls, the page is not moved away under them
  for (const name of ["wheel", "pointerdown", "keydown"]) addEventListener(name, () => (still = false), { once: true, passive: true, signal: leaving.signal });
  const look = () => {
    const found = [...document.querySelectorAll(selector)].find((one) => one.getClientRects().length);
    if (!found) return;
    watcher.disconnect();
    found.classList.add("tour-ring");
    if (still) bringIntoView(found);
  };
  const watcher = new MutationObserver(look);
  watcher.observe(document.querySelector("main"), { childList: true, subtree: true, attributes: true, attributeFilter: ["hidden"] });
  setTimeout(() => watcher.disconnect(), PATIENCE_MS);
  leaving.signal.addEventListener("abort", () => watcher.disconnect());
  look();
}

function bringIntoView(element) {
  const { top, bottom, height } = element.getBoundingClientRect();
  if (top >= 0 && bottom <= panel.getBoundingClientRect().top) return;
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  element.scrollIntoView({ block: height < SMALL ? "center" : "start", behavior: calm ? "instant" : "smooth" });
}
