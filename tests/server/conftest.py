"""One running service over the tiny bundle, the bundle and its towers, for all server tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from fastapi.testclient import TestClient

from server.explorer import Explorer
from server.services.towers import Towers
from sparc_core.bundle import Bundle
from tests.server.evaluated import full_evaluation, showing


@pytest.fixture(scope="session")
def client(tiny_bundle: Path) -> Iterator[TestClient]:
    from server.app import create_app
    from server.settings import Settings

    settings = Settings(bundle=tiny_bundle, threads=1, max_upload_bytes=300_000, device="cpu")
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="session")
def evaluated(tiny_bundle: Path) -> Iterator[tuple[TestClient, Explorer]]:
    """The same service with an evaluation made by hand, and its explorer."""
    from server.app import create_app, open_all
    from server.settings import Settings

    settings = Settings(bundle=tiny_bundle, threads=1, device="cpu")
    resources, explorer = open_all(settings)
    with showing(explorer, full_evaluation()), TestClient(create_app(settings, (resources, explorer))) as client:
        yield client, explorer


@pytest.fixture(scope="session")
def bundle(tiny_bundle: Path) -> Bundle:
    return Bundle.open(tiny_bundle)


@pytest.fixture(scope="session")
def towers(bundle: Bundle) -> Towers:
    """The models that the service has, for expected values."""
    return Towers(bundle, torch.device("cpu"))
