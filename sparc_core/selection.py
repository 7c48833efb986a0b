"""Selection: which k latents of each row stay active.

"global" sums the logits over the streams present and takes one set of latents for all of them; "local" lets each
stream take its own. Either way a kept latent's activation is the ReLU of that stream's own logit.

Source: SPARC (arXiv 2507.06265), section 3.
"""

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from sparc_core.errors import InputError, ShapeError
from sparc_core.sparse import SparseCode

Selection = Literal["global", "local"]


def select(logits: Mapping[str, Float[Tensor, "b l"]], k: int, selection: Selection) -> dict[str, SparseCode]:
    """Turn the logits of aligned streams into sparse codes with at most k active latents per row.

    Args:
        logits: Per stream; row i of every stream belongs to the same item. Any number of streams from one up.
        k: How many latents to keep.
        selection: "global" shares the latents between the streams, "local" does not.

    Returns:
        One code per stream, in the order given, each row sorted by activation, strongest first.

    Raises:
        InputError: No stream was given, k does not fit, or the selection has another name.
        ShapeError: The streams' logits differ in shape.
    """
    return {stream: _keep(logits[stream], latents) for stream, latents in choose(logits, k, selection).items()}


def choose(logits: Mapping[str, Float[Tensor, "b l"]], k: int, selection: Selection) -> dict[str, Int64[Tensor, "b k"]]:
    """The latents that `select` keeps, per stream, in descending order of what they were chosen by; errors as there."""
    _check(logits, k)
    if selection == "global":
        shared = _total(list(logits.values())).topk(k, dim=1).indices
        return dict.fromkeys(logits, shared)
    if selection == "local":
        return {stream: values.topk(k, dim=1).indices for stream, values in logits.items()}
    raise InputError(f'selection is {selection!r}: use "global" or "local"')


def choose_dead(logits: Float[Tensor, "b l"], dead: Bool[Tensor, " l"], auxk: int) -> Int64[Tensor, "b m"]:
    """The latents that AuxK reconstructs the residual from: those with the `auxk` largest logits among dead latents.

    m is `auxk`, or the number of dead latents where there are fewer. Their activations are the ReLU of their logits,
    as everywhere, so fewer than m may be active.
    """
    candidates = dead.nonzero().squeeze(1)
    strongest = logits[:, candidates].topk(min(auxk, len(candidates)), dim=1).indices
    return candidates[strongest]


def _total(logits: Sequence[Float[Tensor, "b l"]]) -> Float[Tensor, "b l"]:
    """Sum over streams, in float32 at least; sums of bfloat16 would decide by rounding."""
    first = logits[0].float() if logits[0].dtype == torch.bfloat16 else logits[0].clone()
    return reduce(Tensor.add_, logits[1:], first)


def _keep(logits: Float[Tensor, "b l"], latents: Int64[Tensor, "b k"]) -> SparseCode:
    """Gate the logits to the latents given and sort each row by activation."""
    activations = F.relu(logits.gather(1, latents))
    activations, order = torch.sort(activations, dim=1, descending=True, stable=True)
    return SparseCode(latents.gather(1, order), activations)


def _check(logits: Mapping[str, Tensor], k: int) -> None:
    if not logits:
        raise InputError("selection got the logits of no stream: give at least one")
    shapes = {stream: tuple(values.shape) for stream, values in logits.items()}
    if len(set(shapes.values())) > 1:
        raise ShapeError(f"the streams' logits have shapes {shapes}: aligned streams have the same rows and latents")
    n_latents = next(iter(shapes.values()))[-1]
    if not 1 <= k <= n_latents:
        raise InputError(f"k is {k}: choose from 1 to {n_latents}, the number of latents")
