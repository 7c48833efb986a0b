"""A real cluster of two nodes on this machine: separate Ray daemons that talk over loopback addresses."""

import os
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
# 127.0.0.1 itself would be taken for "the address that others see", another one; runs side by side have their own.
HEAD, SECOND = (f"127.{os.getpid() >> 8 & 255}.{os.getpid() & 255}.{number}" for number in (2, 3))
NODE: dict[str, Any] = {"num_cpus": 1, "object_store_memory": 100 * 2**20}
ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "PYTHONPATH": str(ROOT),  # workers import the tests' own towers
    "OMP_NUM_THREADS": "1",
    "GLOO_SOCKET_IFNAME": "lo",
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.3",
    "RAY_health_check_failure_threshold": "2",  # a dead node is noticed within seconds
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "2000",
}


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


MARKS = [
    pytest.mark.ray,
    pytest.mark.skipif(sys.platform != "linux", reason="two nodes need two loopback addresses, as Linux has them"),
    # Ray's own, about Ray's own settings and files
    pytest.mark.filterwarnings(r"ignore::DeprecationWarning:ray\."),
    pytest.mark.filterwarnings(r"ignore:unclosed file .*ray_client_server.*:ResourceWarning"),
    # Ray Data leaves its log file to the garbage collector, which may come at any moment, in any test
    pytest.mark.filterwarnings(r"ignore:unclosed file .*ray-data.*:ResourceWarning"),
    pytest.mark.filterwarnings(r"ignore:.*ray-data.*:pytest.PytestUnraisableExceptionWarning"),
]


@dataclass
class TwoNodes:
    """The cluster.

    Attributes:
        cluster: Its head stays.
        client_address: To connect to from outside, through Ray Client.
        second: The other node.
    """

    cluster: Any
    client_address: str
    second: Any = None

    @property
    def address(self) -> str:
        """To connect to."""
        return str(self.cluster.address)

    def complete(self) -> None:
        """Start the second node if it is not there."""
        if self.second is None:
            self.second = self.cluster.add_node(node_ip_address=SECOND, **NODE)

    def kill_second(self) -> None:
        """Kill the second node's daemon, and with it all its processes."""
        second, self.second = self.second, None
        self.cluster.remove_node(second, allow_graceful=False)


@pytest.fixture(scope="session")
def running_nodes() -> Iterator[TwoNodes]:
    """Two nodes for all tests."""
    cluster_utils = pytest.importorskip("ray.cluster_utils", reason='needs Ray: pip install "sparc-explorer[ray]"')
    import ray

    before = dict(os.environ)
    os.environ.update(ENVIRONMENT)
    cluster = cluster_utils.Cluster()
    try:
        port = free_port()
        head = {"node_ip_address": HEAD, "include_dashboard": False, "ray_client_server_port": port}
        cluster.add_node(**head, **NODE)
        yield TwoNodes(cluster, f"ray://{HEAD}:{port}")
    finally:
        ray.shutdown()
        cluster.shutdown()
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture
def nodes(running_nodes: TwoNodes) -> TwoNodes:
    """Two nodes, both alive."""
    running_nodes.complete()
    return running_nodes
