"""transformers' text models as backbones: CLIP's and SigLIP's text towers, and sentence encoders such as MiniLM.

`replay` splits them into trunk and head; here is only how texts become tokens, and which tokens the feature is read
from.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Literal, Self

import torch
from jaxtyping import Bool, Float, Int64

from sparc_core.backbones.base import (
    HeadOutput,
    TextWord,
    Trunk,
    first_head_block,
    mean_output,
    mean_readout,
    one_hot_readout,
)
from sparc_core.backbones.replay import Pass, gate, running
from sparc_core.backbones.words import fast_words
from sparc_core.errors import InputError

Pooling = Literal["eos", "last", "mean", "cls"]
"""CLIP's projected end-of-text token, SigLIP's last of a full row; of sentence encoders, the mean or first token."""


class TransformersText:
    """A text model of transformers."""

    modality: Literal["text"] = "text"

    def __init__(self, name: str, model: Any, tokenizer: Any, context_length: int, pooling: Pooling) -> None:
        """Gate the model.

        Args:
            name: Its spec.
            model: A transformers model that takes `input_ids`.
            tokenizer: Its fast tokenizer.
            context_length: The most tokens that it reads.
            pooling: How its feature comes from its tokens.

        Raises:
            InputError: It is not made of blocks.
        """
        self.name, self.context_length = name, context_length
        self._model, self._tokenizer, self._pooling = model, tokenizer, pooling
        self.n_blocks = gate(model)
        if not self.n_blocks:
            raise InputError(f'backbone "{name}" is a {type(model).__name__}, whose blocks are not to be found')
        self.d = int(model.config.projection_dim if pooling == "eos" else model.config.hidden_size)
        if pooling == "last":
            self.d = int(model.config.projection_size)

    def preprocess(self, inputs: Sequence[str]) -> Int64[torch.Tensor, "b t"]:
        """Token ids, padded to the longest text (SigLIP's: to the context); texts beyond the context are cut."""
        padding = "max_length" if self._pooling == "last" else True
        encoded = self._tokenizer(
            list(inputs), padding=padding, truncation=True, max_length=self.context_length, return_tensors="pt"
        )
        ids: torch.Tensor = encoded["input_ids"]
        return ids

    def words(self, text: str) -> list[TextWord]:
        """The words of a text with the positions of their tokens; a word cut off by the context has none."""
        return fast_words(self._tokenizer, text, self.context_length)

    @torch.no_grad()
    def features(self, x: Int64[torch.Tensor, "b t"]) -> Float[torch.Tensor, "b d"]:
        """Features of token ids, not normalised."""
        return self._read_out(self._run(x), x)[0]

    @torch.no_grad()
    def trunk(self, x: Int64[torch.Tensor, "b t"], n_head_blocks: int) -> Trunk:
        """Tokens entering the last `n_head_blocks` blocks."""
        with running(Pass(0, first_head_block(self.n_blocks, n_head_blocks))) as run:
            self._run(x)
        tokens = run.entered if run.left is None else run.left
        assert tokens is not None, "the first block saw no tokens"
        return Trunk(tokens, x)

    @torch.no_grad()
    def finish(self, trunk: Trunk, n_head_blocks: int) -> Float[torch.Tensor, "b d"]:
        """Features from tokens, without gradients."""
        with running(Pass(first_head_block(self.n_blocks, n_head_blocks), self.n_blocks, trunk.tokens)):
            return self._read_out(self._run(trunk.inputs), trunk.inputs)[0]

    @torch.enable_grad()
    def head(self, trunk: Trunk, n_head_blocks: int) -> HeadOutput:
        """Features and the attention of the last blocks, with gradients."""
        tokens = trunk.tokens.detach().requires_grad_()
        start = first_head_block(self.n_blocks, n_head_blocks)
        with running(Pass(start, self.n_blocks, tokens, records=True)) as run:
            features, readout = self._read_out(self._run(trunk.inputs), trunk.inputs)
        assert len(run.attention) == n_head_blocks, "every block of a text model shows its attention"
        return HeadOutput(features, run.attention, readout, tokens, run.normed)

    def weights(self) -> Iterator[torch.Tensor]:
        """The tensors that it has learnt."""
        return self._model.parameters()

    def to(self, device: torch.device) -> Self:
        """Move the weights; returns itself."""
        self._model.to(device)
        return self

    def _run(self, ids: Int64[torch.Tensor, "b t"]) -> Any:
        # CLIP looks back only, so what stands after the end changes nothing; SigLIP was trained to see its padding.
        mask = self._mask(ids).long() if self._pooling in ("mean", "cls") else None
        return self._model(input_ids=ids, attention_mask=mask)

    def _mask(self, ids: Int64[torch.Tensor, "b t"]) -> Bool[torch.Tensor, "b t"]:
        return ids != self._tokenizer.pad_token_id

    def _read_out(self, output: Any, ids: Int64[torch.Tensor, "b t"]) -> tuple[torch.Tensor, torch.Tensor]:
        """Features and readout."""
        tokens = output.last_hidden_state
        if self._pooling == "mean":
            readout = mean_readout(self._mask(ids))
            return mean_output(readout, tokens), readout
        if self._pooling == "cls":
            return tokens[:, 0], one_hot_readout(tokens, torch.zeros_like(ids[:, 0]))
        if self._pooling == "last":
            return output.pooler_output, one_hot_readout(tokens, torch.full_like(ids[:, 0], ids.shape[1] - 1))
        return output.text_embeds, one_hot_readout(tokens, self._ends(ids))

    def _ends(self, ids: Int64[torch.Tensor, "b t"]) -> Int64[torch.Tensor, " b"]:
        """Where CLIP reads: the first end-of-text, which older checkpoints take to be the highest id."""
        end = self._model.config.eos_token_id
        return ids.argmax(1) if end == 2 else (ids == end).int().argmax(1)
