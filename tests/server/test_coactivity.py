"""Latents that are active together, against counts over whole arrays of codes."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from fastapi.testclient import TestClient

from server import schemas
from server.services import coactivity
from server.services.latents import Latents
from sparc_core.bundle import Bundle
from sparc_core.bundle.codes import Codes, pack_codes
from sparc_core.bundle.postings import read_postings
from tests.bundle.plain_postings import write_inverted
from tests.server.test_retrieval import items_dense

STREAMS = ["dino", "clip_img", "clip_txt"]


def coactive(client: TestClient, latent: int, **params: object) -> schemas.CoactiveLatents:
    answer = client.get(f"/api/v1/latents/{latent}/coactive", params=params)
    assert answer.status_code == 200, answer.text
    return schemas.CoactiveLatents.model_validate(answer.json())


@pytest.fixture(scope="module")
def active(bundle: Bundle) -> dict[str, np.ndarray]:
    """Whether each item activates each latent, by stream, under per-stream selection."""
    return {stream: items_dense(bundle, stream) > 0 for stream in STREAMS}


def jaccards(active: dict[str, np.ndarray], streams: Sequence[str], latent: int) -> np.ndarray:
    """The overlap with every latent, a mean over streams, one set of items at a time; 0 with itself."""
    found = np.zeros(64)
    for stream in streams:
        own = set(np.flatnonzero(active[stream][:, latent]))
        for other in range(64):
            its = set(np.flatnonzero(active[stream][:, other]))
            found[other] += len(own & its) / len(own | its) / len(streams) if own | its else 0
    found[latent] = 0
    return found


@pytest.mark.parametrize("stream", [None, *STREAMS])
def test_the_greatest_overlap_comes_first(
    client: TestClient, active: dict[str, np.ndarray], stream: str | None
) -> None:
    streams = STREAMS if stream is None else [stream]
    for latent in range(0, 64, 7):
        expected = jaccards(active, streams, latent)
        found = coactive(client, latent, limit=100, **({"stream": stream} if stream else {}))
        assert (found.latent, found.stream) == (latent, stream)
        assert {one.id for one in found.latents} == set(np.flatnonzero(expected).tolist()), (
            "no overlap is not among them"
        )
        assert [one.jaccard for one in found.latents] == pytest.approx(np.sort(expected)[::-1][: len(found.latents)])
        for one in found.latents:
            assert one.jaccard == pytest.approx(expected[one.id])
        n_active = sum(int(active[s][:, latent].sum()) for s in streams)
        assert (found.n_items, found.n_active) == (n_active, n_active)


def test_shares_and_lift_are_means_over_streams(
    client: TestClient, bundle: Bundle, active: dict[str, np.ndarray]
) -> None:
    for latent in (3, 40):
        found = coactive(client, latent, limit=5)
        assert found.latents
        for one in found.latents:
            together = np.mean([active[s][active[s][:, latent]][:, one.id].mean() for s in STREAMS])
            density = np.mean([active[s][:, one.id].mean() for s in STREAMS])
            assert one.together == pytest.approx(together)
            assert one.lift == pytest.approx(together / density)
            assert one.name == bundle.latents.name[one.id]


def test_the_limit_cuts_the_list_short(client: TestClient) -> None:
    many = coactive(client, 3, limit=30)
    assert coactive(client, 3).latents == many.latents[:8]
    assert coactive(client, 3, limit=1).latents == many.latents[:1]


def test_of_long_posting_lists_an_even_part_is_looked_at_and_scaled_up(
    client: TestClient, bundle: Bundle, active: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    latent = int(active["dino"].sum(0).argmax())
    posting = bundle.local_postings("dino").of(latent).items.tolist()
    n, looked_at = len(posting), 10
    assert n > 3 * looked_at
    rows = [posting[place * n // looked_at] for place in range(looked_at)]
    monkeypatch.setattr(coactivity, "_MOST_ITEMS", looked_at)
    found = coactive(client, latent, stream="dino", limit=100)
    assert (found.n_items, found.n_active) == (looked_at, n)
    seen = active["dino"][rows].sum(0)
    seen[latent] = 0
    assert {one.id for one in found.latents} == set(np.flatnonzero(seen).tolist())
    for one in found.latents:
        size = int(active["dino"][:, one.id].sum())
        both = min(seen[one.id] * n / looked_at, size, n)
        assert one.jaccard == pytest.approx(both / (n + size - both))
        assert one.together == pytest.approx(both / n)


# Four items: in "eye" latent 0 is active on three, 1 on two of them, 2 on the last; in "text" 1 and 2 are, on two each.
EYE = [[0, 1], [0, 1], [0], [2]]
WORDS = [[1], [1, 2], [2], []]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> coactivity.Coactivity:
    folder = tmp_path_factory.mktemp("coactive")
    codes = {stream: codes_of(rows) for stream, rows in (("eye", EYE), ("text", WORDS))}
    for stream, own in codes.items():
        write_inverted(own, 4, folder / stream)
    bundle = SimpleNamespace(
        manifest=SimpleNamespace(streams=[SimpleNamespace(name=stream) for stream in codes]),
        items=EYE,
        codes=lambda stream, _: codes[stream],
        local_postings=lambda stream: read_postings(folder / stream, 4),
    )
    latents = SimpleNamespace(check=lambda _: None, name=str)
    return coactivity.Coactivity(cast(Bundle, bundle), cast(Latents, latents))


def codes_of(rows: list[list[int]]) -> Codes:
    """Codes of width 2, with unused slots."""
    latents = np.array([row + [0] * (2 - len(row)) for row in rows])
    return pack_codes(latents, np.array([[1.0] * len(row) + [0.0] * (2 - len(row)) for row in rows]), 4)


def numbers(one: schemas.CoactiveLatent) -> tuple[float, float, float]:
    return one.jaccard, one.together, one.lift


def test_a_stream_in_which_it_is_silent_counts_in_the_mean_overlap_alone(small: coactivity.Coactivity) -> None:
    (one,) = small.of(0, schemas.CoactiveQuery()).latents
    # In "eye" 2 of 3 items are shared; in "text" none, and latent 0 has none there of which shares could be.
    assert (one.id, numbers(one)) == (1, pytest.approx((1 / 3, 2 / 3, 4 / 3)))
    (one,) = small.of(0, schemas.CoactiveQuery(stream="eye")).latents
    assert numbers(one) == pytest.approx((2 / 3, 2 / 3, 4 / 3))
    first, second = small.of(1, schemas.CoactiveQuery()).latents
    assert (first.id, numbers(first)) == (0, pytest.approx((1 / 3, 1 / 2, 4 / 3)))
    assert (second.id, numbers(second)) == (2, pytest.approx((1 / 6, 1 / 4, 2 / 3)))


def test_unused_slots_of_codes_are_no_latent(small: coactivity.Coactivity) -> None:
    assert small.of(2, schemas.CoactiveQuery(stream="eye")).latents == []


def test_no_more_is_shared_than_the_other_has(small: coactivity.Coactivity, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coactivity, "_MOST_ITEMS", 1)
    found = small.of(0, schemas.CoactiveQuery(stream="eye"))
    assert (found.n_items, found.n_active) == (1, 3)
    # Seen on the one item, so on about three; but latent 1 has only two.
    assert numbers(found.latents[0]) == pytest.approx((2 / 3, 2 / 3, 4 / 3))


@pytest.mark.parametrize(("latent", "stream"), [(3, None), (3, "eye"), (0, "text")])
def test_a_latent_that_is_never_active_has_no_company(
    small: coactivity.Coactivity, latent: int, stream: str | None
) -> None:
    found = small.of(latent, schemas.CoactiveQuery(stream=stream))
    assert (found.latents, found.n_items, found.n_active) == ([], 0, 0)


def test_unknown_latents_and_streams_are_said(client: TestClient) -> None:
    for path, code in (("64/coactive", "latent_not_found"), ("3/coactive?stream=nope", "stream_not_found")):
        answer = client.get(f"/api/v1/latents/{path}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, code)
    assert client.get("/api/v1/latents/3/coactive?limit=0").status_code == 422
