// What the caption page shows: everything that its address holds, and the request that it stands for.
import { info } from "../../bundle.js";

const USUAL = { q: "", item: "", upload: "", latent: "", method: "glances", target: "match", layers: "", threshold: "0", scale: "same" };

/** The view in the page's address. @returns {Record<keyof typeof USUAL, string>} */
export function currentView() {
  const given = new URLSearchParams(location.search);
  const view = Object.fromEntries(Object.entries(USUAL).map(([key, usual]) => [key, given.get(key) ?? usual]));
  // Only a match of codes is made of single latents.
  if (!/^\d+$/.test(view.latent) || !isolates(view)) view.latent = "";
  return view;
}

/** The address of a view: what is as usual stays out of it. */
export function addressOf(view) {
  const said = Object.entries(view).filter(([key, value]) => value && value !== USUAL[key]);
  return `${location.pathname}${said.length ? `?${new URLSearchParams(said)}` : ""}`;
}

/** What a view is about: views alike in this show the same pictures. */
export function subjectOf({ q, item, upload }) {
  return JSON.stringify([q, item, upload]);
}

/** Whether a view's heatmaps can be narrowed to one latent. */
export function isolates({ target }) {
  return target === USUAL.target;
}

/** A view's schemas.HeatmapRequest. @param {string[] | null} ids the pictures to look at; null for what fits best */
export function requestFor({ q, item, upload, latent, method, target, layers }, ids) {
  const asked = ids ?? (item ? [item] : null);
  return {
    caption: q,
    ...(upload ? { upload_id: upload } : asked && { item_ids: asked }),
    ...(latent && { latents: [Number(latent)] }),
    ...(layers && { layers: Number(layers) }),
    // Elsewhere the server refuses: only towers trained with the text's can be compared without SPARC.
    ...(target === "similarity" && { streams: info.similarity_streams }),
    method,
    target,
    trust: true,
  };
}
