"""The REST contract, one model per thing on the wire; pages and API answer with the same objects.

Activations are at least 0. Shares are between 0 and 1. Ids of latents are integers, of items strings.
"""

from server.schemas.base import MAX_CAPTION_CHARACTERS, ErrorBody, ErrorDetail, Wire
from server.schemas.bundle import Info, StreamInfo
from server.schemas.heatmaps import (
    CaptionReading,
    Faithfulness,
    Heatmap,
    HeatmapRequest,
    HeatmapsDone,
    HeatmapTarget,
    PictureHeatmaps,
    PictureTrust,
    Verdict,
    Window,
)
from server.schemas.items import Item, LatentActivation, Upload
from server.schemas.latents import (
    Alive,
    Histogram,
    LabelShare,
    Latent,
    LatentItem,
    LatentItems,
    LatentPage,
    LatentSort,
    LatentStream,
    LatentSummary,
    NearLatent,
)
from server.schemas.retrieval import Hit, Retrieval, RetrieveRequest
from server.schemas.texts import Contribution, Word

__all__ = [
    "MAX_CAPTION_CHARACTERS",
    "Alive",
    "CaptionReading",
    "Contribution",
    "ErrorBody",
    "ErrorDetail",
    "Faithfulness",
    "Heatmap",
    "HeatmapRequest",
    "HeatmapTarget",
    "HeatmapsDone",
    "Histogram",
    "Hit",
    "Info",
    "Item",
    "LabelShare",
    "Latent",
    "LatentActivation",
    "LatentItem",
    "LatentItems",
    "LatentPage",
    "LatentSort",
    "LatentStream",
    "LatentSummary",
    "NearLatent",
    "PictureHeatmaps",
    "PictureTrust",
    "Retrieval",
    "RetrieveRequest",
    "StreamInfo",
    "Upload",
    "Verdict",
    "Window",
    "Wire",
    "Word",
]
