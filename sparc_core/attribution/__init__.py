"""Where in a picture, or in which words, a score comes from.

`targets` says what is explained, `methods` where it comes from (`propagation` with `glances`, `attention_relevance`,
`grad_cam`, over `looks`), `words` does the same for texts, `faithfulness` says how much to believe.
"""

from sparc_core.attribution.attention_relevance import relevance
from sparc_core.attribution.grad_cam import gradcam
from sparc_core.attribution.looks import Looks, join
from sparc_core.attribution.methods import Heatmaps, head_blocks, heatmaps, look_for
from sparc_core.attribution.targets import CaptionMatch, CodeSum, CrossModal, LatentSum, Score, Similarity, Target
from sparc_core.attribution.words import per_word, word_relevance
from sparc_core.heatmap_method import Method

__all__ = [
    "CaptionMatch",
    "CodeSum",
    "CrossModal",
    "Heatmaps",
    "LatentSum",
    "Looks",
    "Method",
    "Score",
    "Similarity",
    "Target",
    "gradcam",
    "head_blocks",
    "heatmaps",
    "join",
    "look_for",
    "per_word",
    "relevance",
    "word_relevance",
]
