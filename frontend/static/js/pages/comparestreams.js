// Two streams on the page Compare: every latent in both, to point at and to choose from.
import { PairView } from "../parts/compare/pairview.js";

const scatter = document.querySelector("#scatter");
if (scatter) new PairView(scatter);
