"""The warm models of a bundle: backbones and SPARC on one device, from pictures and texts to codes."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float32
from PIL import Image

from sparc_core.backbones import ImageBackbone, TextBackbone, TextWord, load_backbone
from sparc_core.backbones.features import unit_features
from sparc_core.backbones.shared_spaces import shared_spaces
from sparc_core.bundle import Bundle
from sparc_core.checkpoint import load_sparc
from sparc_core.errors import InputError, NotFoundError
from sparc_core.retrieval import QueryCode, query_code
from sparc_core.sparse import SparseCode


class Reading(NamedTuple):
    """A text as its stream reads it: words, unit features, and its code under per-stream selection (one row)."""

    words: list[TextWord]
    features: Float[torch.Tensor, "1 d"]
    code: SparseCode


class Towers:
    """Backbones and SPARC of one bundle. Its methods run models: call them on the device worker only."""

    def __init__(self, bundle: Bundle, device: torch.device) -> None:
        """Load every backbone that the manifest names; BundleError or InputError say what does not fit."""
        self.device = device
        self.modalities = {s.name: s.modality for s in bundle.manifest.streams}
        self.backbones: dict[str, ImageBackbone | TextBackbone] = {
            s.name: load_backbone(s.backbone).to(device) for s in bundle.manifest.streams if s.backbone
        }
        self._similar = shared_spaces({s.name: s.backbone for s in bundle.manifest.streams}, self.modalities)
        self.sparc = load_sparc(bundle.sparc_path).to(device).eval().requires_grad_(False)
        for name, backbone in self.backbones.items():
            width = self.sparc.config.streams.get(name)
            if width != backbone.d:
                raise InputError(f'stream {name}: "{backbone.name}" gives {backbone.d} values, SPARC takes {width}')

    def image(self, stream: str) -> ImageBackbone:
        """The backbone of an image stream."""
        backbone = self._backbone(stream)
        if backbone.modality != "image":
            raise InputError(f'stream "{stream}" reads text, not pictures')
        assert isinstance(backbone, ImageBackbone)
        return backbone

    def text(self, stream: str) -> TextBackbone:
        """The backbone of a text stream."""
        backbone = self._backbone(stream)
        if backbone.modality != "text":
            raise InputError(f'stream "{stream}" looks at pictures, not text')
        assert isinstance(backbone, TextBackbone)
        return backbone

    def streams(self, modality: str) -> list[str]:
        """The streams of one modality, in the bundle's order."""
        return [name for name, its in self.modalities.items() if its == modality]

    def live_streams(self, modality: str) -> list[str]:
        """Those that have a backbone, and so can take in what is new."""
        return [name for name in self.streams(modality) if name in self.backbones]

    def similar_streams(self, text_stream: str) -> list[str]:
        """Image streams whose features lie in a text stream's space: towers that were trained together."""
        return [image for text, image in self._similar if text == text_stream and image in self.backbones]

    def dictionary(self, stream: str) -> Float32[np.ndarray, "l d"]:
        """The unit-norm dictionary of a stream."""
        return self.sparc.dictionary(stream).cpu().numpy()

    def read(self, stream: str, text: str) -> Reading:
        """Encode a text in a text stream."""
        backbone = self.text(stream)
        tokens = backbone.preprocess([text]).to(self.device)
        features = unit_features(backbone, tokens)
        return Reading(backbone.words(text), features, self._code(stream, features))

    def read_all(self, stream: str, texts: Sequence[str]) -> SparseCode:
        """The codes of several texts in a text stream, under per-stream selection."""
        tokens = self.text(stream).preprocess(texts).to(self.device)
        return self._code(stream, unit_features(self.text(stream), tokens))

    def look(self, stream: str, picture: Image.Image) -> QueryCode:
        """The code of a picture in an image stream, under per-stream selection."""
        backbone = self.image(stream)
        return as_query(self._code(stream, unit_features(backbone, self.batch(stream, [picture]))))

    def batch(self, stream: str, pictures: Sequence[Image.Image]) -> torch.Tensor:
        """Pictures as one input batch of a stream, on the device."""
        return self.image(stream).preprocess(pictures).to(self.device)

    @torch.no_grad()
    def _code(self, stream: str, features: Float[torch.Tensor, "b d"]) -> SparseCode:
        return self.sparc.encode({stream: features}, selection="local")[stream]

    def _backbone(self, stream: str) -> ImageBackbone | TextBackbone:
        if stream not in self.modalities:
            known = ", ".join(self.modalities)
            raise NotFoundError("stream", f'there is no stream "{stream[:40]}": the streams are {known}')
        if stream not in self.backbones:
            raise InputError(f'stream "{stream}" was built from given features: it has no backbone to look with')
        return self.backbones[stream]


def as_query(code: SparseCode) -> QueryCode:
    """The first row of a code as a query."""
    return query_code(code.latents[0].detach().cpu().numpy(), code.activations[0].detach().cpu().numpy())


def choose_device(name: str) -> torch.device:
    """The device of a setting: "auto" is CUDA where there is one.

    Raises:
        InputError: No such device here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise InputError(f'device "{name}" is unknown: use "auto", "cpu" or "cuda"') from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise InputError('device "cuda" was asked for and no CUDA device is here: use --device auto')
    return device
