"""The SPARC model: one sparse autoencoder per stream over one set of latents.

`Sparc` holds weights and says how features become codes and codes become features; `sparc_core.selection` picks the
latents, `sparc_core.losses` compares, `sparc_core.checkpoint` stores. Training lives in `index_build.training`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from sparc_core import sparse
from sparc_core.errors import InputError, NotFoundError, ShapeError
from sparc_core.selection import Selection, select
from sparc_core.sparse import SparseCode

_STREAM_NAME = re.compile(r"[a-z][a-z0-9_-]*")


@dataclass(frozen=True)
class SparcConfig:
    """What a model's weights look like.

    Attributes:
        streams: Width of each stream's features, by stream name. The order is the order of summation.
        n_latents: Size of the dictionary that the streams share.
        k: Active latents per code.
        selection: How the model was trained to choose them.

    Raises:
        InputError: A value is out of range; the message names it.
    """

    streams: dict[str, int]
    n_latents: int
    k: int
    selection: Selection = "global"

    def __post_init__(self) -> None:
        if not self.streams:
            raise InputError("a SPARC model needs at least one stream")
        for stream, d in self.streams.items():
            if not _STREAM_NAME.fullmatch(stream) or hasattr(nn.ModuleDict(), stream):
                raise InputError(
                    f"stream name {stream!r} cannot be used: start with a lower-case letter, go on with letters, "
                    'digits, "_" or "-", and avoid the names of torch.nn methods'
                )
            if d < 1:
                raise InputError(f"stream {stream} has width {d}: at least 1 is needed")
        if not 1 <= self.k <= self.n_latents:
            raise InputError(f"k is {self.k}: choose from 1 to n_latents, {self.n_latents}")
        if self.selection not in ("global", "local"):
            raise InputError(f'selection is {self.selection!r}: use "global" or "local"')


class CrossPair(NamedTuple):
    """`source`'s code read with `target`'s dictionary."""

    source: str
    target: str


@dataclass(frozen=True)
class SparcOutput:
    """Everything one pass over aligned features yields.

    Attributes:
        logits: Before selection, per stream, [b l].
        codes: After selection, per stream.
        reconstructions: Of each stream from its own code, [b d].
        cross_reconstructions: Of each target from every other stream's code, [b d_target].
    """

    logits: dict[str, Tensor]
    codes: dict[str, SparseCode]
    reconstructions: dict[str, Tensor]
    cross_reconstructions: dict[CrossPair, Tensor] = field(default_factory=dict)


class StreamAutoencoder(nn.Module):
    """One stream's weights: encoder and dictionary [l d], pre-bias [d], latent bias [l].

    As published, the encoder starts uniform in +-1 / sqrt(d), which makes its rows about 0.58 long, the dictionary as
    the same rows scaled to unit norm, the biases at zero.
    """

    def __init__(self, n_latents: int, d: int, generator: torch.Generator | None = None) -> None:
        super().__init__()
        encoder = (2 * torch.rand(n_latents, d, generator=generator) - 1) / d**0.5
        self.encoder = nn.Parameter(encoder)
        self.dictionary = nn.Parameter(F.normalize(encoder, dim=1))
        self.pre_bias = nn.Parameter(torch.zeros(d))
        self.latent_bias = nn.Parameter(torch.zeros(n_latents))

    def forward(self, x: Float[Tensor, "b d"]) -> Float[Tensor, "b l"]:
        """Logits of features."""
        return F.linear(x - self.pre_bias, self.encoder, self.latent_bias)


class Sparc(nn.Module):
    """Sparse autoencoders of aligned streams that share their latents.

    Features come in L2-normalised (see `normalize`). A pass changes no state.

    Args:
        config: Streams, sizes and selection.
        generator: Source of the initial directions; torch's global one if None.
    """

    def __init__(self, config: SparcConfig, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.config = config
        self.streams = nn.ModuleDict(
            {stream: StreamAutoencoder(config.n_latents, d, generator) for stream, d in config.streams.items()}
        )

    def autoencoder(self, stream: str) -> StreamAutoencoder:
        """One stream's weights.

        Raises:
            NotFoundError: The model has no stream of that name.
        """
        if stream not in self.streams:
            raise NotFoundError("stream", f"the model has no stream {stream!r}: it has {', '.join(self.streams)}")
        return cast(StreamAutoencoder, self.streams[stream])

    def logits(self, stream: str, x: Float[Tensor, "b d"]) -> Float[Tensor, "b l"]:
        """Logits of one stream's features, before selection.

        Raises:
            ShapeError: The features are not as wide as the stream.
            NotFoundError: The model has no such stream.
        """
        autoencoder, d = self.autoencoder(stream), self.config.streams.get(stream)
        if x.ndim != 2 or x.shape[1] != d:
            raise ShapeError(f"features of stream {stream} have shape {list(x.shape)}, expected [rows, {d}]")
        return cast(Tensor, autoencoder(x))

    def encode(
        self, features: Mapping[str, Float[Tensor, "b d"]], selection: Selection | None = None
    ) -> dict[str, SparseCode]:
        """Codes of aligned features of any of the model's streams.

        Args:
            features: Per stream, L2-normalised rows; row i of each belongs to the same item.
            selection: How to choose latents; the model's own way if None. Global selection sums over the streams given.

        Returns:
            One code per stream given, in the model's order of streams.
        """
        return select(self.all_logits(features), self.config.k, selection or self.config.selection)

    def all_logits(self, features: Mapping[str, Float[Tensor, "b d"]]) -> dict[str, Tensor]:
        """Logits per stream given, in the model's order of streams (so sums do not depend on the caller's order)."""
        for stream in features:
            self.autoencoder(stream)
        return {stream: self.logits(stream, features[stream]) for stream in self.streams if stream in features}

    def decode(self, stream: str, code: SparseCode) -> Float[Tensor, "b d"]:
        """Reconstruct a stream's features from a code of any stream; errors as `sparse.decode`."""
        autoencoder = self.autoencoder(stream)
        return sparse.decode(code, autoencoder.dictionary, autoencoder.pre_bias)

    def dictionary(self, stream: str) -> Float[Tensor, "l d"]:
        """Each latent's direction in a stream, unit rows, detached.

        Published training leaves rows within one optimiser step of unit norm; they are scaled here.
        """
        return F.normalize(self.autoencoder(stream).dictionary.detach(), dim=1)

    def forward(self, features: Mapping[str, Float[Tensor, "b d"]], selection: Selection | None = None) -> SparcOutput:
        """Encode, and reconstruct every stream given from its own code and from every other one's."""
        logits = self.all_logits(features)
        codes = select(logits, self.config.k, selection or self.config.selection)
        stacked = sparse.concatenate(list(codes.values()))
        reconstructions: dict[str, Tensor] = {}
        cross: dict[CrossPair, Tensor] = {}
        for target in codes:
            # One look-up for all sources: a third of the calls of decoding pair by pair.
            per_source = self.decode(target, stacked).tensor_split(len(codes))
            for source, decoded in zip(codes, per_source, strict=True):
                if source == target:
                    reconstructions[target] = decoded
                else:
                    cross[CrossPair(source, target)] = decoded
        return SparcOutput(logits, codes, reconstructions, cross)


def normalize(x: Float[Tensor, "b d"]) -> Float[Tensor, "b d"]:
    """Scale rows to unit L2 norm, as SPARC expects them; a row of zeros stays zero."""
    return F.normalize(x, dim=-1)
