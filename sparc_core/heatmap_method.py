"""The names of the methods that make heatmaps; `attribution.methods` runs them. Light: no torch."""

from enum import StrEnum


class Method(StrEnum):
    """How a score is traced back to patches. The last two are as published: one look, one value a patch, no blur."""

    glances = "glances"  # conservative propagation, and a glance at each place that stands out
    propagation = "propagation"  # conservative propagation over two looks half a patch apart
    relevance = "relevance"  # attention relevance
    gradcam = "gradcam"  # Grad-CAM at the last block's first norm

    @property
    def blends(self) -> bool:
        """Whether pictures are also looked at moved by half a patch, and neighbouring patches blended."""
        return self in (Method.glances, Method.propagation)
