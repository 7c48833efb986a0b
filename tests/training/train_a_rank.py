"""What `test_run` starts with torchrun: trains as one of several processes and writes down what this one ends with."""

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from index_build.features.store import FeatureStore
from index_build.training.processes import join_processes, leave_processes
from index_build.training.trainer import Trainer
from sparc_core.checkpoint import weights
from tests.training.training_examples import example_features, small


def main(folder: Path) -> None:
    processes = join_processes(torch.device("cpu"))
    options = small(mix_share=0.5, clip_grad_norm=0.5, encoder_weight_decay=1.0, local_share=0.5)
    trainer = Trainer(FeatureStore.of(example_features()), options, processes=processes)
    for _ in range(25):
        trainer.step()
    counters = {f"steps_asleep.{stream}": steps for stream, steps in trainer.dead.steps_asleep.items()}
    processes.wait()  # who leaves early cuts the others off
    leave_processes()
    save_file(weights(trainer.model) | counters, folder / f"rank{processes.rank}.safetensors")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
