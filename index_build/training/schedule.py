"""The learning rate over a run."""

from index_build.training.options import TrainingOptions


def learning_rate(options: TrainingOptions, step: int, n_steps: int) -> float:
    """Of step `step`, counted from 0: up over the warm-up, down to zero over the last share of the steps."""
    warmup = min(1.0, (step + 1) / options.warmup_steps) if options.warmup_steps else 1.0
    decay_steps = options.decay_share * n_steps
    decay = min(1.0, (n_steps - step) / decay_steps) if decay_steps else 1.0
    return options.lr * warmup * decay
