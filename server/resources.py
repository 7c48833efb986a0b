"""What a process has once, whatever bundle it serves: workers, uploads, settings."""

import logging

import torch

from server.metrics import Reading
from server.refusals import MemoryFullError
from server.settings import Settings
from server.uploads import UploadStore
from server.worker import BatchReport, Worker
from sparc_core.device_memory import is_out_of_memory, release_memory

log = logging.getLogger(__name__)


class Resources:
    """Shared by the bundles that a process serves one after another."""

    def __init__(self, settings: Settings, report: BatchReport | None = None) -> None:
        """Start the workers.

        Args:
            settings: Of the service.
            report: Told the kind and size of every batch.
        """
        if settings.threads:
            torch.set_num_threads(settings.threads)
        self.settings = settings
        deadline_s = settings.deadline_s
        self.device_worker = Worker("device", settings.queue, deadline_s, report=report, explain=_explained)
        # Searches do not touch the models: they need not wait for them.
        self.search_worker = Worker(
            "search", settings.search_queue, deadline_s, settings.search_threads, explain=_explained
        )
        self.uploads = UploadStore(settings.max_upload_pixels, settings.upload_cache_bytes)

    @property
    def workers(self) -> list[Worker]:
        """All of them."""
        return [self.device_worker, self.search_worker]

    @property
    def stuck(self) -> list[Worker]:
        """Workers that are busy with one job for longer than any request waits for it."""
        return [worker for worker in self.workers if worker.busy_s > self.settings.deadline_s]

    def close(self, grace_s: float | None = None) -> bool:
        """Stop the workers, each as `Worker.close`; whether all of them have ended."""
        ended = [worker.close(grace_s) for worker in self.workers]
        return all(ended)

    def readings(self) -> list[Reading]:
        """For the metrics."""
        readings = [Reading("sparc_queue_depth", {"worker": worker.name}, worker.depth) for worker in self.workers]
        readings += [Reading("sparc_busy_seconds", {"worker": worker.name}, worker.busy_s) for worker in self.workers]
        readings.append(Reading("sparc_cache_bytes", {"cache": "uploads"}, self.uploads.n_bytes))
        if torch.cuda.is_initialized():
            for i in range(torch.cuda.device_count()):
                used = torch.cuda.memory_allocated(i)
                readings.append(Reading("sparc_device_memory_bytes", {"device": f"cuda:{i}"}, used))
        return readings


def _explained(error: BaseException) -> BaseException:
    """What callers are told of a job's error; where memory was short, what torch kept of it is given back."""
    if not is_out_of_memory(error):
        return error
    release_memory()
    log.warning("out of memory: %s", _first_line(error))
    return MemoryFullError()


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0][:300] if str(error) else type(error).__name__
