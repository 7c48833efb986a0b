"""The warm models of a bundle: backbones and SPARC on one device, from pictures and texts to codes."""

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float32
from PIL import Image

from sparc_core.attribution.faithfulness import features_of_patches
from sparc_core.backbones import ImageBackbone, TextBackbone, TextWord, load_backbone
from sparc_core.backbones.features import native_precision, unit_features
from sparc_core.backbones.shared_spaces import shared_spaces
from sparc_core.bundle import Bundle
from sparc_core.checkpoint import load_sparc
from sparc_core.device_memory import in_parts
from sparc_core.errors import InputError, NotFoundError
from sparc_core.model import normalize
from sparc_core.retrieval import QueryCode, query_code
from sparc_core.sparse import SparseCode

BackboneLoader = Callable[[str], ImageBackbone | TextBackbone]
"""Makes the backbone of a spec. Backbones are frozen, so bundles may share those of one that remembers what it made."""


class Reading(NamedTuple):
    """A text as its stream reads it: words, unit features, and its code under per-stream selection (one row)."""

    words: list[TextWord]
    features: Float[torch.Tensor, "1 d"]
    code: SparseCode


class Look(NamedTuple):
    """A picture as its stream sees it: unit features, and its code under per-stream selection."""

    features: Float32[np.ndarray, " d"]
    code: QueryCode


class Decoder(NamedTuple):
    """What turns a code into features of a stream."""

    dictionary: Float32[np.ndarray, "l d"]  # as trained, within a step of unit norm
    pre_bias: Float32[np.ndarray, " d"]


class Towers:
    """Backbones and SPARC of one bundle. Its methods run models: call them on the device worker only."""

    def __init__(self, bundle: Bundle, device: torch.device, load: BackboneLoader = load_backbone) -> None:
        """Load every backbone that the manifest names; BundleError or InputError say what does not fit."""
        self.device = device
        self.modalities = {s.name: s.modality for s in bundle.manifest.streams}
        self.backbones: dict[str, ImageBackbone | TextBackbone] = {
            s.name: load(s.backbone).to(device) for s in bundle.manifest.streams if s.backbone
        }
        self._decoders = cache(self._read_decoder)
        self._similar = shared_spaces({s.name: s.backbone for s in bundle.manifest.streams}, self.modalities)
        # A text tower stands for its space.
        self._spaces = {
            name: {text for text, image in self._similar if name in (text, image)} for name in self.modalities
        }
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

    def known(self, stream: str) -> str:
        """The stream's name; NotFoundError where there is none."""
        if stream not in self.modalities:
            raise NotFoundError(
                "stream", f'there is no stream "{stream[:40]}": the streams are {", ".join(self.modalities)}'
            )
        return stream

    def streams(self, modality: str) -> list[str]:
        """The streams of one modality, in the bundle's order."""
        return [name for name, its in self.modalities.items() if its == modality]

    def live_streams(self, modality: str) -> list[str]:
        """Those that have a backbone, and so can take in what is new."""
        return [name for name in self.streams(modality) if name in self.backbones]

    def similar_streams(self, text_stream: str) -> list[str]:
        """Image streams whose features lie in a text stream's space: towers that were trained together."""
        return [image for text, image in self._similar if text == text_stream and image in self.backbones]

    def in_one_space(self, first: str, second: str) -> bool:
        """Whether features of two streams can be compared without SPARC."""
        return first == second or bool(self._spaces[first] & self._spaces[second])

    def dictionary(self, stream: str) -> Float32[np.ndarray, "l d"]:
        """The unit-norm dictionary of a stream."""
        return self.sparc.dictionary(stream).cpu().numpy()

    def decoder(self, stream: str) -> Decoder:
        """A stream's decoder, on the CPU."""
        return self._decoders(stream)

    def encoder_row(self, stream: str, latent: int) -> tuple[Float32[np.ndarray, " d"], float]:
        """What makes a latent's logit from unit features: weights, and what is added to the weighted sum."""
        own = self.sparc.autoencoder(stream)
        weights = own.encoder[latent].detach()
        constant = float(own.latent_bias[latent] - weights @ own.pre_bias)
        return weights.float().cpu().numpy(), constant

    @torch.no_grad()
    def logits(self, stream: str, features: Float32[np.ndarray, "b d"]) -> Float32[np.ndarray, "b l"]:
        """All latents' logits of unit features of a stream."""
        logits = self.sparc.logits(stream, torch.from_numpy(features).to(self.device))
        return logits.float().cpu().numpy()

    def read_all(self, stream: str, texts: Sequence[str]) -> tuple[Float[torch.Tensor, "b d"], SparseCode]:
        """Unit features of texts in a text stream, and their codes under per-stream selection."""
        backbone = self.text(stream)
        features = _features(backbone, backbone.preprocess(texts).to(self.device))
        return features, self._code(stream, features)

    def look_all(self, stream: str, pictures: Sequence[Image.Image]) -> list[Look]:
        """Pictures in an image stream."""
        return self._looks(stream, _features(self.image(stream), self.batch(stream, pictures)))

    def look_at_patches(self, stream: str, picture: Image.Image, patches: Sequence[int]) -> Look:
        """A picture of which only some patches are shown."""
        backbone = self.image(stream)
        with torch.no_grad(), native_precision(self.device):
            embedded = backbone.trunk(self.batch(stream, [picture]), backbone.n_blocks).tokens
        kept = torch.tensor([list(patches)], device=self.device)
        return self._looks(stream, normalize(features_of_patches(backbone, embedded, kept).float()))[0]

    def batch(self, stream: str, pictures: Sequence[Image.Image]) -> torch.Tensor:
        """Pictures as one input batch of a stream, on the device."""
        return self.image(stream).preprocess(pictures).to(self.device)

    def _looks(self, stream: str, features: Float[torch.Tensor, "b d"]) -> list[Look]:
        code = self._code(stream, features)
        rows = zip(code.latents.cpu().numpy(), code.activations.detach().cpu().numpy(), strict=True)
        codes = [query_code(latents, activations) for latents, activations in rows]
        return [Look(*one) for one in zip(features.cpu().numpy(), codes, strict=True)]

    def _read_decoder(self, stream: str) -> Decoder:
        own = self.sparc.autoencoder(stream)
        return Decoder(*(part.detach().float().cpu().numpy() for part in (own.dictionary, own.pre_bias)))

    @torch.no_grad()
    def _code(self, stream: str, features: Float[torch.Tensor, "b d"]) -> SparseCode:
        return self.sparc.encode({stream: features}, selection="local")[stream]

    def _backbone(self, stream: str) -> ImageBackbone | TextBackbone:
        if self.known(stream) not in self.backbones:
            raise InputError(f'stream "{stream}" was built from given features: it has no backbone to look with')
        return self.backbones[stream]


def _features(backbone: ImageBackbone | TextBackbone, x: torch.Tensor) -> Float[torch.Tensor, "b d"]:
    """Unit features of a batch, in as many parts as the device's memory asks for."""
    return torch.cat(in_parts(partial(unit_features, backbone), x))


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
