"""Bodies of requests that must be refused: no JSON, values that a field can never have, unknown fields and ids."""

import json
import math
import random
from collections.abc import Iterator
from typing import Any

from tests.faults.raw_http import JSON, request

_SURROGATE = "\ud800"

# Bodies that would be answered, by address.
_GOOD: dict[str, Any] = {
    "/api/v1/retrieve": {"query": [{"text": "a cat", "weight": 0.5}], "target": "dino", "limit": 3},
    "/api/v1/encode": {"text": "a cat", "streams": ["clip_txt"]},
    "/api/v1/heatmaps": {"caption": "a cat", "n_items": 1, "streams": ["dino"]},
    "/api/v1/latents/search": {"text": "a cat", "limit": 3},
    "/api/v1/latents/0/activation": {"text": "a cat"},
}


# For every field, what it can never be.
_WRONG: dict[str, tuple[object, ...]] = {
    "query": ("", "a cat", 0, {}, [], [[]], [None], [{}], [{"text": "a"}] * 17, {"text": "a"}),
    "text": (0, 1.5, True, [], {}, "", " \t\r\n", "x" * 501, ["a"], _SURROGATE, f"a {_SURROGATE} b"),
    "caption": (0, False, [], {}, "", "\u3000", "y" * 100_000, [["a"]], _SURROGATE),
    "weight": ("1", True, None, [], 0, 1e9, -101, math.nan, math.inf, -math.inf, 10**400, -(10**4000)),
    "target": (1, True, [], {}, "", "nobody", "../dino", "dino\x00", "z" * 81, _SURROGATE),
    "limit": (0, -1, 201, 2**63, -(2**64), 10**400, 1.5, "3", True, None, [], {}, math.nan, math.inf),
    "n_items": (0, -1, 25, 2**40, 1.5, "1", True, None, [], {}, math.nan, -math.inf),
    "streams": ([], "dino", {}, [1], [None], [[]], ["nobody"], ["clip_img", "nobody"], [_SURROGATE], [""]),
}
_UNKNOWN_TERMS: tuple[dict[str, object], ...] = (
    {"item_id": "nobody"},
    {"item_id": "../../etc/passwd"},
    {"item_id": "s000000\x00"},
    {"item_id": _SURROGATE},
    {"item_id": "i" * 201},
    {"upload_id": "0" * 24},
    {"upload_id": "0" * 65},
    {"upload_id": _SURROGATE},
    {"latent": 64},
    {"latent": -1},
    {"latent": 2**31},
    {"latent": 10**30},
    {"latent": 1.5},
    {"latent": "3"},
    {"latent": math.nan},
    {"latent": 1, "stream": "dino"},
    {"text": "a", "item_id": "s000000"},
    {"text": "a", "stream": "nobody"},
    {"text": "a", "stream": _SURROGATE},
)


def broken_json(rng: random.Random) -> Iterator[bytes]:
    """Bodies that are no JSON: cut, with bytes changed, with NUL or invalid UTF-8 in them, or nested without an end."""
    for address, body in _GOOD.items():
        text = json.dumps(body).encode()
        found: set[bytes] = set()
        while len(found) < 24:
            broken = bytearray(text[: rng.randrange(1, len(text))] if rng.random() < 0.4 else text)
            for _ in range(rng.randrange(1, 4)):
                broken[rng.randrange(len(broken))] = rng.randrange(256)
            if not _is_json(bytes(broken)):
                found.add(bytes(broken))
        found |= {b"", b"{", b"\x00", b"\xff\xfe", b"NaN ", b"nul", text + b"}", b"\xef\xbb\xbf\xef" + text, text * 2}
        found |= {b"[" * 50_000, b'{"query":' * 20_000, b"[" * 900 + b"]" * 900, b'{"a":' * 800 + b"1" + b"}" * 800}
        found |= {text.replace(b"a cat", b"a \xff\xfe cat"), text.replace(b"a cat", b"\xed\xa0\x80"), b"9" * 5000}
        yield from (request("POST", address, JSON, body=one) for one in sorted(found))


def wrong_types(rng: random.Random) -> Iterator[bytes]:
    """Bodies with a value that its field can never have, unknown fields, unknown ids."""
    for address, body in _GOOD.items():
        for field, values in _WRONG.items():
            for value in values:
                wrong = _with(body, field, value)
                if wrong is not None:
                    yield _posted(address, wrong)
        for name in ("limt", "", "__proto__", "constructor", "\x00", _SURROGATE, "x" * 3000, "é" * 40, "query.0"):
            yield _posted(address, {**body, name: 1})
        for other in (None, True, 7, "a cat", [], [body], math.nan):
            yield _posted(address, other)
    for term in _UNKNOWN_TERMS:
        yield _posted("/api/v1/retrieve", {"query": [term]})
        yield _posted("/api/v1/retrieve", {"query": [{"latent": 0}, term], "way": "backbone"})
    for where in (
        {"labels": ["nobody"]},
        {"split": "x"},
        {"labels": [_SURROGATE]},
        {"latents": [{"latent": 64}]},
        {"latents": 3},
    ):
        yield _posted("/api/v1/retrieve", {"query": [{"latent": 0}], "where": where})
    for above in (math.nan, -1, -math.inf, "0", None, True):
        where = {"latents": [{"latent": 0, "above": above}]}
        yield _posted("/api/v1/retrieve", {"query": [{"latent": 0}], "where": where})
    for place in (math.nan, math.inf, -0.1, 1.1, "0", None, True, 10**400):
        region = {"left": place, "top": 0, "right": 1, "bottom": 1}
        yield _posted("/api/v1/latents/search", {"item_id": "s000000", "region": region})
    for chosen in ({"latents": []}, {"latents": [-1]}, {"latents": [64]}, {"latents": [10**12]}, {"latents": [1.5]}):
        yield _posted("/api/v1/heatmaps", {**chosen, "n_items": 1})
    for layers in (0, -1, 1.5, "all", True, math.nan):
        yield _posted("/api/v1/heatmaps", {"caption": "a cat", "n_items": 1, "layers": layers})


def _with(body: Any, field: str, value: object) -> Any | None:
    """The body with another value of a field, at any depth; None where it has no such field."""
    if isinstance(body, list):
        inner = [_with(one, field, value) for one in body]
        return None if None in inner else inner
    if not isinstance(body, dict):
        return None
    if field in body:
        return {**body, field: value}
    for name, one in body.items():
        changed = _with(one, field, value)
        if changed:
            return {**body, name: changed}
    return None


def _posted(address: str, body: object) -> bytes:
    return request("POST", address, JSON, body=json.dumps(body).encode())


def _is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
