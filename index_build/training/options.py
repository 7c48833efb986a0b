"""Every choice that SPARC training makes, with the presets that the project uses.

The defaults are our recipe; `TrainingOptions.published()` is the paper's, `TrainingOptions.storybook()` ours for the
demo's small dictionary and a minute of CPU. Why: `docs/decisions/0006-default-recipe.md`. What the options do is in
`index_build.training.trainer`.
"""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args, get_origin, get_type_hints

from sparc_core.errors import InputError
from sparc_core.selection import Selection

EncoderDtype = Literal["float32", "bfloat16"]
DictionaryNorm = Literal["before_step", "after_step"]

_AT_LEAST_ONE = (
    "n_latents",
    "k",
    "auxk",
    "batch_size",
    "num_epochs",
    "resample_every",
    "checkpoint_every",
    "dead_steps_threshold",
    "dead_neuron_threshold",
)
_NOT_NEGATIVE = (
    "auxk_coef",
    "cross_loss_coef",
    "auxk_threshold",
    "warmup_steps",
    "encoder_weight_decay",
    "seed",
)
_SHARES = ("local_share", "decay_share", "resample_until", "mix_share")


@dataclass(frozen=True)
class TrainingOptions:
    """Settings of one training run.

    Attributes:
        n_latents: Size of the shared dictionary.
        k: Active latents per code.
        auxk: How many dead latents may explain a residual.
        auxk_coef: Weight of AuxK.
        cross_loss_coef: Weight of cross-reconstruction.
        selection: The model's own way to choose latents.
        lr: Adam's highest learning rate.
        batch_size: Rows per step; the last batch of an epoch may be smaller.
        num_epochs: Passes over the rows.
        dead_steps_threshold: A latent is dead in a stream, and may serve AuxK, after so many steps without an
            activation.
        dead_neuron_threshold: A latent is dead enough for resampling with noise after so many steps without one
            (published name).
        auxk_threshold: An activation counts only above this.
        seed: Fixes initial weights, row order, mixing and resampling; below 2^31.
        shuffle: Draw a new row order every epoch; False takes rows as they come.
        dictionary_init: "random" directions (published), or "rows": latent l points, in every stream, to the same
            random item.
        pre_bias_init: "zero" (published), or "mean" of the stream's features.
        loss_scale: Errors relative to each "target" row (published), or to the stream's "variance".
        dictionary_norm: Unit-normalise and project gradients "before_step" (published), or normalise "after_step",
            which leaves exact unit rows.
        local_share: Share of steps, spread evenly, that train with local selection instead of the model's own.
        warmup_steps: The learning rate rises linearly over these.
        decay_share: The learning rate falls linearly to zero over this last share of the steps.
        resample: What dead latents become: "none" leaves them to AuxK; "noise" gives latents dead for longer than
            `dead_neuron_threshold` steps a small random encoder row (published); "rows" sweeps over the items and turns
            latents that no item activates towards badly reconstructed ones.
        resample_every: Steps between resamplings.
        resample_until: No resampling after this share of the steps.
        encoder_weight_decay: Encoder rows shrink by this times the learning rate at every step (as in AdamW).
        mix_share: Every row gets a random share of another row of its batch, up to this; 0 leaves rows alone.
        clip_grad_norm: Gradients are scaled down together to this L2 norm where theirs is larger; None leaves them.
        encoder_dtype: What the encoder's products are computed in while training. "bfloat16" is faster; weights,
            gradients and everything after the selection stay float32.
        checkpoint_every: Steps between checkpoints.

    Raises:
        InputError: A value is out of range; the message names it.
    """

    n_latents: int = 8192
    k: int = 64
    auxk: int = 64
    auxk_coef: float = 1 / 32
    cross_loss_coef: float = 1.0
    selection: Selection = "global"
    lr: float = 1e-3
    batch_size: int = 256
    num_epochs: int = 50
    dead_steps_threshold: int = 1000
    dead_neuron_threshold: int = 1000
    auxk_threshold: float = 1e-3
    seed: int = 0
    shuffle: bool = True
    dictionary_init: Literal["random", "rows"] = "rows"
    pre_bias_init: Literal["zero", "mean"] = "mean"
    loss_scale: Literal["target", "variance"] = "target"
    dictionary_norm: DictionaryNorm = "after_step"
    local_share: float = 0.0
    warmup_steps: int = 0
    decay_share: float = 0.5
    resample: Literal["none", "noise", "rows"] = "rows"
    resample_every: int = 500
    resample_until: float = 0.8
    encoder_weight_decay: float = 2.5
    mix_share: float = 0.5
    clip_grad_norm: float | None = None
    encoder_dtype: EncoderDtype = "float32"
    checkpoint_every: int = 500

    def __post_init__(self) -> None:
        for name, kind in get_type_hints(TrainingOptions).items():
            if get_origin(kind) is Literal and getattr(self, name) not in get_args(kind):
                raise InputError(f"{name} is {getattr(self, name)!r}: choose from {', '.join(get_args(kind))}")
        for name, value in self.as_dict().items():
            if isinstance(value, float) and not math.isfinite(value):
                raise InputError(f"{name} is {value}: give a finite number")
        for name in _AT_LEAST_ONE:
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}: at least 1 is needed")
        for name in _NOT_NEGATIVE:
            if getattr(self, name) < 0:
                raise InputError(f"{name} is {getattr(self, name)}: it cannot be negative")
        for name in _SHARES:
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} is {getattr(self, name)}: a share lies between 0 and 1")
        if self.clip_grad_norm is not None and self.clip_grad_norm <= 0:
            raise InputError(f"clip_grad_norm is {self.clip_grad_norm}: it must be positive, or None for no clipping")
        if self.lr <= 0:
            raise InputError(f"lr is {self.lr}: it must be positive")
        if self.seed >= 2**31:
            raise InputError(f"seed is {self.seed}: it must be below 2^31")
        if self.k > self.n_latents:
            raise InputError(f"k is {self.k}: choose from 1 to n_latents, {self.n_latents}")

    @classmethod
    def published(cls, **changes: Any) -> "TrainingOptions":
        """The paper's recipe (dead-latent thresholds, which it leaves to the user, are 1,000 steps)."""
        settings: dict[str, Any] = {
            "lr": 1e-4,
            "dictionary_init": "random",
            "pre_bias_init": "zero",
            "dictionary_norm": "before_step",
            "decay_share": 0.0,
            "resample": "noise",
            "resample_every": 100,
            "resample_until": 1.0,
            "encoder_weight_decay": 0.0,
            "mix_share": 0.0,
        }
        return cls(**(settings | changes))

    @classmethod
    def storybook(cls, **changes: Any) -> "TrainingOptions":
        """The demo's recipe: about 6,000 items, under a minute on a laptop's CPU, hardly a dead latent."""
        settings: dict[str, Any] = {
            "n_latents": 224,
            "k": 12,
            "auxk": 16,
            "auxk_coef": 1 / 32,
            "cross_loss_coef": 2.0,
            "lr": 4e-3,
            "num_epochs": 70,
            "dead_steps_threshold": 40,
            "loss_scale": "variance",
            "local_share": 0.5,
            "warmup_steps": 50,
            "decay_share": 0.3,
            "resample_every": 100,
            "resample_until": 0.9,
            "encoder_weight_decay": 0.0,
            "mix_share": 0.0,
        }
        return cls(**(settings | changes))

    @classmethod
    def of_recipe(cls, name: str, changes: dict[str, Any]) -> "TrainingOptions":
        """The recipe "default" or "published", changed.

        Raises:
            InputError: There is no recipe of that name, or a value is out of range.
        """
        recipes: dict[str, Callable[..., TrainingOptions]] = {"default": cls, "published": cls.published}
        if name not in recipes:
            raise InputError(f"recipe is {name!r}: choose from {', '.join(recipes)}")
        return recipes[name](**changes)

    @staticmethod
    def parse(settings: dict[str, str]) -> dict[str, Any]:
        """Options from text, in the types they have.

        Raises:
            InputError: There is no such option, or the text cannot be read as its type.
        """
        types = get_type_hints(TrainingOptions)
        parsed: dict[str, Any] = {}
        for name, text in settings.items():
            if name not in types:
                raise InputError(f"there is no option {name!r}: choose from {', '.join(types)}")
            parsed[name] = _read(name, text, types[name])
        return parsed

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def _read(name: str, text: str, kind: Any) -> Any:
    """One option's value; choices and ranges are checked where options are made."""
    kinds = get_args(kind) or (kind,)
    if type(None) in kinds and text.lower() == "none":
        return None
    readers: dict[Any, tuple[Callable[[str], Any], str]] = {
        int: (int, "a whole number"), float: (float, "a number"), bool: (_read_bool, "true or false")
    }  # fmt: skip
    for candidate in kinds:
        if candidate in readers:
            reader, what = readers[candidate]
            try:
                return reader(text)
            except ValueError:
                raise InputError(f"{name} is {text!r}: give {what}") from None
    return text


def _read_bool(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(text)
    return text.lower() == "true"
