"""Over a thousand malformed requests and uploads, from one seed, against the real service on a real socket.

tests/server/test_fuzz.py makes up what the API's description allows and forbids; here is what no client would send.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, cast

import pytest
from fastapi import Request

from benchmarks.process_watch import Footprint, footprint
from server.refusals import ClientGoneError
from server.routes.common import unless_gone
from sparc_core.errors import NotFoundError
from tests.faults import bad_addresses, bad_bodies, bad_pictures, bad_protocol
from tests.faults.raw_http import CLOSED, RawAnswer, ask
from tests.faults.server_process import ServerProcess, Start

_SEED = 0
_FILE = 'Content-Disposition: form-data; name="file"; filename="a"'
_REFUSED = {
    "broken JSON": bad_bodies.broken_json,
    "wrong types": bad_bodies.wrong_types,
    "broken forms": bad_protocol.broken_forms,
    "wrong parameters": bad_addresses.wrong_parameters,
    "wrong paths": bad_addresses.wrong_paths,
    "wrong heads": bad_addresses.wrong_heads,
}
_PROTOCOL = {"smuggling": bad_protocol.smuggling, "garbage": bad_protocol.garbage}
_PICTURES: dict[str, Callable[[], Iterable[bytes]]] = {
    "mutated": lambda: bad_pictures.mutated(random.Random(_SEED)),
    "refused": bad_pictures.refused,
    "oddities": bad_pictures.oddities,
}
_CUT_OFF = "cut off"

pytestmark = [
    pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="memory is read from Linux's /proc"),
    pytest.mark.xdist_group("server faults"),  # one ordeal for all
]


class Case(NamedTuple):
    """One request, and which family it is of."""

    family: str
    request: bytes


class Ordeal(NamedTuple):
    """The service after all requests, what it answered, and what it held after half of them and after all."""

    server: ServerProcess
    answers: dict[str, list[tuple[bytes, RawAnswer]]]
    half: Footprint
    whole: Footprint


@cache
def cases() -> list[Case]:
    """All of them, mixed, each once."""
    found = [
        Case(family, one)
        for family, make in (*_REFUSED.items(), *_PROTOCOL.items(), (_CUT_OFF, bad_protocol.cut_off))
        for one in make(random.Random(_SEED))
    ]
    found += [Case(name, bad_protocol.form(one, _FILE)) for name, make in _PICTURES.items() for one in make()]
    found = list({case.request: case for case in found}.values())
    random.Random(_SEED).shuffle(found)
    return found


@pytest.fixture(scope="module")
def ordeal(start_server: Start) -> Ordeal:
    # A megabyte of uploads is full after a few: what is kept beyond it would be a leak.
    server = start_server(upload_cache_bytes="1000000")
    answers: dict[str, list[tuple[bytes, RawAnswer]]] = {}
    footprints, everything = [], cases()
    for part in (everything[: len(everything) // 2], everything[len(everything) // 2 :]):
        for family, request in part:
            answers.setdefault(family, []).append((request, ask(server.port, request, end=family == _CUT_OFF)))
        time.sleep(0.2)  # connections that were closed on this side are closed on the other, too
        footprints.append(footprint(server.pid))
    return Ordeal(server, answers, *footprints)


def shown(wrong: list[tuple[bytes, RawAnswer]]) -> str:
    return "\n".join(f"{answer.status} {answer.body[:120]!r} to {request[:300]!r}" for request, answer in wrong[:10])


def test_there_are_a_thousand_and_no_two_alike() -> None:
    everything = [case.request for case in cases()]
    assert len(everything) == len(set(everything)) >= 1000


@pytest.mark.parametrize("family", [*_REFUSED, "refused"])
def test_what_reaches_the_service_is_refused_with_the_one_error_body(ordeal: Ordeal, family: str) -> None:
    def is_refusal(request: bytes, answer: RawAnswer) -> bool:
        is_page = b"text/html" in request and b"<html" in answer.body
        is_empty = request.startswith(b"HEAD ") and not answer.body
        is_said = answer.code is not None or is_page or is_empty
        return 400 <= answer.status < 500 and is_said and "x-request-id" in answer.headers

    wrong = [pair for pair in ordeal.answers[family] if not is_refusal(*pair)]
    assert not wrong, shown(wrong)


@pytest.mark.parametrize("family", _PROTOCOL)
def test_what_is_no_http_is_refused_before_it_reaches_the_service(ordeal: Ordeal, family: str) -> None:
    """Two lengths are never understood as one of them: what follows would be another client's request."""
    allowed = {CLOSED, 400, 404, 405}
    wrong = [(request, answer) for request, answer in ordeal.answers[family] if answer.status not in allowed]
    assert not wrong, shown(wrong)
    if family == "smuggling":
        assert {answer.status for _, answer in ordeal.answers[family]} <= {CLOSED, 400}


def test_who_leaves_in_the_middle_gets_nothing(ordeal: Ordeal) -> None:
    wrong = [(request, answer) for request, answer in ordeal.answers[_CUT_OFF] if answer.status != CLOSED]
    assert not wrong, shown(wrong)


def test_mutated_pictures_are_refused_or_still_pictures(ordeal: Ordeal) -> None:
    """Decoders overlook much: a changed pixel or comment, a tail. Such a file is a picture: accepting it is right."""
    wrong = [
        (request, answer)
        for request, answer in ordeal.answers["mutated"]
        if not (answer.status == 200 or (answer.status in (413, 422) and answer.code))
    ]
    assert not wrong, shown(wrong)
    counts = Counter(answer.status for _, answer in ordeal.answers["mutated"])
    assert counts[422] > 100, counts
    assert counts[200] > 50, counts


def test_odd_pictures_are_accepted(ordeal: Ordeal) -> None:
    wrong = [(request, answer) for request, answer in ordeal.answers["oddities"] if answer.status != 200]
    assert not wrong, shown(wrong)


def test_the_service_is_as_well_as_before(ordeal: Ordeal) -> None:
    log = ordeal.server.said()
    assert "Traceback" not in log, log[log.index("Traceback") - 300 :][:3000]
    assert " ERROR " not in log
    assert ordeal.server.exit_code(0) is None
    assert ordeal.server.status("/readyz") == 200
    half, whole = ordeal.half, ordeal.whole
    assert whole.handles <= half.handles + 2, (half, whole)
    assert whole.threads <= half.threads + 2, (half, whole)
    assert whole.own <= 1.03 * half.own, (half, whole)


def test_work_that_fails_while_it_is_given_up_is_no_error() -> None:
    """Its client has gone, and nobody would read why: nothing must be left for the event loop to complain about."""

    class Leaving:
        async def receive(self) -> dict[str, str]:
            return {"type": "http.disconnect"}

    async def failing() -> None:
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            raise NotFoundError("latent", "there is no latent 64") from None

    async def leave() -> list[dict[str, Any]]:
        complaints: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        with pytest.raises(ClientGoneError):
            await unless_gone(cast(Request, Leaving()), failing())
        return complaints

    assert asyncio.run(leave()) == []
