"""The evaluation by REST: whole, as tables, and tables as files."""

import csv
import io

import pytest
from fastapi.testclient import TestClient

from server import schemas
from server.explorer import Explorer
from tests.server.evaluated import full_evaluation

PREFIX = "/api/v1/evaluation"
IN_ORDER = [
    "profiles", "active-items", "dead-latents", "probes", "probe-classes", "classification", "classification-classes",
    "retrieval", "vector-recall", "reconstruction", "sparsity", "segmentation", "names", "weakest-names",
    "pure-objects", "stability",
]  # fmt: skip


@pytest.fixture(scope="module")
def hand_made(evaluated: tuple[TestClient, Explorer]) -> TestClient:
    return evaluated[0]


def test_all_of_it_is_what_the_bundle_says(hand_made: TestClient) -> None:
    assert schemas.Evaluation.model_validate(hand_made.get(PREFIX).json()) == full_evaluation()


def test_every_table_is_there_in_order_and_by_its_name(hand_made: TestClient) -> None:
    tables = hand_made.get(f"{PREFIX}/tables").json()
    assert [table["name"] for table in tables] == IN_ORDER
    for table in tables:
        assert hand_made.get(f"{PREFIX}/tables/{table['name']}").json() == table
        assert {len(row) for row in table["rows"]} == {len(table["columns"])}


def test_a_table_has_numbers_in_full_and_says_which_are_published(hand_made: TestClient) -> None:
    table = hand_made.get(f"{PREFIX}/tables/probes").json()
    assert {column["name"]: column["published"] for column in table["columns"]} == {
        "stream": False, "n_classes": False, "cross_entropy": False, "accuracy": False, "published_cross_entropy": True,
    }  # fmt: skip
    assert table["rows"] == [["dino", 2, 0.3, 0.9, 0.54091], ["clip_txt", 1, 0.4, None, 0.56462]]


@pytest.mark.parametrize("ending", ["", "/csv", "/latex"])
def test_a_table_that_is_not_there_is_not_found(hand_made: TestClient, ending: str) -> None:
    answer = hand_made.get(f"{PREFIX}/tables/beauty{ending}")
    error = schemas.ErrorBody.model_validate(answer.json()).error
    assert (answer.status_code, error.code) == (404, "table_not_found")
    assert 'there is no table "beauty"' in error.message
    assert all(name in error.message for name in IN_ORDER)


def test_csv_is_a_file_with_the_same_numbers(hand_made: TestClient) -> None:
    for table in hand_made.get(f"{PREFIX}/tables").json():
        answer = hand_made.get(f"{PREFIX}/tables/{table['name']}/csv")
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        assert answer.headers["content-disposition"] == f'attachment; filename="{table["name"]}.csv"'
        head, *rows = csv.reader(io.StringIO(answer.text, newline=""))
        assert head == [column["name"] for column in table["columns"]]
        assert rows == [["" if cell is None else str(cell) for cell in row] for row in table["rows"]]


def test_latex_is_a_file_with_a_row_for_each(hand_made: TestClient) -> None:
    answer = hand_made.get(f"{PREFIX}/tables/stability/latex")
    assert answer.headers["content-type"].partition(";")[0] == "application/x-tex"
    assert answer.headers["content-disposition"] == 'attachment; filename="stability.tex"'
    body = answer.text.partition("\\midrule")[2].partition("\\bottomrule")[0]
    assert body.strip() == r"0123456789abcdef & dino & 0.700 & 0.250 & 12 \\"


def test_a_real_bundle_has_what_was_measured(client: TestClient) -> None:
    names = [table["name"] for table in client.get(f"{PREFIX}/tables").json()]
    assert names == [name for name in IN_ORDER if name in names]
    assert {"dead-latents", "retrieval", "reconstruction", "sparsity", "names"} <= set(names)
    assert client.get(f"{PREFIX}/tables/probes").status_code == 404, "40 items are too few"
    assert set(client.get(PREFIX).json()["skipped"]) >= {"probes", "classification"}
