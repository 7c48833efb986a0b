"""Jobs that raise, hang, or ask for more memory than there is."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.faults.server_process import ServerProcess, Start

pytestmark = pytest.mark.xdist_group("server faults")

DEADLINE_S = 4


@pytest.fixture(scope="module")
def faults(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of what `server_parent.sabotage` reads."""
    return tmp_path_factory.mktemp("faults")


@pytest.fixture(scope="module")
def sabotaged(start_server: Start, faults: Path) -> ServerProcess:
    return start_server(faults=faults, deadline_s=str(DEADLINE_S), reading_cache_bytes="0")


@pytest.fixture
def asking(sabotaged: ServerProcess) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=sabotaged.address, timeout=60) as client:
        yield client


def encode(client: httpx.Client, text: str, **headers: str) -> httpx.Response:
    return client.post("/api/v1/encode", json={"text": text}, headers=headers)


class Together:
    """Requests sent by threads at the same time."""

    def __init__(self, client: httpx.Client, texts: list[str]) -> None:
        self.answers: dict[str, httpx.Response] = {}
        self._threads = [threading.Thread(target=self._ask, args=(client, text)) for text in texts]
        for thread in self._threads:
            thread.start()

    def _ask(self, client: httpx.Client, text: str) -> None:
        self.answers[text] = encode(client, text)

    def wait(self) -> dict[str, httpx.Response]:
        for thread in self._threads:
            thread.join(60)
        return self.answers


def behind_a_gate(
    server: ServerProcess, client: httpx.Client, faults: Path, name: str, texts: list[str]
) -> dict[str, httpx.Response]:
    """Answers to texts that waited at the same time, so that they were computed together."""
    first = Together(client, [f"hang {name}"])
    server.wait_for(lambda: server.metric("sparc_busy_seconds", worker="device") > 0)
    others = Together(client, texts)
    server.wait_for(lambda: server.metric("sparc_queue_depth", worker="device") == 1 + len(texts))
    (faults / name).touch()
    return first.wait() | others.wait()


def error_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_one_that_explodes_does_not_harm_its_neighbours(
    sabotaged: ServerProcess, asking: httpx.Client, faults: Path
) -> None:
    alone = {text: encode(asking, text).json()["codes"] for text in ("a red car", "a cat", "a dog")}
    answers = behind_a_gate(sabotaged, asking, faults, "batch", [*alone, "explode"])
    for text, codes in alone.items():
        assert answers[text].status_code == 200, answers[text].text
        assert latents(answers[text].json()["codes"]) == latents(codes)
    assert error_of(answers["explode"]) == (500, "internal_error")
    assert "secret" not in answers["explode"].text
    assert sabotaged.said().count("\n  RuntimeError: a secret of the inside") == 1, "the log says it, once"


def latents(codes: dict[str, list[dict[str, Any]]]) -> dict[str, list[int]]:
    return {stream: [one["latent"] for one in code] for stream, code in codes.items()}


def test_one_that_hangs_costs_only_those_that_need_its_worker(
    sabotaged: ServerProcess, asking: httpx.Client, faults: Path
) -> None:
    begun = time.monotonic()
    hanging = encode(asking, "hang for-long", **{"X-Deadline-Ms": "300"})
    assert error_of(hanging) == (503, "busy")
    assert hanging.headers["retry-after"] == "2"
    behind = encode(asking, "a cat", **{"X-Deadline-Ms": "300"})
    assert error_of(behind) == (503, "busy")
    assert time.monotonic() - begun < DEADLINE_S, "at their own deadlines"
    assert asking.post("/api/v1/retrieve", json={"query": [{"item_id": "s000003"}]}).status_code == 200
    for path in ("/", "/latents/3", "/api/v1/items/s000003", "/api/v1/items/s000003/image", "/healthz"):
        assert asking.get(path).status_code == 200, path
    sabotaged.wait_for(lambda: asking.get("/readyz").status_code == 503)
    assert time.monotonic() - begun > DEADLINE_S - 0.5
    assert error_of(asking.get("/readyz")) == (503, "stuck")
    assert sabotaged.metric("sparc_busy_seconds", worker="device") > DEADLINE_S
    (faults / "for-long").touch()
    sabotaged.wait_for(lambda: asking.get("/readyz").status_code == 200)
    assert encode(asking, "a cat").status_code == 200


def test_batches_are_halved_until_they_fit(sabotaged: ServerProcess, asking: httpx.Client, faults: Path) -> None:
    texts = ["a red car", "a cat in the snow", "two dogs"]
    alone = {text: encode(asking, text).json()["codes"] for text in texts}
    (faults / "fits").write_text("2")
    try:
        answers = behind_a_gate(sabotaged, asking, faults, "halves", texts)
    finally:
        (faults / "fits").unlink()
    for text in texts:
        assert latents(answers[text].json()["codes"]) == latents(alone[text])
    assert "inputs at once: they are computed in halves" in sabotaged.said()


def test_what_does_not_fit_alone_is_refused_in_words(
    sabotaged: ServerProcess, asking: httpx.Client, faults: Path
) -> None:
    (faults / "fits").write_text("0")
    try:
        answer = encode(asking, "a cat")
    finally:
        (faults / "fits").unlink()
    assert error_of(answer) == (503, "out_of_memory")
    assert answer.headers["retry-after"] == "10"
    assert "SPARC_DEVICE=cpu" in answer.json()["error"]["message"]
    assert "CUDA" not in answer.text
    assert encode(asking, "a cat").status_code == 200
