// The live status line, and errors shown in their place.
import { el } from "./dom.js";

/** Says something in the page's status line. `busy` shows that work goes on. */
export function announce(text, { busy = false } = {}) {
  const line = document.querySelector("#status");
  if (!line) return;
  line.textContent = text;
  line.toggleAttribute("data-busy", busy);
}

const KINDER = {
  upload_not_found: "The server does not keep this picture any more, since newer ones took its place. Choose it again.",
};

/** An error with a way out; no retry where the same request would fail again. @param {Error} error @param {() => void} [retry] */
export function troubleBox(error, retry) {
  const hopeless = error.status >= 400 && error.status < 500;
  const button = retry && !hopeless && el("button", { class: "button", type: "button", on: { click: retry } }, "Try again");
  return el("div", { class: "trouble", role: "alert" }, el("p", {}, KINDER[error.code] ?? error.message), button);
}

/** True for the error of an aborted request, which nobody needs to see. */
export function isAbort(error) {
  return error?.name === "AbortError";
}
