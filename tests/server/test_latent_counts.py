"""Numbers beside the filters: what each choice would leave, against a loop over the table's rows."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient

from server import schemas
from server.services.latent_columns import LatentColumns
from server.services.latent_counts import LatentCounter
from server.services.latent_filters import LatentFilters
from sparc_core.bundle import Bundle
from tests.server.test_latents import page

STREAMS = ("dino", "clip_img", "clip_txt")
STATES = {"all": "alive", "some": "mixed", "none": "dead"}
Row = dict[str, Any]
Test = Callable[[Row], bool]


def counted(client: TestClient, **params: object) -> schemas.LatentCounts:
    answer = client.get("/api/v1/latents/counts", params=params)
    assert answer.status_code == 200, answer.text
    return schemas.LatentCounts.model_validate(answer.json())


@pytest.fixture(scope="module")
def mixed(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> tuple[Bundle, list[Row]]:
    """The bundle with latents that are dead or silent in a stream, and without purity; and its rows."""
    folder = tmp_path_factory.mktemp("mixed") / "bundle"
    folder.mkdir()
    for path in bundle.path.iterdir():
        if path.name != "latents.parquet":
            (folder / path.name).symlink_to(path)
    rows = written(bundle.path / "latents.parquet", folder / "latents.parquet")
    return Bundle(folder, bundle.manifest), rows


def written(source: Path, target: Path) -> list[Row]:
    table = pq.read_table(source)
    rows: list[Row] = table.to_pylist()
    for row in rows:
        if row["latent"] % 9 == 0:
            row |= {"alive": "none", "map_x": None, "map_y": None, "alignment": None, "purity": None, "label": None}
            row |= {f"density_{stream}": 0.0 for stream in STREAMS}
        elif row["latent"] % 5 == 0:
            row |= {"alive": "some", "density_clip_txt": 0.0, "purity": None}
    pq.write_table(type(table).from_pylist(rows, schema=table.schema), target)
    return rows


def density(row: Row) -> float:
    return float(np.mean([np.float64(np.float32(row[f"density_{stream}"])) for stream in STREAMS]))


def within(value: float | None, low: float, high: float) -> bool:
    return value is not None and low <= value <= high


# A filter as its parameters, and the same as one test per parameter by the name of what it counts.
FILTERS: list[tuple[dict[str, Any], dict[str, Test]]] = [
    ({}, {}),
    ({"alive": "mixed"}, {"alive": lambda row: row["alive"] == "some"}),
    (
        {"alive": "alive", "active_in": ("dino",), "min_purity": 0.5},
        {
            "alive": lambda row: row["alive"] == "all",
            "active_in": lambda row: row["density_dino"] > 0,
            "purity": lambda row: within(row["purity"], 0.5, 1),
        },
    ),
    (
        {"silent_in": ("clip_txt",), "max_density": 0.08},
        {"silent_in": lambda row: row["density_clip_txt"] == 0, "density": lambda row: density(row) <= 0.08},
    ),
    (
        {"min_alignment": 0.2, "max_alignment": 0.45, "min_density": 0.01, "active_in": ("clip_txt", "clip_img")},
        {
            "alignment": lambda row: within(row["alignment"], 0.2, 0.45),
            "density": lambda row: density(row) >= 0.01,
            "active_in": lambda row: row["density_clip_txt"] > 0 and row["density_clip_img"] > 0,
        },
    ),
]


@pytest.mark.parametrize(("params", "tests"), FILTERS, ids=[str(list(params)) for params, _ in FILTERS])
def test_every_number_is_what_that_choice_would_leave(
    mixed: tuple[Bundle, list[Row]], params: dict[str, Any], tests: dict[str, Test]
) -> None:
    bundle, rows = mixed
    columns = LatentColumns(bundle)
    found = LatentCounter(columns, LatentFilters(columns)).counts(schemas.LatentFilter(**params))

    def left(without: str = "", also: Test = lambda _: True) -> list[Row]:
        return [row for row in rows if also(row) and all(t(row) for name, t in tests.items() if name != without)]

    assert found.total == len(left())
    assert found.any_state == len(left("alive"))
    states = Counter(STATES[row["alive"]] for row in left("alive"))
    assert {state.value: n for state, n in found.states.items()} == {name: states[name] for name in STATES.values()}
    for one in found.streams:
        own = f"density_{one.stream}"
        assert one.active == sum(row[own] > 0 for row in left())
        assert one.silent == sum(row[own] == 0 for row in left())
    assert [one.stream for one in found.streams] == list(STREAMS)
    labels = Counter(row["label"] for row in left("label") if row["label"])
    assert [(one.label, one.n) for one in found.labels] == sorted(labels.items(), key=lambda one: (-one[1], one[0]))
    values = {"density": density, "alignment": lambda row: row["alignment"], "purity": lambda row: row["purity"]}
    for name, value_of in values.items():
        spread = getattr(found, name)
        values_left = [value_of(row) for row in left(name)]
        assert spread.undefined == values_left.count(None)
        assert spread.counts == by_hand([value for value in values_left if value is not None], spread.edges)


def by_hand(values: list[float], edges: list[float]) -> list[int]:
    """How many lie in each bin; the last one has its upper edge too."""
    counts = [0] * (len(edges) - 1)
    for value in values:
        bin_ = max(i for i in range(len(counts)) if value >= edges[i])
        counts[bin_] += 1
    return counts


def test_edges_are_those_of_the_bars(client: TestClient) -> None:
    found = counted(client)
    assert len(found.density.edges) == len(found.alignment.edges) == len(found.purity.edges) == 25
    assert (found.density.edges[0], found.density.edges[-1]) == (0, 1)
    assert found.density.edges[6] == pytest.approx(1e-3, rel=1e-3), "a quarter of the logarithmic axis is 0.1%"
    assert found.density.edges[18] == pytest.approx(1e-1, rel=1e-3)
    assert found.alignment.edges[12] == found.purity.edges[12] == 0.5


def test_a_label_is_counted_as_if_another_one_were_chosen(client: TestClient) -> None:
    labels = counted(client).labels
    first, second = labels[0], labels[1]
    chosen = counted(client, label=first.label)
    assert chosen.total == first.n == page(client, label=first.label).total
    assert chosen.labels == labels
    assert counted(client, label=second.label).total == second.n


def test_counts_are_of_the_gallery_s_filters(client: TestClient) -> None:
    for params in ({"query": "cat"}, {"ids": [3, 17, 40]}, {"lasso": "-1,-1;0,-1;0,1;-1,1"}, {"min_purity": 0.7}):
        found = counted(client, **params)
        assert found.total == page(client, **params).total
        assert found.streams[0].active == page(client, active_in="dino", **params).total
    assert client.get("/api/v1/latents/counts", params={"sort": "id"}).status_code == 422
    assert client.get("/api/v1/latents/counts", params={"active_in": "nope"}).status_code == 404


def test_the_page_shows_the_same_numbers(client: TestClient) -> None:
    found = counted(client, min_purity=0.6)
    html = client.get("/", params={"min_purity": 0.6}).text
    for state, n in found.states.items():
        assert f'data-count="alive" data-value="{state.value}">{n}<' in html
    for one in found.streams:
        assert f'data-count="active_in" data-value="{one.stream}">{one.active}<' in html
        assert f'data-count="silent_in" data-value="{one.stream}">{one.silent}<' in html
    assert html.count("data-in") == 24 + 24 + sum(edge > 0.6 for edge in found.purity.edges[1:])


# A random latent


def test_a_random_latent_is_one_that_matches(client: TestClient) -> None:
    matching = {latent.id for latent in page(client, min_purity=0.8, query="a").latents}
    assert 1 < len(matching) < 64
    drawn = set()
    for _ in range(60):
        answer = client.get(
            "/latents/random", params={"min_purity": 0.8, "query": "a", "sort": "id"}, follow_redirects=False
        )
        assert answer.status_code == 303
        assert answer.headers["cache-control"] == "no-store"
        drawn.add(int(answer.headers["location"].removeprefix("/latents/")))
    assert drawn <= matching
    assert len(drawn) > 1


def test_where_no_latent_matches_the_gallery_says_so(client: TestClient) -> None:
    answer = client.get("/latents/random", params={"query": "zzzz", "min_purity": 0.5}, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/?query=zzzz&min_purity=0.5")
    assert "No latent matches" in client.get(answer.headers["location"]).text
    assert client.get("/latents/random", params={"active_in": "nope"}).status_code == 404


# Mismatches from anywhere


def test_a_window_of_mismatches_is_that_part_of_the_whole(client: TestClient) -> None:
    asked = {"strong": "dino", "weak": "clip_txt", "kind": "different"}

    def mismatches(**more: object) -> schemas.MismatchPage:
        answer = client.get("/api/v1/latents/mismatches", params={**asked, **more})
        return schemas.MismatchPage.model_validate(answer.json())

    whole = mismatches(limit=200)
    assert len(whole.latents) == whole.total > 12
    window = mismatches(start=5, limit=6)
    assert window.latents == whole.latents[5:11]
    assert mismatches(cursor=window.next_cursor, limit=3).latents == whole.latents[11:14]
    past = mismatches(start=10_000)
    assert (past.latents, past.total, past.next_cursor) == ([], whole.total, None)
    both = client.get("/api/v1/latents/mismatches", params={**asked, "start": 1, "cursor": window.next_cursor})
    assert both.status_code == 422
