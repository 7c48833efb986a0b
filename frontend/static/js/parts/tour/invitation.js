// The line that invites newcomers to the tour. `invited.js` hides it from those who know it.

document.querySelector("#invitation button")?.addEventListener("click", () => {
  rememberTour();
  document.querySelector("#invitation").remove();
});

/** Has the browser remember that the tour is known. */
export function rememberTour() {
  try {
    localStorage.setItem("sparc-toured", "yes");
  } catch {
    // storage may be forbidden; the invitation then comes again
  }
}
