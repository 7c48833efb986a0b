"""How the process ends when it is told to: in order, within less than the ten seconds after which Docker kills it.

SIGTERM while it starts ends it at once. Later, requests under way are answered for `GRACE_S` seconds, then refused;
what hangs even so is left behind.
"""

import asyncio
import os
import signal
import socket
import sys
from threading import Event, Thread
from types import FrameType
from typing import TYPE_CHECKING

import uvicorn

if TYPE_CHECKING:
    from server.resources import Resources  # which imports torch: signals must be heard before

GRACE_S = 6
_FORCED_S = 9.0
_EXIT_CODES = {signal.SIGTERM: 0, signal.SIGINT: 128 + signal.SIGINT}


def stop_on_signals() -> None:
    """End the process on SIGTERM (exit code 0) and on SIGINT (130) from now on; a server that runs takes both over."""
    for number in _EXIT_CODES:
        signal.signal(number, _stop)


def _stop(number: int, _: FrameType | None) -> None:
    """End now: either nothing was begun, or the server, which gives the signal back, has ended everything in order.

    Python's own end would take seconds with torch loaded, and wait for threads that hang.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(_EXIT_CODES[signal.Signals(number)])


def end_by_force(exit_code: int) -> None:
    """End the process in nine seconds, if it does not end by itself until then."""

    def end() -> None:
        Event().wait(_FORCED_S)
        os._exit(exit_code)

    Thread(target=end, name="end by force", daemon=True).start()


class BoundedServer(uvicorn.Server):
    """uvicorn's server, that ends soon after it was told to."""

    def __init__(self, config: uvicorn.Config, resources: "Resources") -> None:
        """Args: as uvicorn takes it; the workers for which requests wait."""
        super().__init__(config)
        self._resources = resources

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGTERM or SIGINT came."""
        end_by_force(_EXIT_CODES[signal.Signals(sig)])
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more requests and answer those under way, in the end with 503."""
        asyncio.get_running_loop().call_later(GRACE_S, self._resources.close, 0.0)
        await super().shutdown(sockets)
