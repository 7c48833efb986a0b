"""Windows of the gallery, filters by number and lasso, the map, and pairs of streams, against plain loops."""

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient

from server import schemas
from server.schemas.lasso import corners_of
from server.services.latent_filters import inside
from server.services.latent_map import rounded
from sparc_core.bundle import Bundle
from tests.server.test_latents import page
from tests.server.test_retrieval import items_dense

STREAMS = ("dino", "clip_img", "clip_txt")
EVERYWHERE = "-1.1,-1.1;1.1,-1.1;1.1,1.1;-1.1,1.1"


def mapped(client: TestClient, **params: object) -> schemas.LatentMap:
    answer = client.get("/api/v1/latents/map", params=params)
    assert answer.status_code == 200, answer.text
    return schemas.LatentMap.model_validate(answer.json())


def paired(client: TestClient, **params: object) -> schemas.LatentPairs:
    answer = client.get("/api/v1/latents/pairs", params=params)
    assert answer.status_code == 200, answer.text
    return schemas.LatentPairs.model_validate(answer.json())


def refusal(client: TestClient, path: str, **params: object) -> tuple[int, str]:
    answer = client.get(f"/api/v1/latents{path}", params=params)
    return answer.status_code, answer.json()["error"]["message"]


@pytest.fixture(scope="module")
def rows(bundle: Bundle) -> list[dict[str, Any]]:
    """The table as it is on disk, a row per latent."""
    found: list[dict[str, Any]] = pq.read_table(bundle.path / "latents.parquet").to_pylist()
    return found


