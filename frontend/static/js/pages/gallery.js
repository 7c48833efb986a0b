// The gallery: searching, filtering and sorting without a page load, and further rows while scrolling.
import * as api from "../api.js";
import { el } from "../dom.js";
import { count } from "../format.js";
import { latentRow } from "../parts/latentrow.js";
import { announce, isAbort, troubleBox } from "../status.js";

const LIMIT = 24;
const TYPING_PAUSE_MS = 180;
const AHEAD = "600px";

const form = document.querySelector("#filters");
const list = document.querySelector("#latents");
const note = document.querySelector("#gallery-note");
const more = document.querySelector("#more");

let cursor = more.dataset.cursor;
let request = new AbortController();
let loading = false;
let typing = false; // keystrokes of one search share one history entry
let pause = 0;

form.addEventListener("submit", (event) => {
  event.preventDefault();
  clearTimeout(pause);
  change();
});
form.elements.query.addEventListener("input", () => {
  clearTimeout(pause);
  pause = setTimeout(change, TYPING_PAUSE_MS, true);
});
form.elements.query.addEventListener("change", () => (typing = false));
form.addEventListener("change", (event) => event.target.name !== "query" && change());
more.addEventListener("click", (event) => {
  event.preventDefault();
  loadMore();
});
addEventListener("popstate", () => {
  const state = new URLSearchParams(location.search);
  form.elements.query.value = state.get("query") ?? "";
  form.elements.alive.value = state.get("alive") ?? "";
  form.elements.sort.value = state.get("sort") ?? form.elements.sort.options[0].value;
  reload();
});

const nearEnd = new IntersectionObserver((entries) => entries.some((entry) => entry.isIntersecting) && loadMore(), { rootMargin: AHEAD });
nearEnd.observe(more);

function state() {
  const data = new FormData(form);
  return { query: data.get("query").trim(), alive: data.get("alive") ?? "", sort: data.get("sort") };
}

function change(byTyping = false) {
  const wanted = new URLSearchParams(Object.entries(state()).filter(([, value]) => value));
  if (wanted.get("sort") === form.elements.sort.options[0].value) wanted.delete("sort");
  const address = `${location.pathname}${wanted.size ? `?${wanted}` : ""}`;
  if (address === location.pathname + location.search) return;
  history[byTyping && typing ? "replaceState" : "pushState"](null, "", address);
  typing = byTyping;
  reload();
}

async function reload() {
  request.abort();
  request = new AbortController();
  cursor = "";
  await load((page) => {
    list.replaceChildren(...page.latents.map(latentRow));
    note.replaceChildren();
    if (!page.latents.length) note.append(el("p", { class: "empty" }, "No latent matches. Try a shorter word, or another filter."));
    showCounts(page.counts);
    const { query } = state();
    announce(count(page.total, "latent") + (query && ` for “${query}”`));
  }, reload);
}

async function loadMore() {
  if (loading || !cursor) return;
  await load((page) => list.append(...page.latents.map(latentRow)), loadMore);
}

async function load(show, retry) {
  loading = true;
  const { signal } = request;
  list.setAttribute("aria-busy", "true");
  try {
    const page = await api.latents({ ...state(), limit: LIMIT, cursor }, signal);
    if (signal.aborted) return;
    cursor = page.next_cursor ?? "";
    more.hidden = !cursor;
    show(page);
  } catch (error) {
    if (isAbort(error)) return;
    more.hidden = true;
    note.replaceChildren(troubleBox(error, () => {
      note.replaceChildren();
      retry();
    }));
  } finally {
    if (!signal.aborted) {
      loading = false;
      list.removeAttribute("aria-busy");
      rewatch();
    }
  }
}

/** Has the observer look again: it only reports changes, and a short page may leave the end in sight. */
function rewatch() {
  nearEnd.unobserve(more);
  if (cursor) nearEnd.observe(more);
}

function showCounts(counts) {
  const total = Object.values(counts).reduce((sum, value) => sum + value, 0);
  for (const place of form.querySelectorAll("[data-count]")) place.textContent = place.dataset.count ? counts[place.dataset.count] ?? 0 : total;
}
