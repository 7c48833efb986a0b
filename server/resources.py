"""What a process has once, whatever bundle it serves: workers, uploads, settings."""

import torch

from server.metrics import Reading
from server.settings import Settings
from server.uploads import UploadStore
from server.worker import BatchReport, Worker


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
        self.device_worker = Worker("device", settings.queue, settings.deadline_s, report=report)
        # Searches do not touch the models: they need not wait for them.
        self.search_worker = Worker("search", settings.search_queue, settings.deadline_s, settings.search_threads)
        self.uploads = UploadStore(settings.max_upload_pixels, settings.upload_cache_bytes)

    def close(self) -> None:
        """Finish the running jobs and stop."""
        self.device_worker.close()
        self.search_worker.close()

    def readings(self) -> list[Reading]:
        """For the metrics."""
        workers = (self.device_worker, self.search_worker)
        readings = [Reading("sparc_queue_depth", {"worker": worker.name}, worker.depth) for worker in workers]
        readings.append(Reading("sparc_cache_bytes", {"cache": "uploads"}, self.uploads.n_bytes))
        if torch.cuda.is_initialized():
            for i in range(torch.cuda.device_count()):
                used = torch.cuda.memory_allocated(i)
                readings.append(Reading("sparc_device_memory_bytes", {"device": f"cuda:{i}"}, used))
        return readings
