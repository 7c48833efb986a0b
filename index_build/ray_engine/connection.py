"""Joining a cluster, or starting one on this machine: quietly, and with one sentence where it does not work."""

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import ray
import ray.data
import ray.train
from ray._private.log import PlainRayHandler
from ray.data import DataContext
from ray.util import client as ray_client
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from index_build.ray_engine.errors import unwrapped
from index_build.ray_engine.shared_folder import SharedFolder
from index_build.workers import n_cores
from sparc_core import __version__
from sparc_core.errors import InputError

_log = logging.getLogger(__name__)
_CONNECT_SECONDS = 10
_ANSWER_SECONDS = 120
_PORTS = {"": 6379, "ray": 10001}


@contextmanager
def connection(address: str | None) -> Iterator[None]:
    """Be connected for a while; a connection that this process has already is used and left alone.

    Args:
        address: "auto" is the cluster of this machine, HOST:PORT one that this machine is a node of; None starts one
            that ends with the connection.

    Raises:
        InputError: There is no cluster at the address.
    """
    if ray.is_initialized():
        yield
        return
    _connect(address)
    try:
        yield
    finally:
        ray.shutdown()


def _connect(address: str | None) -> None:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # a build asks no other host
    _be_quiet()
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address is None:
        ray.init("local", num_cpus=n_cores(), include_dashboard=False, **quiet)
        return
    if address != "auto":
        _require_listener(address)
    try:
        _join(address, quiet)
    except (ConnectionError, RuntimeError, ValueError, TimeoutError, OSError) as error:
        raise InputError(
            f"there is no Ray cluster to join at {address} ({_reason(error)}): run on a node of it and start it with "
            '"ray start --head", or leave the address out to use this machine'
        ) from None


def _join(address: str, quiet: dict[str, Any]) -> None:
    """Join; a cluster that could not start this client's server in time (Ray waits 30 s) is asked once more."""
    for last in (False, True):
        try:
            ray.init(address, **quiet)
            return
        except Exception as error:
            ray_client.ray.disconnect()  # a client that failed to connect would have every later ray.init go through it
            if last or not isinstance(error, ConnectionAbortedError):
                raise
            _log.info("asking the cluster again: %s", _reason(error))


def _reason(error: BaseException) -> str:
    """One line: of a server's traceback the last, which names the error."""
    lines = str(error).strip().splitlines()
    return lines[-1].strip() if lines else type(error).__name__


def _require_listener(address: str) -> None:
    """Find out within seconds; Ray itself would try for minutes and fill the terminal."""
    parts = urlsplit(address if "://" in address else f"//{address}")
    try:
        place = (parts.hostname or "", parts.port or _PORTS[parts.scheme])
    except (KeyError, ValueError):
        place = ("", 0)
    if parts.scheme not in _PORTS or not place[0]:
        raise InputError(f"address is {address!r}: use auto, HOST:PORT or ray://HOST:PORT")
    try:
        socket.create_connection(place, _CONNECT_SECONDS).close()
    except OSError as error:
        raise InputError(
            f"the Ray cluster is not reachable at {address} ({error.strerror or error}): start it with "
            '"ray start --head", or correct the address'
        ) from None


def _be_quiet() -> None:
    """Leave the terminal to the build's own display; Ray's logs stay in its session folder."""
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # a line on stderr for every Ray Data actor, else
    context = DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.enable_auto_log_stats = False
    for name in ("ray.data", "ray.train"):
        logger = logging.getLogger(name)
        for handler in [handler for handler in logger.handlers if isinstance(handler, PlainRayHandler)]:
            logger.removeHandler(handler)  # the terminal's; their files are others
    # Ray prints what raylets say of dying nodes, with pages of their state, whatever log_to_driver is.
    if hasattr(ray._private.worker, "print_to_stdstream"):
        ray._private.worker.print_to_stdstream = _print_nothing


def _print_nothing(data: dict[str, Any], ignore_prefix: bool) -> None:
    for line in data.get("lines", [])[:1]:
        _log.info("ray: %s", line.partition("\n")[0])


def require_workers(shared: SharedFolder) -> None:
    """Look from every node.

    Raises:
        InputError: A node does not see the folder, cannot import this package or has another version of it.
        ClusterError: A node does not answer.
    """
    look = ray.remote(num_cpus=0, max_retries=0)(_look)
    asked = []
    for node in ray.nodes():
        if node["Alive"]:
            there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            asked.append((node["NodeManagerAddress"], look.options(scheduling_strategy=there).remote(shared)))
    for place, answer in asked:
        try:
            version = unwrapped(f"looking from node {place}", partial(ray.get, answer, timeout=_ANSWER_SECONDS))
        except (ImportError, AttributeError) as error:
            raise InputError(f"node {place} cannot import this package ({error}): install it there too") from None
        if version != __version__:
            raise InputError(f"node {place} has version {version}, this is {__version__}: install the same everywhere")


def _look(shared: SharedFolder) -> str:
    shared.require()
    return __version__
