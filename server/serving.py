"""The bundle that is served now, with those beside it, and their replacement by new ones without a pause."""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

from server.explorer import Explorer
from server.metrics import Reading
from server.refusals import BundleRefusedError, BusyError
from server.schemas import Reloaded

log = logging.getLogger(__name__)

_WARM_UP_ATTEMPTS, _BETWEEN_ATTEMPTS_S = 60, 0.5
_BETWEEN_LOOKS_S = 2.0


class _Lease:
    """An explorer, and how many requests use it."""

    def __init__(self, explorer: Explorer) -> None:
        self.explorer, self.n_users, self.is_retired = explorer, 0, False


class Serving:
    """Lends the current explorer to requests. Used on the event loop only."""

    def __init__(self, explorer: Explorer, open_explorer: Callable[[], Explorer]) -> None:
        """Serve.

        Args:
            explorer: Open and warm, or about to be.
            open_explorer: Opens what lies where the settings say; runs on a thread.
        """
        self._lease, self._open, self._reloading = _Lease(explorer), open_explorer, asyncio.Lock()

    @property
    def explorer(self) -> Explorer:
        """The current one; requests `lend` it instead."""
        return self._lease.explorer

    @contextmanager
    def lend(self) -> Iterator[Explorer]:
        """An explorer that stays open for the whole of a request, whatever is published meanwhile."""
        lease = self._lease
        lease.n_users += 1
        try:
            yield lease.explorer
        finally:
            lease.n_users -= 1
            _close_if_unused(lease)

    async def reload(self, verify: bool = False) -> Reloaded:
        """Open what lies at the bundles' places now, warm it, and serve it to all requests from then on.

        Args:
            verify: Also hash every file of the bundles, which takes its time and disturbs nobody.

        Raises:
            BundleRefusedError: One of them cannot be opened or answers nothing; all of the old ones stay.
        """
        async with self._reloading:
            old = self._lease
            try:
                explorer = await asyncio.to_thread(self._open_checked, verify)
                await _warm_up(explorer)
            except Exception as error:
                log.warning("new bundle refused", exc_info=error)
                # A domain error's sentence may name a path of this machine: that is for the log.
                raise BundleRefusedError(
                    "the new bundle cannot be served, the log says why; the old one stays"
                ) from None
            served, new = list(old.explorer.served), list(explorer.served)
            if new == served:
                explorer.close()
                log.warning("bundle %s is served already: nothing changed", " beside ".join(new))
            else:
                self._lease, old.is_retired = _Lease(explorer), True
                _close_if_unused(old)
                # No warning, but whoever sent the signal waits for it, whatever is logged.
                log.warning("bundle %s replaces %s", " beside ".join(new), " beside ".join(served))
            return Reloaded(bundle_id=new[0], previous_id=served[0], changed=new != served)

    def readings(self) -> list[Reading]:
        """For the metrics."""
        return self.explorer.readings()

    def _open_checked(self, verify: bool) -> Explorer:
        explorer = self._open()
        if verify:
            for one in explorer.served.values():
                type(one.bundle).open(one.bundle.path, verify=True)
        return explorer


async def _warm_up(explorer: Explorer) -> None:
    """Warm up beside the requests of others, however many wait."""
    for left in reversed(range(_WARM_UP_ATTEMPTS)):
        try:
            return await explorer.warm_up()
        except BusyError:
            if not left:
                raise
            await asyncio.sleep(_BETWEEN_ATTEMPTS_S)


def _close_if_unused(lease: _Lease) -> None:
    if lease.is_retired and lease.n_users == 0:
        lease.explorer.close()


@asynccontextmanager
async def looking_after(serving: Serving) -> AsyncIterator[None]:
    """Look every few seconds whether the bundles still lie where they were opened; requests see it by `presence`."""

    async def look() -> None:
        while True:
            # On a thread: where the disk does not answer, neither would the event loop.
            await asyncio.to_thread(serving.explorer.all_there)
            await asyncio.sleep(_BETWEEN_LOOKS_S)

    looking = asyncio.ensure_future(look())
    try:
        yield
    finally:
        looking.cancel()
        with suppress(asyncio.CancelledError):
            await looking


@contextmanager
def reload_on_signal(serving: Serving) -> Iterator[None]:
    """Look for a new bundle whenever the process gets SIGHUP; nothing off the main thread, or where there is none."""
    running: set[asyncio.Task[None]] = set()

    def on_signal() -> None:
        task = asyncio.ensure_future(_reload_quietly(serving))
        running.add(task)
        task.add_done_callback(running.discard)

    try:
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, on_signal)
    except (AttributeError, NotImplementedError, RuntimeError, ValueError):
        yield
        return
    try:
        yield
    finally:
        asyncio.get_running_loop().remove_signal_handler(signal.SIGHUP)


async def _reload_quietly(serving: Serving) -> None:
    with suppress(BundleRefusedError):  # it was logged
        await serving.reload()
