"""One running service over the tiny bundle, for all server tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient


@pytest.fixture(scope="session")
def client(tiny_bundle: Path) -> Iterator[TestClient]:
    from server.app import create_app
    from server.settings import Settings

    settings = Settings(bundle=tiny_bundle, threads=1, max_upload_bytes=300_000, device="cpu")
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        yield client
