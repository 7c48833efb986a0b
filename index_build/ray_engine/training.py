"""Training with Ray Train: it starts the workers, joins them and starts them again; what they do is `TrainingJob.run`.

A run's state lies in the job's folder, so workers that are started again go on from the last checkpoint.
"""

import shutil
import threading
from concurrent.futures import Future
from functools import partial
from typing import Any

import ray
import ray.train
import ray.train.torch
import torch
from ray.train import FailureConfig, RunConfig, ScalingConfig
from ray.train.torch import TorchConfig, TorchTrainer
from ray.train.v2.api.config import LoggingConfig

from index_build.engine import TrainingJob
from index_build.ray_engine.board import Board
from index_build.ray_engine.errors import unwrapped
from index_build.ray_engine.shared_folder import SharedFolder
from index_build.threads import one_thread
from index_build.training.processes import Processes
from index_build.training.run import RunSettings
from index_build.workers import ProgressReport
from sparc_core.errors import InputError, SparcError

_DEATHS_PER_RUN = 10
_LOOK_SECONDS = 0.5


def train_on_ray(job: TrainingJob, shared: SharedFolder, n_workers: int, on_gpus: bool, report: ProgressReport) -> None:
    """Run a training job on workers of the cluster; its paths are absolute.

    Args:
        job: What to train.
        shared: Where its files are.
        n_workers: Processes that share every batch; one gives the same bytes as the local engine.
        on_gpus: Gives each a GPU.
        report: Told about steps that are done.

    Raises:
        InputError: The cluster has no place for so many workers, or what a worker raised.
        ClusterError: Workers died ten times.
    """
    kind = "GPU" if on_gpus else "CPU"
    there = int(ray.cluster_resources().get(kind, 0))
    if there < n_workers:
        raise InputError(f"train_workers is {n_workers}, but the cluster has {there} {kind}s: choose fewer")
    board = Board.new()
    ray_folder = job.folder / "ray"
    shutil.rmtree(ray_folder, ignore_errors=True)  # of a builder that was killed
    trainer = TorchTrainer(
        partial(_work, job, shared, board, on_gpus),
        torch_config=TorchConfig(backend="cpu:gloo,cuda:nccl" if on_gpus else "gloo"),
        scaling_config=ScalingConfig(num_workers=n_workers, use_gpu=on_gpus),
        run_config=RunConfig(
            name="train",
            storage_path=str(ray_folder),
            failure_config=FailureConfig(max_failures=_DEATHS_PER_RUN),
            logging_config=LoggingConfig(log_level="ERROR"),
        ),
    )
    _fit(trainer, board, report)
    shutil.rmtree(ray_folder, ignore_errors=True)


def _fit(trainer: TorchTrainer, board: Board, report: ProgressReport) -> None:
    """Train, passing on the news. In a thread, for Ray Train would take Ctrl-C away from the builder."""
    outcome: Future[Any] = Future()
    thread = threading.Thread(target=_fulfil, args=(outcome, trainer), daemon=True)
    thread.start()

    def ended() -> bool:
        thread.join(_LOOK_SECONDS)
        return not thread.is_alive()

    board.watch(ended, report)
    error = board.read().error
    if error is not None:
        raise error
    unwrapped("training", outcome.result, board)


def _fulfil(outcome: "Future[Any]", trainer: TorchTrainer) -> None:
    try:
        outcome.set_result(trainer.fit())
    except BaseException as error:
        outcome.set_exception(error)


def _work(job: TrainingJob, shared: SharedFolder, board: Board, on_gpu: bool) -> None:
    """What each worker does. Ray Train has joined them; it starts all again when one raises or dies."""
    if board.read().error is not None:
        return  # a domain error stays one, however often it is tried
    context = ray.train.get_context()
    processes = Processes(context.get_world_rank(), context.get_world_size())
    device = ray.train.torch.get_device() if on_gpu else torch.device("cpu")
    try:
        with one_thread():
            shared.require()
            job.run(board.tell, RunSettings(device=device, processes=processes))
    except SparcError as error:
        board.fail(error)
        raise  # so that the others, which may wait for this one, end too
