// Elements from plain calls. Text always enters as a text node.

/**
 * Makes an element.
 * @param {string} tag
 * @param {Record<string, unknown>} [attributes] `on` holds listeners, `data` the dataset; true, false and null do what one expects
 * @param {...(Node | string | number | null | undefined | false | Array)} children
 * @returns {HTMLElement}
 */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    else if (name === "data") Object.assign(element.dataset, value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** The JSON that the server left in `<script type="application/json" id="...">`. */
export function embedded(id) {
  return JSON.parse(document.getElementById(id).textContent);
}

/** True for a click that the page may handle itself, rather than one that opens a tab. */
export function isPlainClick(event) {
  return event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
}
