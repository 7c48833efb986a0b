"""What is being served, and whether it is there."""

from server.client import operations
from server.client.answers import no_answer
from server.client.call import Call
from server.schemas import (
    Info,
    Label,
    Reloaded,
)


def info(*, bundle: str | None = None) -> Call[Info]:
    """What is being served: bundle, corpus, streams, model, metrics; and the bundles beside it.

    Args:
        bundle: `bundle_id` of the one that is asked, here as everywhere; by default the main one.
    """
    return operations.INFO.call(bundle=bundle)


def labels(*, bundle: str | None = None) -> Call[list[Label]]:
    """The labels of the corpus, with their parents and how many items carry each.

    Args:
        bundle: Of which served bundle, by its id; by default of the main one.
    """
    return operations.LABELS.call(bundle=bundle)


def reload(*, verify: bool = False) -> Call[Reloaded]:
    """Serve the bundle that lies at the configured place now; needs an administrator's key.

    Args:
        verify: Also hash all of its files first.
    """
    return operations.RELOAD.call(verify=verify)


def ready() -> Call[None]:
    """Whether the service is ready to answer; an error if not."""
    return Call("GET", "/readyz", no_answer)
