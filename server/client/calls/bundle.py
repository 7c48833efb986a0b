"""What is being served, and whether it is there."""

from server.client import operations
from server.client.answers import no_answer
from server.client.call import Call
from server.schemas import (
    Info,
    Label,
    Reloaded,
)


def info() -> Call[Info]:
    """What is being served: bundle, corpus, streams, model, metrics."""
    return operations.INFO.call()


def labels() -> Call[list[Label]]:
    """The labels of the corpus, with their parents and how many items carry each."""
    return operations.LABELS.call()


def reload(*, verify: bool = False) -> Call[Reloaded]:
    """Serve the bundle that lies at the configured place now; needs an administrator's key.

    Args:
        verify: Also hash all of its files first.
    """
    return operations.RELOAD.call(verify=verify)


def ready() -> Call[None]:
    """Whether the service is ready to answer; an error if not."""
    return Call("GET", "/readyz", no_answer)
