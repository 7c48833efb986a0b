"""The contract's enumerations as plain words, so that people can type "near_miss" and their editors know it.

A test compares each with its enumeration.
"""

from typing import Literal

from server.schemas import Alive, HeatmapTarget, Interval, LatentSort, Measure, MismatchKind, Way
from sparc_core.heatmap_method import Method

SortWord = LatentSort | Literal["alignment", "profile_alignment", "density", "purity", "name_quality", "id"]
AliveWord = Alive | Literal["alive", "mixed", "dead"]
IntervalWord = Interval | Literal["top", "high", "mid", "low", "random", "near_miss"]
MismatchWord = MismatchKind | Literal["silent", "different"]
WayWord = Way | Literal["latent", "reconstruction", "backbone"]
MeasureWord = Measure | Literal["cosine", "dot"]
TargetWord = HeatmapTarget | Literal["match", "cross_modal", "code", "similarity"]
MethodWord = Method | Literal["glances", "propagation", "relevance", "gradcam"]
