// The item page: a latent that is pointed at lights up its patches, and a region that is drawn says which latents it has.
// The address holds the pinned latent, the region with its stream, and which latents are shown.
import { addressOf, visit } from "../address.js";
import * as api from "../api.js";
import { streamTitle } from "../bundle.js";
import { isPlainClick } from "../dom.js";
import { decimal } from "../format.js";
import { showCall, showPicture } from "../parts/data.js";
import { ItemHeatmaps } from "../parts/item/itemheatmaps.js";
import { ItemPanes } from "../parts/item/itempanes.js";
import { patchSize, snapTo } from "../parts/item/patchgrid.js";
import { RegionFrame, readRegion, writeRegion } from "../parts/find/regionframe.js";
import { RegionLatents } from "../parts/item/regionlatents.js";
import { announce, isAbort, troubleBox } from "../status.js";

const REST_MS = 120; // a pointer that moves on sooner asks for nothing
const find = (id) => document.getElementById(id);
const [page, looks, codes, trouble] = ["item", "looks", "codes", "trouble"].map(find);
const { item, caption } = page.dataset;
const paneOfStream = [...looks.querySelectorAll(".pane[data-name]")];
const invitation = find("status")?.textContent;

codes.addEventListener("click", sift);
if (paneOfStream.length) lookAlong();
addEventListener("popstate", showSifted);

function currentView() {
  const given = new URLSearchParams(location.search);
  const said = (name) => given.get(name) ?? "";
  return { latent: /^\d+$/.test(said("latent")) ? said("latent") : "", region: readRegion(said("region")), stream: said("stream"), show: said("show") };
}

function go({ latent, region, stream, show }) {
  return visit(addressOf(location.pathname, [["latent", latent], ["region", writeRegion(region)], ["stream", region ? stream : ""], ["show", show]]));
}

function sift(event) {
  const link = event.target.closest("a[data-show]");
  if (!link || !isPlainClick(event)) return;
  event.preventDefault();
  const { show } = link.dataset;
  go({ ...currentView(), show: show === "all" ? "" : show });
  showSifted();
}

