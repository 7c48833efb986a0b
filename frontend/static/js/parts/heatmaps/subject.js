// The one picture that a caption is looked for in, and the way to the best matches.
import { imageHref, itemHref, uploadHref } from "../../bundle.js";
import { el } from "../../dom.js";
import { addressOf } from "./view.js";

/** Shows what a view looks at; nothing where it looks at the best matches. The twin of `subject` in caption.html. */
export function showSubject(place, view) {
  place.replaceChildren();
  if (!view.item && !view.upload) return;
  const address = view.upload ? uploadHref(view.upload, 112) : imageHref(view.item, 112);
  const name = view.upload ? "your picture" : el("a", { href: itemHref(view.item) }, view.item);
  const leave = el("a", { href: addressOf(withoutSubject(view)), data: { leave: "" } }, "Look at the best matches instead");
  place.append(
    el("div", { class: "subject__picture" }, el("img", { src: address, alt: "", width: 112, height: 112 })),
    el("p", { class: "subject__text" }, "Looking at ", name, " only. ", leave));
}

/** The same view of the best matches. */
export function withoutSubject(view) {
  return { ...view, item: "", upload: "", latent: "" };
}
