// A latent's page: other items, heatmaps and tests without a page load. The address holds the view (parts/latent/latentview.js).
import { showPicture } from "../parts/data.js";
import { plotInSight } from "../parts/latent/histograms.js";
import { Intervals } from "../parts/latent/intervals.js";
import { LatentHeat } from "../parts/latent/latentheat.js";
import { besideSheet, columnsSheet } from "../parts/latent/latentsheet.js";
import { LatentTest } from "../parts/latent/latenttest.js";
import { change, currentView, followView } from "../parts/latent/latentview.js";

// Dead latents have no columns, and not every bundle can look at pictures or read texts.
const heat = document.querySelector("#heat") && new LatentHeat((on) => {
  change({ heat: on ? "1" : "" });
  follow();
});
const intervals = document.querySelector("#intervals") && new Intervals({ onLeave: () => heat?.stop(), onShow: () => heat?.again() });
const test = document.querySelector("#test") && new LatentTest();

if (intervals) showPicture("columns", "The columns", columnsSheet);
if (document.querySelector(".beside__row")) showPicture("beside", "Before and after", besideSheet);
if (document.querySelector("#histograms")) plotInSight();
addEventListener("popstate", follow);
follow();

/** Makes the page agree with its address. */
function follow() {
  followView();
  intervals?.follow();
  heat?.follow(currentView().heat === "1");
  test?.follow();
}