function showSifted() {
  const show = currentView().show || "all";
  codes.dataset.show = show;
  for (const link of codes.querySelectorAll("a[data-show]")) {
    if (link.dataset.show === show) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

/** Everything that needs a tower to look with. */
function lookAlong() {
  const heatmaps = new ItemHeatmaps(item);
  const panes = new ItemPanes(looks, find("scale"));
  const seen = new RegionLatents(find("seen"));
  const unpin = find("unpin");
  const frames = new Map(paneOfStream.map((pane) => [pane.dataset.name, frameOf(pane)]));
  let [hovered, focused, shown, pause] = ["", "", "", 0];
  let asked = null; // the region that `seen` answers, "" for none
  let request = new AbortController();
  let learning = null;

  page.addEventListener("pointerover", ({ target, pointerType }) => {
    if (pointerType !== "touch") point({ hover: latentOf(target) });
  });
  page.addEventListener("pointerleave", () => point({ hover: "" }));
  // A click leaves the focus where it was pressed: only the keyboard's focus points.
  page.addEventListener("focusin", ({ target }) => point({ focus: target.matches(":focus-visible") ? latentOf(target) : "" }));
  page.addEventListener("focusout", () => point({ focus: "" }));
  page.addEventListener("click", ({ target }) => {
    const latent = target.closest(".pick") && latentOf(target);
    if (latent) pin(latent === currentView().latent ? "" : latent);
  });
  looks.addEventListener("pointerenter", learnGrid, { once: true });
  looks.addEventListener("focusin", learnGrid, { once: true });
  unpin.addEventListener("click", () => pin(""));
  find("clear-region").addEventListener("click", () => ask(null, ""));
  // Captured, so that a hint or a dialog that Escape closes is still open here.
  document.addEventListener("keydown", onKey, true);
  addEventListener("popstate", run);
  run();

  function frameOf(pane) {
    const { name } = pane.dataset;
    const grid = () => heatmaps.grid(name);
    const frame = new RegionFrame(pane, (region) => whenLearnt(region, name), {
      snap: (region) => (grid() ? snapTo(grid(), region) : region),
      step: () => (grid() ? patchSize(grid()) : [0.05, 0.05]),
    });
    return { frame, src: pane.querySelector("img").getAttribute("src") };
  }

  /** Shows what the address says. */
  function run() {
    const view = currentView();
    for (const row of page.querySelectorAll("li[data-latent] .pick")) row.setAttribute("aria-pressed", String(latentOf(row) === view.latent));
    unpin.hidden = !view.latent;
    runRegion(view);
    follow();
  }

  function pin(latent) {
    const leaving = document.activeElement === unpin;
    const pinned = currentView().latent;
    focused = "";
    go({ ...currentView(), latent });
    run();
    if (shown) say();
    if (leaving) page.querySelector(`li[data-latent="${pinned}"] .pick`)?.focus({ preventScroll: true });
  }

  function point({ hover = hovered, focus = focused }) {
    [hovered, focused] = [hover, focus];
    follow();
  }

  /** Turns to the latent that is pointed at or pinned: at once where its heatmaps are known, else after a rest. */
  function follow() {
    clearTimeout(pause);
    const latent = hovered || focused || currentView().latent;
    if (latent === shown) return;
    request.abort();
    if (heatmaps.known(latent)) show(heatmaps.known(latent));
    else pause = setTimeout(() => (latent ? look(latent) : show(null)), REST_MS);
  }

  async function look(latent) {
    request = new AbortController();
    const { signal } = request;
    announce(`Looking for latent ${latent}`, { busy: true });
    try {
      const found = await heatmaps.ask(latent, signal);
      if (!signal.aborted) show(found);
    } catch (error) {
      if (signal.aborted || isAbort(error)) return;
      show(null);
      trouble.replaceChildren(troubleBox(error, () => look(latent)));
    }
  }

  function show(look) {
    trouble.replaceChildren();
    shown = look?.latent ?? "";
    panes.show(look);
    say();
    if (!look) return;
    showCall("heatmaps", { title: `Where latent ${look.latent} is`, method: "POST", path: `${api.ROOT}/heatmaps`, body: heatmaps.request(look.latent) });
    showPicture("panes", "The picture with the latent", () => panes.draw({ item, caption }));
  }

  /** Says in words what the panes show. */
  function say() {
    const look = heatmaps.known(shown);
    if (!look) return announce(invitation);
    const values = look.heatmaps.map(({ stream, score }) => `${streamTitle(stream)} ${decimal(score)}`).join(", ");
    return announce(`${look.name}, latent ${look.latent}: ${values}${look.latent === currentView().latent ? ". Pinned." : ""}`);
  }

  /** A grid is known from any heatmap; the strongest latent's is the likeliest to be looked at next. */
  function learnGrid() {
    learning ??= heatmaps.ask(latentOf(codes.querySelector("li[data-latent] .pick")) || "0").catch(() => null); // then regions keep to no grid
    return learning;
  }

  async function whenLearnt(region, stream) {
    await learnGrid();
    ask(region && heatmaps.grid(stream) ? snapTo(heatmaps.grid(stream), region) : region, stream);
  }

  function ask(region, stream) {
    go({ ...currentView(), region, stream });
    runRegion(currentView());
  }

  async function runRegion({ region, stream }) {
    const question = frames.has(stream) && region ? `${stream} ${writeRegion(region)}` : "";
    if (question === asked) return;
    asked = question;
    for (const [name, { frame, src }] of frames) frame.show(src, question && name === stream ? region : null);
    if (!question) {
      showCall("region", null);
      return seen.clear();
    }
    const body = { item_id: item, region, stream };
    if (!(await seen.show(body, () => ((asked = null), run())))) return;
    showCall("region", { title: `What ${streamTitle(stream)} sees in the region`, method: "POST", path: `${api.ROOT}/latents/search`, body });
    run();
  }

  function onKey({ key, target }) {
    if (key !== "Escape" || target.closest?.(".search") || document.querySelector("dialog[open], .hint[open]")) return;
    const { latent, region } = currentView();
    const inRegion = target.closest?.(".region__box, .region__edges, #seen");
    if (region && (inRegion || !latent)) ask(null, "");
    else if (latent) pin("");
    else point({ focus: "" });
  }
}

function latentOf(target) {
  return target?.closest?.("li[data-latent]")?.dataset.latent ?? "";
}
