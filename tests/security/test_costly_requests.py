"""Small requests that once cost minutes or gigabytes."""

import asyncio
import io
import threading
import time
from types import SimpleNamespace

import pytest
from fastapi import UploadFile

from server import uploads as uploads_module
from server.page_queries import Named, terms_of
from server.refusals import BusyError
from server.schemas import Upload
from server.services.items import _first_sentence
from server.uploads import UploadStore
from sparc_core.errors import NotFoundError

QUICK_S = 1.0  # of CPU time; the quadratic way took minutes


def read(*written: str) -> list[Named]:
    """These terms, read by a page over a bundle without items and latents."""
    explorer = SimpleNamespace(latents=SimpleNamespace(names=[]), items=Items())
    given = SimpleNamespace(get=lambda _: None, getlist=lambda _: list(written))
    request = SimpleNamespace(query_params=given, state=SimpleNamespace(explorer=explorer))
    return terms_of(request)  # type: ignore[arg-type]


class Items:
    """No items."""

    def item(self, item_id: str) -> None:
        raise NotFoundError("item", item_id)


LONG = ["1" * 60_000, " " * 60_000, "+" + " " * 60_000, "1." * 30_000, "text@" + "@" * 60_000]


@pytest.mark.parametrize("written", LONG, ids=["digits", "blanks", "sign", "points", "stream"])
def test_long_terms_are_read_in_one_pass(written: str) -> None:
    begun = time.thread_time()
    assert read(written) == []
    assert time.thread_time() - begun < QUICK_S


def test_terms_are_bounded_in_number_and_weight() -> None:
    terms = read("-0.5 item@dino:s000001", "  2latent:3", ".25 text: a cat ", "9" * 400 + "text:x", *["text:x"] * 90)
    assert [(term.kind, term.value, term.weight) for term in terms[:3]] == [
        ("item", "s000001", -0.5),
        ("latent", "3", 2.0),
        ("text", "a cat", 0.25),
    ]
    assert len(terms) == 15, "16 are looked at, and one of them is none: no weight is infinite"


def test_captions_of_blanks_are_split_in_one_pass() -> None:
    begun = time.thread_time()
    assert _first_sentence("a cat" + " " * 100_000 + "x") == "a cat" + " " * 100_000 + "x"
    assert time.thread_time() - begun < QUICK_S
    assert _first_sentence("A cat . It sits. ") == "A cat"


def test_sent_pictures_are_decoded_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture of 40 million pixels is 150 kB as a file, and half a gigabyte while it is decoded."""
    running, most, lock = 0, 0, threading.Lock()

    def add(store: UploadStore, content: bytes) -> Upload:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.01)
        with lock:
            running -= 1
        return Upload(upload_id="x", width=1, height=1)

    async def many(n: int) -> list[Upload | BaseException]:
        store = UploadStore(1000, 1000)
        files = [UploadFile(io.BytesIO(b"x")) for _ in range(n)]
        return await asyncio.gather(*map(store.receive, files), return_exceptions=True)

    monkeypatch.setattr(UploadStore, "add", add)
    monkeypatch.setattr(uploads_module, "_MOST_WAITING", 5)
    answers = asyncio.run(many(10))
    assert most == 1
    assert sum(isinstance(one, Upload) for one in answers) == 6, "one is decoded, five wait"
    assert sum(isinstance(one, BusyError) for one in answers) == 4


def test_heads_are_bounded() -> None:
    from server.slow_heads import MOST_HEAD_BYTES, TimedHeads

    heads = TimedHeads.__new__(TimedHeads)
    heads.headers, heads.expect_100_continue, heads.url = [], False, b""
    heads.on_header(b"x", b"a" * (MOST_HEAD_BYTES - 1))
    with pytest.raises(ValueError, match="head is larger than 65536 bytes"):
        heads.on_header(b"x", b"a")
