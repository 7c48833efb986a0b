// The retrieval page's further choices: folded on a narrow screen, so that hits come first, unless they say something.
import { currentSearch, USUAL } from "./search.js";

const narrow = matchMedia("(max-width: 40rem)"); // as in retrieve.css

/** Folds the choices now, and when the screen changes. @param {HTMLDetailsElement} place */
export function foldChoices(place) {
  const fold = () => {
    const { way: _, ...choices } = currentSearch().choices;
    place.open = !narrow.matches || Object.entries(choices).some(([name, value]) => value !== USUAL[name]);
  };
  narrow.addEventListener("change", fold);
  fold();
}
