"""Keys: made, written down as hashes, presented in three ways, and never told."""

import base64
import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.datastructures import Headers
from starlette.types import Message

from server.keys import ApiKeys, Client, new_key, presented_keys
from server.schemas import ErrorBody
from sparc_core.errors import InputError
from tests.server.small_app import small_client
from tests.server.test_worker import run

ROOT = Path(__file__).parents[2]
KEY, ADMIN_KEY = "ann-has-this-key", "root-has-this-key"


def digest_of(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.fixture
def keys_file(tmp_path: Path) -> Path:
    path = tmp_path / "keys"
    path.write_text(f"# who may ask\nann {digest_of(KEY)}\n\nroot   {digest_of(ADMIN_KEY).upper()}  admin # on call\n")
    return path


@pytest.fixture
def guarded(keys_file: Path) -> TestClient:
    return small_client(api_keys=keys_file)


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {KEY}"},
        {"Authorization": f"bearer  {KEY} "},
        {"X-API-Key": KEY},
        {"Authorization": basic("anybody", KEY)},
        {"Authorization": basic("", KEY)},
        {"Authorization": "Bearer wrong", "X-API-Key": KEY},
    ],
)
def test_a_key_may_come_in_three_ways(guarded: TestClient, headers: dict[str, str]) -> None:
    answer = guarded.get("/api/v1/me", headers=headers)
    assert answer.json() == {"name": "ann", "is_admin": False}


def test_administrators_are_marked(guarded: TestClient) -> None:
    assert guarded.get("/api/v1/me", headers={"X-API-Key": ADMIN_KEY}).json() == {"name": "root", "is_admin": True}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-API-Key": ""},
        {"X-API-Key": KEY.upper()},
        {"X-API-Key": digest_of(KEY)},
        {"Authorization": KEY},
        {"Authorization": f"Digest {KEY}"},
        {"Authorization": "Bearer"},
        {"Authorization": "Basic"},
        {"Authorization": "Basic !!!"},
        {"Authorization": basic(KEY, "")},
        {"Authorization": basic(KEY, "wrong")},
    ],
)
def test_without_a_known_key_nothing_is_told(guarded: TestClient, headers: dict[str, str]) -> None:
    for path in ("/api/v1/me", "/", "/metrics", "/openapi.json", "/static/small_app.py", "/nowhere", "/healthz/"):
        answer = guarded.get(path, headers=headers, follow_redirects=False)
        error = ErrorBody.model_validate(answer.json()).error
        assert (answer.status_code, error.code) == (401, "unauthorized"), path
        challenges = answer.headers.get_list("www-authenticate")
        assert challenges == ['Basic realm="SPARC Explorer", charset="UTF-8"', 'Bearer realm="SPARC Explorer"']
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["x-request-id"]


def test_the_body_of_a_stranger_is_not_read(guarded: TestClient) -> None:
    scope = {"type": "http", "method": "POST", "path": "/api/v1/size", "headers": [], "query_string": b""}
    sent = []

    async def receive() -> Message:
        raise AssertionError("the body was read")

    async def send(message: Message) -> None:
        sent.append(message)

    run(guarded.app(scope, receive, send))  # type: ignore[arg-type]
    assert sent[0]["status"] == 401
    assert guarded.post("/api/v1/size", content=bytes(10**8)).status_code == 401, "not 413: keys come first"


def test_health_is_open(guarded: TestClient) -> None:
    assert guarded.get("/healthz").json() == {"status": "ok"}
    assert guarded.get("/readyz").status_code == 503


def test_without_a_keys_file_clients_are_named_by_address() -> None:
    assert small_client().get("/api/v1/me").json() == {"name": "testclient", "is_admin": False}


@given(st.text(st.characters(max_codepoint=255), max_size=60))
def test_no_header_whatever_breaks_the_check(text: str) -> None:
    keys = ApiKeys([])
    for name in (b"authorization", b"x-api-key"):
        for value in (text, f"Basic {text}", f"Bearer {text}", basic("x", text)):
            headers = Headers(raw=[(name, value.encode("latin-1"))])
            assert keys.client_of(headers) is None
            assert all(isinstance(key, bytes) and key for key in presented_keys(headers))


@example("ann", "a:b")
@given(st.text(st.characters(codec="utf-8", exclude_characters=":"), max_size=20), st.text(min_size=1, max_size=40))
def test_the_password_of_basic_is_all_behind_the_first_colon(user: str, password: str) -> None:
    headers = Headers(raw=[(b"authorization", basic(user, password).encode())])
    assert presented_keys(headers) == [password.encode()]


@pytest.mark.parametrize(
    "line",
    [
        "ann",
        f"ann {digest_of(KEY)[:-1]}",
        f"ann {digest_of(KEY)} boss",
        f"ann {digest_of(KEY)} admin admin",
        f"an/n {digest_of(KEY)}",
        f"{'a' * 65} {digest_of(KEY)}",
        f"{digest_of(KEY)}",
        f"ann {KEY}",
    ],
)
def test_a_malformed_line_is_named_but_not_shown(keys_file: Path, line: str) -> None:
    keys_file.write_text(f"# keys\nann {digest_of(KEY)}\n{line}\n")
    with pytest.raises(InputError, match=r"line 3 of .* is no key: write") as caught:
        ApiKeys.read(keys_file)
    assert KEY not in str(caught.value)


def test_files_that_are_no_keys_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read .*nowhere \(setting api_keys\): No such file"):
        ApiKeys.read(tmp_path / "nowhere")
    with pytest.raises(InputError, match="Is a directory"):
        ApiKeys.read(Path(""))  # what an empty SPARC_API_KEYS means: closed, not open to everybody
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="it is not text"):
        ApiKeys.read(tmp_path / "binary")
    (tmp_path / "empty").write_text("# nobody yet\n")
    with pytest.raises(InputError, match="holds no key: make one with sparc-serve --new-key NAME"):
        ApiKeys.read(tmp_path / "empty")


def test_the_file_is_read_once(keys_file: Path) -> None:
    guarded = small_client(api_keys=keys_file)
    keys_file.write_text(f"bob {digest_of('another')}\n")
    assert guarded.get("/api/v1/me", headers={"X-API-Key": KEY}).status_code == 200


def test_a_new_key_is_good_for_its_line(tmp_path: Path) -> None:
    first, second = new_key("ann", is_admin=False), new_key("root", is_admin=True)
    (tmp_path / "keys").write_text(f"{first.line}\n{second.line}\n")
    keys = ApiKeys.read(tmp_path / "keys")
    assert keys.client_of(Headers({"x-api-key": first.key})) == Client("ann")
    assert keys.client_of(Headers({"x-api-key": second.key})) == Client("root", is_admin=True)
    assert len(base64.urlsafe_b64decode(first.key + "=")) == 32
    with pytest.raises(InputError, match='"a b" cannot name a key'):
        new_key("a b", is_admin=False)


def serve(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "server.cli", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)


def test_the_command_line_makes_keys() -> None:
    made = serve("--new-key", "ann", "--admin")
    key, line = made.stdout.splitlines()
    assert made.returncode == 0
    assert line == f"ann {digest_of(key)} admin"
    assert key not in made.stderr
    for arguments in (("--new-key", "a b"), ("--admin",)):
        refused = serve(*arguments)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert refused.stderr.startswith("sparc-serve: ")


def test_a_malformed_keys_file_ends_the_start(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("ann secret-key\n")
    ended = serve("--port", "0", SPARC_API_KEYS=str(tmp_path / "keys"))
    assert ended.returncode == 2
    assert ended.stderr.startswith("sparc-serve: line 1 of ")
    assert "secret-key" not in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
