// A latent's page: items of another interval without a page load, and histograms. Dead latents have neither.
import { plotInSight } from "../parts/histograms.js";
import { Intervals } from "../parts/intervals.js";

if (document.querySelector("#intervals")) new Intervals();
if (document.querySelector("#histograms")) plotInSight();
