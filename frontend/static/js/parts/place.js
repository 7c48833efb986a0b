// Where a page was scrolled to, kept with each entry of the history: browsers forget it where a page became shorter.

const REST_MS = 250;
let pause = 0;

/** Keeps the place from now on, whenever scrolling comes to rest. */
export function watchPlace() {
  addEventListener("scroll", () => {
    clearTimeout(pause);
    pause = setTimeout(keepPlace, REST_MS);
  }, { passive: true });
}

/** Keeps the place at once: before the page goes to another view of itself. */
export function keepPlace() {
  clearTimeout(pause);
  keepInEntry({ y: Math.round(scrollY) });
}

/** The place of the entry that the history is at; null where none was kept. @returns {number | null} */
export function keptPlace() {
  return history.state?.y ?? null;
}

/** Keeps something with the entry of the history, beside what is there. @param {object} kept */
export function keepInEntry(kept) {
  history.replaceState({ ...history.state, ...kept }, "");
}
