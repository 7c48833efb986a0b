// The search box of every page: a text, the number of a latent or a picture in; suggestions below; Enter leads to the page.
import { Combobox } from "./combobox.js";
import { groupsFor, offersFor, sendingGroup } from "./groups.js";
import { keepScope, keptScope, remember } from "./kept.js";
import { watchPictures } from "./landing.js";
import { Panel } from "./panel.js";
import { Picture } from "./picture.js";
import { searchFor } from "./query.js";

const TYPING_PAUSE_MS = 120;

const find = (id) => document.getElementById(id);
const form = find("search");
const [box, list, clear, chip] = ["search-box", "search-options", "search-clear", "search-chip"].map(find);
const placeholder = box.placeholder;
const combobox = new Combobox({ box, panel: find("search-panel"), list });
const panel = new Panel(list, find("search-status"), () => combobox.settle());
const picture = new Picture(chip, pictureChanged);

let pause = 0;
let goesOnceSent = false;

/** Makes the box work. */
export function watchSearch() {
  form.elements.scope.value = keptScope() || form.elements.scope.value;
  clear.hidden = !box.value;
  for (const name of ["focus", "click"]) box.addEventListener(name, open);
  box.addEventListener("input", typed);
  box.addEventListener("keydown", onKey);
  clear.addEventListener("click", empty);
  chip.addEventListener("click", () => box.focus());
  form.addEventListener("change", ({ target }) => target.name === "scope" && scopeChanged());
  form.addEventListener("submit", submit);
  form.addEventListener("focusout", () => setTimeout(closeIfLeft));
  document.addEventListener("pointerdown", ({ target }) => form.contains(target) || close());
  addEventListener("keydown", onEscape, true);
  addEventListener("pageshow", ({ persisted }) => persisted && close());
  watchPanel(find("search-panel"));
  watchPictures(form, box, find("search-file"), takePicture);
}

function watchPanel(place) {
  // A press must not take the focus out of the box, which would close the list.
  place.addEventListener("mousedown", (event) => event.preventDefault());
  place.addEventListener("click", ({ target, detail }) => {
    if (target.closest("a[role=option]")) remember(current());
    else if (detail) box.focus(); // not the click that arrow keys make of a radio button
  });
}

function current() {
  return searchFor(box.value, form.elements.scope.value, picture.upload);
}

function open() {
  if (combobox.isOpen) return;
  combobox.open();
  suggest();
}

function close() {
  clearTimeout(pause);
  panel.clear();
  combobox.close();
}

function typed() {
  clear.hidden = !box.value;
  combobox.open();
  combobox.activate(null);
  panel.expectOther();
  clearTimeout(pause);
  pause = setTimeout(suggest, TYPING_PAUSE_MS);
}

function suggest() {
  clearTimeout(pause);
  const search = current();
  if (picture.isUnsent) panel.show([sendingGroup(() => picture.send())]);
  else if (search.text || search.upload) panel.show(groupsFor(search));
  else panel.show(offersFor(search.scope, JSON.parse(form.dataset.examples)));
}

function scopeChanged() {
  keepScope(form.elements.scope.value);
  combobox.activate(null);
  suggest();
}

function takePicture(file) {
  picture.take(file);
  box.focus();
  open();
}

function pictureChanged() {
  form.elements.upload.value = picture.upload;
  form.elements.upload.disabled = !picture.upload;
  box.placeholder = picture.isThere ? "add a text" : placeholder;
  if (goesOnceSent && picture.upload) return form.requestSubmit();
  goesOnceSent = false;
  if (combobox.isOpen) suggest();
}

function submit(event) {
  goesOnceSent = picture.isUnsent;
  if (!goesOnceSent) {
    remember(current());
    return close();
  }
  event.preventDefault();
  combobox.open();
  suggest();
}

function onKey(event) {
  if (event.key === "Backspace" && !box.value && !event.repeat && picture.isThere) picture.remove();
  else if (["ArrowDown", "ArrowUp"].includes(event.key)) open();
}

/** Escape closes, then clears. It is caught before the page's own keys, which do something else with it. */
function onEscape(event) {
  if (event.key !== "Escape" || event.isComposing || !form.contains(event.target)) return;
  if (combobox.isOpen) {
    box.focus();
    close();
  } else if (box.value || picture.isThere) empty();
  else return;
  event.preventDefault();
  event.stopPropagation();
}

function empty() {
  const wasOpen = combobox.isOpen;
  box.value = "";
  clear.hidden = true;
  if (picture.isThere) picture.remove();
  box.focus();
  if (wasOpen) suggest();
  else close();
}

function closeIfLeft() {
  if (!form.contains(document.activeElement)) close();
}
