"""What went wrong on a cluster, without what Ray wraps around it."""

from collections.abc import Callable
from typing import TypeVar

from ray.data.exceptions import ExecutionTimeoutError
from ray.exceptions import RayError, RayTaskError
from ray.train.v2.api.exceptions import TrainingFailedError

from index_build.ray_engine.board import Board
from sparc_core.errors import SparcError

Result = TypeVar("Result")


class ClusterError(SparcError):
    """The cluster, not the work, failed."""

    code = "cluster_failed"


def unwrapped(what: str, work: Callable[[], Result], board: Board | None = None) -> Result:
    """Do something on the cluster; a worker's own error comes out as itself.

    Args:
        what: Is being done, for the message where it is Ray that failed.
        work: Does it.
        board: Where workers leave their errors, if they do: Ray Train hands on only their text.

    Raises:
        ClusterError: Nodes or worker processes died too often, or Ray broke.
    """
    try:
        return work()
    except (RayError, TrainingFailedError, ExecutionTimeoutError) as error:
        found = _own_error(error, board)
        if found is None:
            raise _cluster_error(error, what) from error
        raise found from None


def _own_error(error: Exception, board: Board | None) -> Exception | None:
    left = board.read().error if board is not None else None
    if left is None and isinstance(error, RayTaskError) and not isinstance(error.cause, RayError):
        return error.cause
    return left


def _cluster_error(error: Exception, what: str) -> ClusterError:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return ClusterError(
        f"the cluster failed at {what} ({lines[-1] if lines else type(error).__name__}): see Ray's logs in "
        "/tmp/ray/session_latest/logs on its nodes, then run the same command again to go on from here"
    )
