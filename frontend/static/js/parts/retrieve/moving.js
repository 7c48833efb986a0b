// Elements that go to new places on the page: the eye can follow them there.

const still = matchMedia("(prefers-reduced-motion: reduce)");
const MOVE = { duration: 260, easing: "cubic-bezier(0.2, 0, 0, 1)" };
const APPEAR = { duration: 200, easing: "ease-out" };

/**
 * Changes a list; children that stay glide from where they are seen to their new places, new ones appear.
 * Whoever prefers reduced motion sees the end at once.
 * @param {HTMLElement} list
 * @param {() => void} change
 */
export function moveSmoothly(list, change) {
  if (still.matches) return change();
  const before = new Map([...list.children].map((child) => [child, child.getBoundingClientRect()]));
  for (const child of before.keys()) for (const animation of child.getAnimations()) animation.cancel();
  change();
  // Read all, then animate: each reading after an animation would lay the page out anew.
  const now = [...list.children].map((child) => [child, before.get(child), child.getBoundingClientRect()]);
  for (const [child, was, is] of now) {
    if (!was) child.animate([{ opacity: 0 }, { opacity: 1 }], APPEAR);
    else if (was.left !== is.left || was.top !== is.top) {
      child.animate([{ transform: `translate(${was.left - is.left}px, ${was.top - is.top}px)` }, { transform: "none" }], MOVE);
    }
  }
  return undefined;
}