@pytest.fixture(scope="module")
def with_dead(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The bundle with two of its latents dead: without a place, active nowhere."""
    folder = tmp_path_factory.mktemp("dead") / "bundle"
    folder.mkdir()
    for path in bundle.path.iterdir():
        if path.name != "latents.parquet":
            (folder / path.name).symlink_to(path)
    write_with_dead(bundle.path / "latents.parquet", folder / "latents.parquet", {5, 60})
    return Bundle(folder, bundle.manifest)


def write_with_dead(source: Path, target: Path, dead: set[int]) -> None:
    table = pq.read_table(source)
    values = table.to_pylist()
    for row in values:
        if row["latent"] in dead:
            row |= {"alive": "none", "n_alive_streams": 0, "map_x": None, "map_y": None}
    pq.write_table(type(table).from_pylist(values, schema=table.schema), target)


# Windows of the gallery


@pytest.mark.parametrize("sort", ["alignment", "density", "id"])
def test_a_window_anywhere_is_that_part_of_the_whole_order(client: TestClient, sort: str) -> None:
    whole = page(client, sort=sort, min_density=0.001)
    for start, limit in ((0, 7), (13, 9), (len(whole.latents) - 3, 20)):
        window = page(client, sort=sort, min_density=0.001, start=start, limit=limit)
        assert window.latents == whole.latents[start : start + limit]
        assert (window.total, window.counts) == (whole.total, whole.counts)
        assert (window.next_cursor is None) == (start + limit >= whole.total)


def test_each_latent_of_a_page_shows_its_own_strongest_items(client: TestClient, bundle: Bundle) -> None:
    for latent in page(client, start=20, limit=30).latents:
        for stream in STREAMS:
            codes = bundle.codes(stream)
            activations = np.where(codes.latents == latent.id, codes.activations, 0).max(1)
            strongest = np.lexsort((np.arange(200), -activations))[:6]
            rows = [int(row) for row in strongest if activations[row] > 0]
            assert latent.strips[stream] == [bundle.items[row].item_id for row in rows]
            if stream == "clip_txt":
                assert latent.captions == {stream: [bundle.items[row].caption for row in rows[:2]]}


def test_a_window_past_the_end_is_empty_and_knows_how_many_there_are(client: TestClient) -> None:
    for start in (64, 65, 2**31 - 1):
        window = page(client, start=start)
        assert (window.latents, window.total, window.next_cursor) == ([], 64, None)


def test_the_cursor_after_a_window_goes_on_where_it_ended(client: TestClient) -> None:
    window = page(client, start=10, limit=5)
    assert page(client, cursor=window.next_cursor, limit=5).latents == page(client, start=15, limit=5).latents


def test_a_page_begins_at_a_cursor_or_at_a_position(client: TestClient) -> None:
    cursor = page(client, limit=5).next_cursor
    status, message = refusal(client, "", cursor=cursor, start=5)
    assert status == 422
    assert message == "cursor and start both say where the page begins: give one of them"
    assert refusal(client, "", start=-1)[0] == 422


def test_the_page_after_a_window_keeps_no_start_in_browsers_without_scripts(client: TestClient) -> None:
    html = client.get("/", params={"start": 3}).text
    assert "start=3&amp;cursor" not in html
    assert "cursor=" in html


# Filters


def test_only_the_latents_that_are_named(client: TestClient) -> None:
    found = page(client, ids=[40, 3, 17, 3, 900], sort="id")
    assert [latent.id for latent in found.latents] == [3, 17, 40]
    by_density = [latent.id for latent in page(client, sort="density").latents if latent.id in (3, 17, 40)]
    assert [latent.id for latent in page(client, ids=[40, 3, 17], sort="density").latents] == by_density
    assert page(client, ids=[900]).total == 0
    assert refusal(client, "", ids=list(range(201)))[0] == 422
    assert refusal(client, "", ids=[-1])[0] == 422


def crossings(corners: list[tuple[float, float]], x: float, y: float) -> int:
    """How often a ray upwards from a point crosses a closed line: the other direction than the code under test."""
    n = 0
    for (x1, y1), (x2, y2) in pairwise([*corners, corners[0]]):
        if min(x1, x2) <= x < max(x1, x2):
            n += y1 + (x - x1) / (x2 - x1) * (y2 - y1) > y
    return n


@pytest.mark.parametrize("seed", range(5))
def test_a_lasso_holds_what_a_ray_leaves_an_odd_number_of_times(
    client: TestClient, rows: list[dict[str, Any]], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    # Corners at random cross themselves: what is surrounded twice is outside.
    corners = [(float(x), float(y)) for x, y in rng.uniform(-1, 1, (9, 2)).round(3)]
    expected = {row["latent"] for row in rows if crossings(corners, row["map_x"], row["map_y"]) % 2}
    assert 0 < len(expected) < 64
    lasso = ";".join(f"{x},{y}" for x, y in corners)
    assert {latent.id for latent in page(client, lasso=lasso).latents} == expected
    assert set(mapped(client, lasso=lasso).ids) == expected


def test_points_of_a_square_and_points_without_a_place() -> None:
    square = corners_of("0,0; 1,0 ;1,1;0,1e0")
    x, y = np.array([0.5, 1.5, -0.5, 0.5, np.nan]), np.array([0.5, 0.5, 0.5, -0.1, 0.5])
    assert inside(square, x, y).tolist() == [True, False, False, False, False]
    flat = corners_of("0,1;1,1;0.5,1.00000000000000000001")
    assert not inside(flat, x, y).any()


@pytest.mark.parametrize(
    "lasso",
    [
        "", "0,0;1,1", ";;", "0,0;1,1;", "0,0;1,1;a,b", "0,0;1,1;1", "0,0;1,1;1,2,3", "0,0;1,1;nan,0", "0,0;1,1;inf,0",
        "0,0;1,1;2.1,0", "0,0;1,1;0x1,0", "0,0;1,1;0_1,0", "0,0;1,1;٣,0", ";".join(["0,0"] * 65), "0,0;" * 400,
    ],
)  # fmt: skip
def test_a_lasso_that_is_none_is_refused_in_one_sentence(client: TestClient, lasso: str) -> None:
    status, message = refusal(client, "/map", lasso=lasso)
    assert status == 422
    assert message.startswith("lasso: ") or message.startswith("lasso has ")
    assert "\n" not in message


def test_sixty_four_corners_are_a_lasso(client: TestClient) -> None:
    around = ";".join(
        f"{2 * math.cos(turn / 64 * 6.28):.3f},{2 * math.sin(turn / 64 * 6.28):.3f}" for turn in range(64)
    )
    assert page(client, lasso=around).total == 64


# The map


def test_the_map_has_every_place_of_the_table(client: TestClient, bundle: Bundle, rows: list[dict[str, Any]]) -> None:
    found = mapped(client)
    assert found.stream == "dino"
    assert found.ids == [row["latent"] for row in rows if row["map_x"] is not None]
    assert found.unplaced == 64 - len(found.ids)
    for place, latent in enumerate(found.ids):
        row, density = rows[latent], np.mean([rows[latent][f"density_{s}"] for s in STREAMS])
        assert found.names[place] == row["name"]
        assert (found.x[place], found.y[place]) == pytest.approx((row["map_x"], row["map_y"]), abs=6e-5)
        assert found.density[place] == pytest.approx(density, rel=6e-4)
        for name in ("alignment", "purity"):
            assert getattr(found, name)[place] == (None if row[name] is None else pytest.approx(row[name], abs=6e-5))


@pytest.mark.parametrize("stream", STREAMS)
def test_the_map_names_each_latent_s_strongest_item(client: TestClient, bundle: Bundle, stream: str) -> None:
    codes = bundle.codes(stream)
    found = mapped(client, stream=stream)
    for latent, item in zip(found.ids, found.items, strict=True):
        activations = np.where(codes.latents == latent, codes.activations, 0).max(1)
        assert item == (bundle.items[int(activations.argmax())].item_id if activations.any() else None)


def test_numbers_have_four_digits() -> None:
    values = np.array([0.123456, -0.00012345678, 1.0, 0.0, 0.99999, 1e-9, np.nan], np.float32)
    assert rounded(values)[:-1].tolist() == [0.1235, -0.0001235, 1.0, 0.0, 1.0, 1e-9]
    assert np.isnan(rounded(values)[-1])


def test_the_map_is_filtered_as_the_gallery(client: TestClient) -> None:
    for params in (
        {"min_alignment": 0.2},
        {"query": "cat"},
        {"active_in": "dino", "silent_in": "clip_txt"},
        {"ids": 9},
    ):
        assert mapped(client, **params).ids == [latent.id for latent in page(client, sort="id", **params).latents]


def test_dead_latents_have_no_place_and_no_lasso_holds_them(with_dead: Bundle) -> None:
    from server.services.latent_columns import LatentColumns
    from server.services.latent_filters import LatentFilters
    from server.services.latent_map import LatentMaps

    columns = LatentColumns(with_dead)
    filters = LatentFilters(columns)
    maps = LatentMaps(with_dead, columns, filters)
    assert filters.matching(schemas.LatentFilter(alive=schemas.Alive.dead)).tolist() == [5, 60]
    assert filters.matching(schemas.LatentFilter(lasso=EVERYWHERE)).tolist() == [
        i for i in range(64) if i not in (5, 60)
    ]
    everything = maps.map(schemas.LatentMapQuery())
    assert everything.unplaced == 2
    assert not {5, 60} & set(everything.ids)
    dead = maps.map(schemas.LatentMapQuery(alive=schemas.Alive.dead))
    assert (dead.ids, dead.names, dead.unplaced) == ([], [], 2)


# Pairs of streams


@pytest.mark.parametrize(("first", "second"), [("dino", "clip_txt"), ("clip_txt", "dino"), ("clip_img", "clip_txt")])
def test_pairs_are_densities_and_overlap_under_per_stream_selection(
    client: TestClient, bundle: Bundle, first: str, second: str
) -> None:
    found = paired(client, first=first, second=second)
    one, other = (items_dense(bundle, stream) > 0 for stream in (first, second))
    both, either = (one & other).sum(0), (one | other).sum(0)
    assert (found.first, found.second, found.ids) == (first, second, list(range(64)))
    assert found.names == list(bundle.latents.name)
    assert found.first_density == pytest.approx(one.mean(0).tolist(), abs=1e-6)
    assert found.second_density == pytest.approx(other.mean(0).tolist(), abs=1e-6)
    for latent, alignment in enumerate(found.alignment):
        if one[:, latent].any() and other[:, latent].any():
            assert alignment == pytest.approx(both[latent] / either[latent], abs=6e-5)
        else:
            assert alignment is None


def test_pairs_are_filtered_and_need_two_streams(client: TestClient) -> None:
    ids = [latent.id for latent in page(client, sort="id", min_purity=0.8).latents]
    assert paired(client, first="dino", second="clip_txt", min_purity=0.8).ids == ids
    assert refusal(client, "/pairs", first="dino", second="dino") == (
        422,
        'first and second are both "dino": name two streams',
    )
    for params in ({"first": "nope", "second": "dino"}, {"first": "dino", "second": "nope"}):
        assert refusal(client, "/pairs", **params)[0] == 404
    assert refusal(client, "/map", stream="nope")[0] == 404
    assert refusal(client, "/map", limit=3) == (422, 'there is no "limit" here: correct its spelling, or leave it out')
