"""From a heatmap request to what its heatmaps explain, with one sentence for each thing that cannot be."""

from typing import NamedTuple

import torch
from jaxtyping import Int64

from server.schemas import HeatmapRequest, HeatmapTarget
from server.services.text import ReadText, WordsLeftOut
from server.services.towers import Reading, Towers
from sparc_core.attribution import CaptionMatch, CodeSum, CrossModal, LatentSum, Similarity, Target
from sparc_core.errors import InputError, NotFoundError
from sparc_core.retrieval import QueryCode, query_code
from sparc_core.sparse import SparseCode


class Wanted(NamedTuple):
    """What is looked for: the caption as it was read (None for latents alone), and the latents with their weights."""

    reading: Reading | None
    left_out: WordsLeftOut
    query: QueryCode
    target: HeatmapTarget
    stream: str  # the text stream that read the caption, or ""


class Targets:
    """Makes targets. Runs models: call on the device worker."""

    def __init__(self, towers: Towers) -> None:
        """Args: the models."""
        self._towers = towers

    def wanted(self, request: HeatmapRequest, read: ReadText | None) -> Wanted:
        """What a request looks for.

        Args:
            request: With a caption, with latents, or with both.
            read: The caption, as `text_stream` reads it.

        Raises:
            NotFoundError: No such latent.
            InputError: No word of the caption is known, it activates no latent, or not those asked for.
        """
        latents = self._checked(request.latents)
        if read is None:
            assert latents is not None, "the request has a caption or latents"
            query = query_code(latents.numpy(), torch.ones(len(latents)).numpy())
            return Wanted(None, WordsLeftOut([], None), query, request.target, "")
        reading, query = read.reading, read.query
        if not any(word.known for word in reading.words):
            raise InputError(
                f'the text tower knows no word of "{(request.caption or "")[:60]}": '
                "use words of the captions it learnt from"
            )
        if not len(query.latents):
            raise InputError("the caption activates no latent: say it in other words")
        if latents is not None:
            query = _narrowed(query, latents)
        return Wanted(reading, read.left_out, query, request.target, self.text_stream())

    def text_stream(self) -> str:
        """The stream that reads captions; InputError where there is none."""
        streams = self._towers.live_streams("text")
        if not streams:
            raise InputError("this bundle has no text stream with a backbone to read the caption with")
        return streams[-1]

    def target(self, wanted: Wanted, stream: str) -> Target:
        """What one image stream's heatmaps explain.

        Raises:
            InputError: The stream cannot be compared with the caption without SPARC.
        """
        towers, reading = self._towers, wanted.reading
        if reading is None:
            latents = torch.from_numpy(wanted.query.latents).to(towers.device)
            return LatentSum(latents, torch.ones(len(latents), device=towers.device))
        if wanted.target is HeatmapTarget.match:
            used = torch.from_numpy(wanted.query.latents).to(towers.device)
            narrowed = len(used) < int((reading.code.activations > 0).sum())
            return CaptionMatch(_detached(reading.code), used if narrowed else None)
        if wanted.target is HeatmapTarget.similarity:
            if stream not in towers.similar_streams(wanted.stream):
                raise InputError(
                    f'stream "{stream}" does not share the space of "{wanted.stream}", so there is no similarity '
                    "without SPARC: leave it out of streams, or ask for another target"
                )
            return Similarity(reading.features)
        others = {wanted.stream: towers.sparc.logits(wanted.stream, reading.features).detach()}
        k = towers.sparc.config.k
        return CodeSum(k, others) if wanted.target is HeatmapTarget.code else CrossModal(k, others, wanted.stream)

    def random(self, wanted: Wanted) -> Target:
        """As many random latents with the same weights, the same ones every time."""
        n_latents, device = self._towers.sparc.config.n_latents, self._towers.device
        n = len(wanted.query.latents)
        chosen = torch.randperm(n_latents, generator=torch.Generator().manual_seed(n))[:n].to(device)
        weights = torch.from_numpy(wanted.query.activations).to(device)
        if wanted.reading is None:
            return LatentSum(chosen, weights)
        return CaptionMatch(SparseCode(chosen[None], weights[None]))

    def _checked(self, latents: list[int] | None) -> Int64[torch.Tensor, " m"] | None:
        if latents is None:
            return None
        n_latents = self._towers.sparc.config.n_latents
        for latent in latents:
            if latent >= n_latents:
                raise NotFoundError("latent", f"there is no latent {latent}: they are numbered 0 to {n_latents - 1}")
        return torch.tensor(list(dict.fromkeys(latents)))


def _narrowed(query: QueryCode, latents: torch.Tensor) -> QueryCode:
    kept = torch.isin(torch.from_numpy(query.latents), latents).numpy()
    if not kept.any():
        asked = ", ".join(str(int(latent)) for latent in latents[:8])
        raise InputError(f"the caption does not activate latent {asked}: ask for latents of its code, or without it")
    return QueryCode(query.latents[kept], query.activations[kept])


def _detached(code: SparseCode) -> SparseCode:
    return SparseCode(code.latents, code.activations.detach())
