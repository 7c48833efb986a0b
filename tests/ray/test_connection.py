"""What a connection says when there is no cluster, or no Ray."""

import sys
from pathlib import Path

import pytest

pytest.importorskip("ray", reason='needs Ray: pip install "sparc-explorer[ray]"')

from index_build.engine import LocalEngine
from index_build.ray_engine import connected
from sparc_core.errors import InputError
from tests.build.build_fakes import load_fake
from tests.ray.conftest import MARKS, TwoNodes, free_port
from tests.ray.ray_fakes import Reports, Settings, shard_files, text_shards

pytestmark = MARKS


@pytest.mark.parametrize("prefix", ["", "ray://"])
def test_a_cluster_that_is_not_there_is_one_sentence(prefix: str, tmp_path: Path) -> None:
    address = f"{prefix}127.0.0.1:{free_port()}"
    with (
        pytest.raises(InputError, match=f"the Ray cluster is not reachable at {address} .*: start it with") as raised,
        connected(Settings(address), tmp_path),
    ):
        pytest.fail("connected to nothing")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("address", ["http://here:80", "host:port"])
def test_addresses_that_make_no_sense(address: str, tmp_path: Path) -> None:
    with (
        pytest.raises(InputError, match="use auto, HOST:PORT or ray://HOST:PORT"),
        connected(Settings(address), tmp_path),
    ):
        pytest.fail("connected to nothing")


def test_without_ray_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("index_build.ray_engine")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r'^Ray is not installed: pip install "sparc-explorer\[ray\]"$'):
        import index_build.ray_engine  # noqa: F401


@pytest.mark.slow
def test_a_client_that_the_cluster_fails_is_tried_again_and_leaves_no_trace(
    nodes: TwoNodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def fail(*_: object) -> None:
        asked.append(1)
        raise ConnectionAbortedError("Initialization failure from server:\nTraceback\nRuntimeError: no time")

    with monkeypatch.context() as failing:
        failing.setattr("ray.util.client.worker.Worker._server_init", fail)
        with (
            pytest.raises(InputError, match=r"no Ray cluster to join at .* \(RuntimeError: no time\)"),
            connected(Settings(nodes.client_address), tmp_path),
        ):
            pytest.fail("connected though the server failed")
    assert len(asked) == 2
    with connected(Settings(nodes.address), tmp_path):
        pass  # not through the client that failed


@pytest.mark.slow
def test_a_builder_outside_the_cluster_goes_through_ray_client(nodes: TwoNodes, tmp_path: Path) -> None:
    expected, reports = tmp_path / "expected", Reports()
    LocalEngine().extract(load_fake, text_shards(expected, 2, "fake:text"), Reports())
    with connected(Settings(nodes.client_address), tmp_path) as engine:
        engine.extract(load_fake, text_shards(tmp_path, 2, "fake:text"), reports)
    assert shard_files(tmp_path) == shard_files(expected)
    assert reports[-1] == (256, 256)
