// Runs before the invitation to the tour is painted, so it is a classic script: who has seen it need not see it again.
(() => {
  try {
    if (localStorage.getItem("sparc-toured")) document.documentElement.dataset.toured = "";
  } catch {
    // storage may be forbidden; the invitation is then shown on every visit
  }
})();
