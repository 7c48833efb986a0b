"""Keys: compared in a time that says nothing, and told nowhere. How they are used: `tests/server/test_keys.py`."""

import hashlib
import hmac
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from starlette.datastructures import Headers

from server import keys as keys_module
from server.keys import ApiKeys
from server.logs import configure_logs
from server.settings import Settings
from tests.server.small_app import small_client
from tests.server.test_logs import stderr

__all__ = ["stderr"]

KEYS = ("first-key", "second-key", "third-key")


@pytest.fixture
def keys_file(tmp_path: Path) -> Path:
    path = tmp_path / "keys"
    path.write_text("".join(f"{key[:5]} {hashlib.sha256(key.encode()).hexdigest()}\n" for key in KEYS))
    return path


@pytest.mark.parametrize("given", [*KEYS, "first-kez", "f", "x" * 10_000])
def test_a_key_is_compared_with_every_known_one(keys_file: Path, given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashes of one length, all of them, by the function whose time does not depend on what they share."""
    compared = []

    def counting(known: bytes, digest: bytes) -> bool:
        compared.append((len(known), len(digest)))
        return hmac.compare_digest(known, digest)

    monkeypatch.setattr(keys_module, "hmac", SimpleNamespace(compare_digest=counting))
    client = ApiKeys.read(keys_file).client_of(Headers({"x-api-key": given}))
    assert (client is not None) == (given in KEYS)
    assert compared == [(32, 32)] * len(KEYS)


@pytest.mark.parametrize("format_", ["text", "json"])
def test_no_key_is_told_anywhere(stderr: Callable[[], str], keys_file: Path, format_: str) -> None:
    configure_logs(format_, "debug")  # type: ignore[arg-type]
    client = small_client(api_keys=keys_file, rate_limit="3/hour")
    told = []
    for key in (KEYS[0], "wrong-key"):
        for headers in ({"X-API-Key": key}, {"Authorization": f"Bearer {key}"}):
            for path in ("/api/v1/me", "/nowhere", "/api/v1/explode", "/metrics"):
                answer = client.get(path, headers=headers)
                told += [answer.text, str(answer.headers)]
    written = stderr()
    assert "RuntimeError" in written, "the exception was logged, with its frames"
    for key in (KEYS[0], "wrong-key", hashlib.sha256(KEYS[0].encode()).hexdigest()):
        assert key not in written
        assert not [text for text in told if key in text]


def test_settings_hold_no_key(keys_file: Path) -> None:
    settings = Settings(_env_file=None, api_keys=keys_file)  # type: ignore[call-arg]
    assert not [key for key in KEYS if key in repr(settings) + str(settings.model_dump())]
