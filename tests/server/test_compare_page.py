"""The page Compare as HTML, without scripts, and the comparison by REST: against the bundles' files and plain loops."""

import csv
import io
import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from statistics import fmean, median
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.etree.ElementTree import Element

import numpy as np
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient

from server.app import create_app, open_all
from server.client import ApiError, SparcClient
from server.compare_page.correspondence import correspondence
from server.compare_page.differences import warnings
from server.compare_page.outlines import spread_of_densities, spread_of_shares
from server.compare_page.side_by_side import Order, order
from server.explorer import Explorer
from server.schemas import Info
from server.settings import Settings
from sparc_core.bundle.manifest import read_manifest
from sparc_core.evaluation.results import Evaluation, Liveness, PureObjects, Reconstruction
from tests.evaluation.evaluation_examples import profile, retrieval
from tests.server.evaluated import full_evaluation, showing
from tests.server.html_tree import text_of, tree_of
from tests.server.test_client_contract import transport_to
from tests.server.test_serving import other_bundle

STREAMS = ("dino", "clip_img", "clip_txt")
PREFIX = "/api/v1/evaluation/comparison"


@pytest.fixture(scope="module")
def served(tiny_bundle: Path, twin_bundle: Path) -> Iterator[tuple[TestClient, Explorer]]:
    """A service of the tiny bundle with its twin beside it, and the explorer of the former."""
    settings = Settings(bundle=tiny_bundle, beside=(twin_bundle,), threads=1, device="cpu")
    resources, explorer = open_all(settings)
    app = create_app(settings, (resources, explorer))
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client, explorer


@pytest.fixture(scope="module")
def both(served: tuple[TestClient, Explorer]) -> TestClient:
    return served[0]


@pytest.fixture(scope="module")
def twin(twin_bundle: Path) -> str:
    """The twin's id."""
    return read_manifest(twin_bundle).bundle_id


@pytest.fixture(scope="module")
def tables(tiny_bundle: Path, twin_bundle: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The latents of both as they are on disk, a row per latent."""
    one, other = (pq.read_table(path / "latents.parquet").to_pylist() for path in (tiny_bundle, twin_bundle))
    return one, other


def asked(client: TestClient, **params: object) -> Element:
    answer = client.get("/compare", params={name: str(value) for name, value in params.items()})
    assert answer.status_code == 200, answer.text
    return tree_of(answer.text)


def found(page: Element, path: str) -> Element:
    element = page.find(path)
    assert element is not None, path
    return element


def classed(page: Element, tag: str, name: str) -> list[Element]:
    return [element for element in page.iter(tag) if name in element.get("class", "").split()]


def glance(page: Element) -> dict[str, list[str]]:
    """Figures by title: both values and what is said of the difference."""
    rows = {}
    for row in classed(page, "li", "glance__row"):
        (title,) = classed(row, "p", "glance__title")
        values = [text_of(line) for line in classed(row, "p", "pair__line")]
        (change,) = classed(row, "p", "glance__change")
        rows[text_of(title)] = [*values, text_of(change)]
    return rows


def latents_of(page: Element) -> list[int]:
    return [int(text_of(link)) for link in classed(page, "a", "twin__number")]


# Two bundles


def test_the_facts_of_both_stand_under_each_other_and_what_differs_is_marked(
    both: TestClient, tiny_bundle: Path, twin: str
) -> None:
    table = found(asked(both), ".//table[@class='facts facts--across']")
    head, first, second = ([text_of(cell) for cell in row] for row in table.iter("tr"))
    assert head[1:] == ["bundle", "corpus", "latents", "k", "selection", "cross loss", "streams"]
    main = read_manifest(tiny_bundle).bundle_id
    same = ["storybook, 200 items", "64", "6"]
    streams = "DINO, CLIP image, CLIP text"
    assert first == ["global selection", main, *same, "global", "weight 2", streams]
    assert second == ["local selection, no cross loss", twin, *same, "local", "none", streams]
    differing = {cell.get("data-name") for cell in table.iter("td") if cell.get("data-differs") is not None}
    assert differing == {"selection", "cross loss"}
    assert not classed(asked(both), "p", "notice"), "there is nothing to warn of"


def test_figures_are_of_the_files_of_both(both: TestClient, tiny_bundle: Path, twin_bundle: Path, tables: Any) -> None:
    rows = glance(asked(both))
    evaluations = [json.loads((path / "evaluation.json").read_text()) for path in (tiny_bundle, twin_bundle)]
    purity = [fmean(row["purity"] for row in table if row["purity"] is not None) for table in tables]
    assert [line.split(": ")[1] for line in rows["Purity"][:2]] == [f"{value:.3f}" for value in purity]
    at_10 = [
        next(
            row["at_10"]
            for row in evaluation["retrieval"]
            if (row["way"], row["query"], row["target"], row["inside"]) == ("latent", "clip_txt", "clip_img", True)
        )
        for evaluation in evaluations
    ]
    assert [line.split(": ")[1] for line in rows["Text finds image"][:2]] == [f"{value:.3f}" for value in at_10]
    for title, stream in (("Error of DINO", "dino"), ("Error of CLIP text", "clip_txt")):
        errors = [
            next(
                row["nmse"]
                for row in evaluation["reconstruction"]
                if (row["source"], row["target"], row["selection"]) == (stream, stream, "own")
            )
            for evaluation in evaluations
        ]
        assert [line.split(": ")[1] for line in rows[title][:2]] == [f"{value:.3f}" for value in errors]
        word = "better" if errors[1] < errors[0] else "worse"
        assert rows[title][2].endswith(word), "less error is better"
    assert rows["Purity"][0].startswith("global selection: ")
    assert rows["Purity"][1].startswith("local selection, no cross loss: ")


def by_hand() -> tuple[Evaluation, Evaluation]:
    """What was measured of two bundles, so that every figure has a value of one or two digits."""
    first = full_evaluation().model_copy(
        update={"pure_objects": PureObjects(n_objects=4, n_with_pure_latent=4), "liveness": Liveness()}
    )
    low = profile(2).model_copy(update={"jaccard": 0.25})
    second = first.model_copy(
        update={
            "profiles": (profile(0), low, profile(0, "local"), profile(2, "local")),
            "retrieval": (retrieval("latent", "clip_txt", "clip_img").model_copy(update={"at_10": 0.75}),),
            "pure_objects": PureObjects(n_objects=4, n_with_pure_latent=3),
            "reconstruction": (
                Reconstruction(source="dino", target="dino", selection="own", nmse=0.04, explained_variance=0.9),
                Reconstruction(source="dino", target="dino", selection="local", nmse=0.9, explained_variance=0.1),
            ),
        }
    )
    return first, second


def test_differences_are_said_in_words_and_on_one_scale(served: tuple[TestClient, Explorer], twin: str) -> None:
    client, explorer = served
    first, second = by_hand()
    with showing(explorer, first), showing(explorer.at(twin), second):
        page = asked(client)
    rows = {title: [text.split(": ")[-1] for text in texts] for title, texts in glance(page).items()}
    assert rows["Agreement on classes, selected as the model does"] == ["0.500", "0.250", "−0.250 worse"]
    assert rows["Agreement on classes, each stream selecting by itself"] == ["0.500", "0.500", "the same"]
    assert rows["Text finds image"] == ["0.500", "0.750", "+0.250 better"]
    assert rows["Objects with a pure latent"] == ["100%", "75%", "−25 points worse"]
    assert rows["Error of DINO"] == ["0.100", "0.040", "−0.060 better"]
    assert "Error of CLIP image" not in rows, "it was measured of neither"
    (row,) = (row for row in classed(page, "li", "glance__row") if "Error of DINO" in text_of(row))
    assert "on a scale to 0.1;" in text_of(row)
    assert [bar.get("style") for bar in classed(row, "span", "pair__bar")] == ["--share:1.0000", "--share:0.4000"]


def test_what_only_one_was_measured_of_has_no_difference(served: tuple[TestClient, Explorer], twin: str) -> None:
    client, explorer = served
    with showing(explorer, by_hand()[0]), showing(explorer.at(twin), Evaluation()):
        page = asked(client)
    rows = glance(page)
    assert rows["Text finds image"] == ["global selection: 0.500", "local selection, no cross loss: not measured", ""]
    with showing(explorer, Evaluation()), showing(explorer.at(twin), Evaluation()):
        page = asked(client)
    assert set(glance(page)) == {"Dead latents", "Latents of some streams only", "Purity"}, "these are in the tables"
    assert "Nothing was measured of either bundle." in text_of(found(page, ".//section[@id='tables']"))


def test_histograms_have_the_medians_of_both_in_words(both: TestClient, tables: Any) -> None:
    page = asked(both)
    figures = {figure.get("data-spread", ""): figure for figure in classed(page, "figure", "spread")}
    assert list(figures) == ["alignment", "density", "purity"]
    for name in ("alignment", "purity"):
        for table, words in zip(tables, found(figures[name], ".//ul"), strict=True):
            values = [row[name] for row in table if row[name] is not None]
            assert f"median {median(values):.2f} of {len(values)} latents" in text_of(words)
            assert (f"{64 - len(values)} have none" in text_of(words)) == (len(values) < 64)
    assert len(list(figures["density"].iter("path"))) == 2
    drawn = json.loads(found(page, ".//script[@id='spreads']").text or "")
    for table, outline in zip(tables, drawn[0]["outlines"], strict=True):
        values = [row["alignment"] for row in table if row["alignment"] is not None]
        counts = [sum(low <= v < high or (high == 1 and v == 1) for v in values) for low, high in steps(20)]
        assert outline["heights"] == pytest.approx([count / len(values) for count in counts])


def steps(n: int) -> list[tuple[float, float]]:
    return list(pairwise(i / n for i in range(n + 1)))


def test_an_outline_steps_from_one_end_of_the_axis_to_the_other() -> None:
    nothing = np.array([np.nan])
    spread = spread_of_shares("s", "S", "", "s", {"a": np.array([0.01, 0.02, 0.99, 1.0, np.nan]), "b": nothing})
    one, none = spread.outlines
    assert one.heights == (0.5, *[0.0] * 18, 0.5)
    assert one.path.startswith("M0.0 72V0.0H12.0V72.0H24.0")
    assert one.path.endswith("V72.0H228.0V0.0H240.0V72Z")
    assert (one.n, one.n_without, one.median, one.median_x) == (4, 1, "0.51", pytest.approx(0.505))
    assert (none.n, none.n_without, none.median, none.median_x) == (0, 1, "–", None)
    assert set(none.heights) == {0.0}


def test_densities_lie_on_a_logarithmic_axis_and_nothing_on_none() -> None:
    spread = spread_of_densities("d", "D", "", {"a": np.array([0.0, 0.002, 0.01, 1.0])})
    assert [(round(tick.x, 6), tick.text) for tick in spread.ticks] == [
        (0, "0.1%"), (0.333333, "1%"), (0.666667, "10%"), (1, "100%"),
    ]  # fmt: skip
    (outline,) = spread.outlines
    assert (outline.n, outline.n_without, outline.median) == (3, 1, "1.0%")
    assert outline.median_x == pytest.approx(1 / 3)
    assert len(outline.heights) == 12, "four bins in each power of ten"
    assert [place for place, height in enumerate(outline.heights) if height] == [1, 4, 11]
    dead = spread_of_densities("d", "D", "", {"a": np.zeros(3)})
    assert (dead.outlines[0].n, dead.outlines[0].n_without) == (0, 3)


# The same latents


def expected_order(tables: Any, sign: int) -> list[int]:
    """Latents by the change of alignment, what is missing counted as 0; those without any come last."""
    changes = {}
    for latent, (one, other) in enumerate(zip(*tables, strict=True)):
        before, after = one["alignment"], other["alignment"]
        if before is not None or after is not None:
            changes[latent] = sign * ((after or 0.0) - (before or 0.0))
    return [*sorted(changes, key=lambda latent: (changes[latent], latent)), *(i for i in range(64) if i not in changes)]


@pytest.mark.parametrize(("by", "sign"), [("loss", 1), ("gain", -1)])
def test_latents_are_ordered_by_what_they_lose_or_gain(both: TestClient, tables: Any, by: str, sign: int) -> None:
    seen = [latent for start in (0, 24, 48) for latent in latents_of(asked(both, order=by, start=start))]
    assert seen == expected_order(tables, sign)
    assert latents_of(asked(both, order="number", start=24)) == list(range(24, 48))


def test_a_row_says_what_a_latent_is_in_either_bundle(both: TestClient, tables: Any, twin: str) -> None:
    titles = ("DINO", "CLIP image", "CLIP text")
    for row in classed(asked(both, order="number"), "li", "twin"):
        (link,) = classed(row, "a", "twin__number")
        latent = int(text_of(link))
        assert link.get("href") == f"/latents/{latent}?beside={twin}"
        for table, side in zip(tables, classed(row, "div", "twin__side"), strict=True):
            own = table[latent]
            (name,) = classed(side, "p", "twin__name")
            assert own["name"] in text_of(name)
            labels = [own[f"label_{stream}"] for stream in STREAMS]
            shown = [text_of(label) for label in classed(side, "span", "stream-name")]
            if len(set(labels)) == 1:
                assert not shown
            else:
                assert shown == [f"{t}: {x or 'no label'}" for t, x in zip(titles, labels, strict=True)]
            (alignment,) = classed(side, "p", "twin__alignment")
            assert text_of(alignment).endswith("–" if own["alignment"] is None else f"{own['alignment']:.2f}")
        (change,) = classed(row, "p", "twin__change")
        before, after = (table[latent]["alignment"] for table in tables)
        if before is not None and after is not None:
            value = f"{after - before:+.2f}".replace("-", "−")
            assert text_of(change) == f"change of alignment: {value}"


def test_thumbnails_are_the_strongest_items_of_the_bundle_that_they_stand_in(
    both: TestClient, tiny_bundle: Path, twin: str
) -> None:
    (row, *_) = classed(asked(both, order="number"), "li", "twin")
    sources = [image.get("src", "") for image in row.iter("img")]
    for bundle_id in (read_manifest(tiny_bundle).bundle_id, twin):
        params = {"stream": "dino", "limit": 3, "bundle": bundle_id}
        items = [item["item_id"] for item in both.get("/api/v1/latents/0/items", params=params).json()["items"]]
        own = [urlsplit(source).path.split("/")[4] for source in sources if f"bundle={bundle_id}" in source]
        assert items
        assert own[: len(items)] == items
        assert len(own) <= 6, "three of either image stream"


def test_pages_of_latents_lead_to_each_other_and_end(both: TestClient, twin: str) -> None:
    def ways(page: Element) -> dict[str, dict[str, list[str]]]:
        nav = found(page, ".//nav[@class='pages']")
        return {link.get("rel", ""): parse_qs(urlsplit(link.get("href", "")).query) for link in nav.iter("a")}

    assert ways(asked(both)) == {"next": {"other": [twin], "start": ["24"]}}
    middle = ways(asked(both, order="gain", start=24))
    assert middle == {
        "prev": {"other": [twin], "order": ["gain"]},
        "next": {"other": [twin], "order": ["gain"], "start": ["48"]},
    }
    last = asked(both, start=10**9)
    assert latents_of(last) == latents_of(asked(both, start=48))
    assert ways(last) == {"prev": {"other": [twin], "start": ["24"]}}
    assert "49 to 64 of 64" in text_of(found(last, ".//nav[@class='pages']"))


def like(info: Info, recipe: dict[str, Any], directions: dict[str, list[list[float]]]) -> Any:
    """As much of an explorer as correspondence looks at."""
    return SimpleNamespace(
        info=lambda: info,
        bundle=SimpleNamespace(manifest=SimpleNamespace(sparc=SimpleNamespace(recipe=recipe))),
        latents=SimpleNamespace(dictionary=lambda stream: np.array(directions[stream])),
    )


def test_numbers_mean_what_the_manifests_say(served: tuple[TestClient, Explorer]) -> None:
    info = served[1].info()
    same = {stream: [[1.0, 0.0], [0.0, 1.0]] for stream in STREAMS}
    turned = {**same, "clip_txt": [[0.0, 1.0], [0.0, 1.0]]}
    start = {"seed": 3, "dictionary_init": "rows", "pre_bias_init": "mean"}
    one = like(info, start, same)
    alike = correspondence(one, like(info, start, turned))
    assert alike.is_shown
    assert "both models began with the same directions (seed 3) and were then trained apart" in alike.text
    assert "a mean cosine of 1.00 in DINO, 1.00 in CLIP image and 0.50 in CLIP text;" in alike.measured
    other = correspondence(one, like(info, {**start, "seed": 4}, same))
    assert "began with seeds 3 and 4: numbers do not correspond at all" in other.text
    first = correspondence(one, like(info, {**start, "dictionary_init": "random"}, same))
    assert "began with other first dictionaries: numbers do not correspond at all" in first.text
    silent = correspondence(one, like(info, {}, same))
    assert "which these bundles do not say" in silent.text
    wider = correspondence(one, like(info.model_copy(update={"n_latents": 128}), start, same))
    assert (wider.is_shown, wider.text) == (
        False, "Latents cannot be set side by side: the dictionaries have 64 and 128 latents.",
    )  # fmt: skip
    elsewhere = correspondence(one, like(info.model_copy(update={"n_items": 5}), start, same))
    assert (elsewhere.is_shown, elsewhere.measured) == (False, "")


def test_the_twins_began_with_the_same_directions(both: TestClient) -> None:
    words = text_of(found(asked(both), ".//p[@class='compared__words']"))
    assert "(seed 0)" in words
    assert "Measured: directions of one number have a mean cosine of 0." in words


def test_a_latent_without_alignment_anywhere_comes_last() -> None:
    nothing = float("nan")

    def of(values: list[float]) -> Any:
        return SimpleNamespace(bundle=SimpleNamespace(latents=SimpleNamespace(alignment=np.array(values))))

    one, other = of([nothing, 0.5, 0.25, nothing]), of([nothing, nothing, 0.5, 0.125])
    assert order(one, other, Order.loss).tolist() == [1, 3, 2, 0]
    assert order(one, other, Order.gain).tolist() == [2, 3, 1, 0]
    assert order(one, other, Order.number).tolist() == [0, 1, 2, 3]


# What may not be compared


def test_what_differs_is_warned_of_in_a_sentence(served: tuple[TestClient, Explorer]) -> None:
    info = served[1].info()
    assert warnings(info, info, True) == []
    (items,) = warnings(info, info, False)
    assert "their tables of items are not the same" in items
    (corpora,) = warnings(info, info.model_copy(update={"corpus": "coco", "n_items": 5000}), False)
    assert corpora.startswith("The corpora differ: storybook, 200 items and coco, 5,000 items.")
    (streams,) = warnings(info, info.model_copy(update={"streams": info.streams[:2]}), True)
    assert streams.startswith("The streams differ: DINO, CLIP image, CLIP text, and DINO, CLIP image.")
    changed = [s.model_copy(update={"backbone": "transformers:other"}) for s in info.streams[:1]]
    (backbone,) = warnings(info, info.model_copy(update={"streams": [*changed, *info.streams[1:]]}), True)
    assert backbone.startswith("DINO has another backbone in the second bundle:")
    sizes = warnings(info, info.model_copy(update={"n_latents": 8192, "k": 64}), True)
    assert [text.split(":")[0] for text in sizes] == [
        "The dictionaries have 64 and 8,192 latents", "Items have 6 and 64 active latents",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def three(tiny_bundle: Path, twin_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """The twins, and a third bundle of another corpus's name."""
    third = tmp_path_factory.mktemp("third") / "third"
    other_bundle(tiny_bundle, third, "elsewhere")
    settings = Settings(bundle=tiny_bundle, beside=(twin_bundle, third), threads=1, device="cpu")
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        yield client


def test_one_of_several_bundles_is_chosen_and_corpora_that_differ_are_not_set_side_by_side(
    three: TestClient, twin: str
) -> None:
    choice = found(asked(three), ".//form[@id='choice']//select")
    options = {option.get("value", ""): option for option in choice}
    assert len(options) == 2
    assert options[twin].get("selected") is not None, "the first one beside, where none is named"
    (third,) = (bundle_id for bundle_id in options if bundle_id != twin)
    page = asked(three, other=third)
    chosen = found(page, f".//form[@id='choice']//option[@value='{third}']")
    assert chosen.get("selected") is not None
    assert "The corpora differ: storybook, 200 items and elsewhere, 200 items." in text_of(page)
    assert "Latents cannot be set side by side: the corpora differ." in text_of(page)
    assert not classed(page, "li", "twin")


def test_without_a_choice_there_is_no_form(both: TestClient) -> None:
    assert asked(both).find(".//form[@id='choice']") is None


def test_a_bundle_that_is_not_there_is_a_page_that_says_so(both: TestClient, tiny_bundle: Path) -> None:
    accepted = {"accept": "text/html"}
    unknown = both.get("/compare", params={"other": "0" * 16}, headers=accepted)
    assert (unknown.status_code, "is not served" in unknown.text) == (404, True)
    itself = both.get("/compare", params={"other": read_manifest(tiny_bundle).bundle_id}, headers=accepted)
    assert (itself.status_code, "name another one as other" in itself.text) == (422, True)


# All tables, and by REST


def test_the_comparison_is_what_was_measured_side_by_side(
    both: TestClient, tiny_bundle: Path, twin_bundle: Path, twin: str
) -> None:
    tables = {table["name"]: table for table in both.get(PREFIX, params={"other": twin}).json()}
    assert {"dead-latents", "retrieval", "reconstruction", "names"} <= set(tables)
    assert [column["title"] for column in tables["retrieval"]["columns"]] == [
        "Figure", "global selection", "local selection, no cross loss",
    ]  # fmt: skip
    rows = {row[0]: row[1:] for row in tables["retrieval"]["rows"]}
    evaluations = [json.loads((path / "evaluation.json").read_text()) for path in (tiny_bundle, twin_bundle)]
    for row, other in zip(evaluations[0]["retrieval"], evaluations[1]["retrieval"], strict=True):
        assert (row["way"], row["query"], row["target"]) == (other["way"], other["query"], other["target"])
        title = f"own corpus, {row['way']}, {row['query']} to {row['target']}, R@10"
        assert rows[title] == [row["at_10"], other["at_10"]]


def test_the_comparison_begins_with_the_named_bundle(both: TestClient, tiny_bundle: Path, twin: str) -> None:
    main = read_manifest(tiny_bundle).bundle_id
    plain = both.get(PREFIX, params={"other": twin}).json()
    turned = both.get(PREFIX, params={"other": main, "bundle": twin}).json()
    assert [[row[0], row[2], row[1]] for row in turned[0]["rows"]] == plain[0]["rows"]


def test_the_page_has_every_table_folded_and_as_a_file(both: TestClient, twin: str) -> None:
    page = asked(both)
    section = found(page, ".//section[@id='tables']")
    for table in both.get(PREFIX, params={"other": twin}).json():
        shown = found(section, f".//table[@data-table='{table['name']}']")
        assert len(list(shown.iter("tr"))) == 1 + len(table["rows"])
        address = f"{PREFIX}/{table['name']}/csv?other={twin}"
        (link,) = (link for link in section.iter("a") if link.get("href") == address)
        answer = both.get(link.get("href", ""))
        assert answer.headers["content-disposition"] == f'attachment; filename="comparison-{table["name"]}.csv"'
        head, *rows = csv.reader(io.StringIO(answer.text, newline=""))
        assert head == ["figure", "global_selection", "local_selection_no_cross_loss"]
        assert rows == [["" if cell is None else str(cell) for cell in row] for row in table["rows"]]
    texts = [text_of(cell) for cell in section.iter("td")]
    assert "own corpus, latent, DINO to CLIP text, R@10" in texts, "streams are called as everywhere"
    assert all(fold.get("open") is None for fold in section.iter("details"))


def test_what_cannot_be_compared_is_refused(both: TestClient, tiny_bundle: Path, twin: str) -> None:
    main = read_manifest(tiny_bundle).bundle_id
    for params, status, code in (
        ({"other": main}, 422, "invalid_input"),
        ({"other": twin, "bundle": twin}, 422, "invalid_input"),
        ({"other": "0" * 16}, 404, "bundle_not_found"),
        ({}, 422, None),
        ({"other": twin, "bundel": main}, 422, None),
    ):
        error = both.get(PREFIX, params=params).json()["error"]
        assert both.get(PREFIX, params=params).status_code == status, params
        assert code is None or error["code"] == code, params
    missing = both.get(f"{PREFIX}/beauty/csv", params={"other": twin})
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "table_not_found")


def test_the_client_asks_for_comparisons(both: TestClient, twin: str) -> None:
    with SparcClient("http://testserver", transport=transport_to(both), retries=0) as sparc:
        tables = sparc.evaluation_comparison(twin)
        assert [column.name for column in tables[0].columns] == [
            "figure", "global_selection", "local_selection_no_cross_loss",
        ]  # fmt: skip
        assert sparc.evaluation_comparison_csv("names", twin).startswith(b"figure,global_selection,")
        with pytest.raises(ApiError) as caught:
            sparc.evaluation_comparison("nope")
        assert caught.value.code == "bundle_not_found"


# Two streams


def dense(tables: Any, stream: str) -> list[float]:
    return [row[f"local_density_{stream}"] for row in tables[0]]


def overlap(tables: Any, first: str, second: str) -> list[float | None]:
    name = next(
        n for n in tables[0][0] if n.endswith((f"{first}~{second}", f"{second}~{first}")) and "profile" not in n
    )
    return [row[name] for row in tables[0]]


def test_facts_of_both_streams_are_of_the_files(both: TestClient, tiny_bundle: Path, tables: Any) -> None:
    page = asked(both, by="streams", first="clip_img", second="clip_txt")
    head, *rows = ([text_of(cell) for cell in row] for row in found(page, ".//table[@class='facts']").iter("tr"))
    facts = {row[0]: row[1:] for row in rows}
    assert head == ["", "CLIP image", "CLIP text"]
    assert facts["modality"] == ["image", "text"]
    assert facts["backbone"] == ["storybook:clip_img", "storybook:clip_txt"]
    assert facts["width"] == ["128", "128"]
    streams = ("clip_img", "clip_txt")
    alive = [sum(row[f"density_{stream}"] > 0 for row in tables[0]) for stream in streams]
    assert facts["alive latents"] == [f"{n} of 64" for n in alive]
    errors = {
        row["source"]: row["nmse"]
        for row in json.loads((tiny_bundle / "evaluation.json").read_text())["reconstruction"]
        if row["source"] == row["target"] and row["selection"] == "own"
    }
    assert facts["reconstruction error (NMSE)"] == [f"{errors[stream]:.3f}" for stream in streams]
    assert facts["probe cross-entropy"] == ["–", "–"], "40 items are too few to learn from"


def test_retrieval_between_them_is_told_both_ways(both: TestClient, tiny_bundle: Path) -> None:
    page = asked(both, by="streams", first="clip_img", second="clip_txt")
    rows = [[text_of(cell) for cell in row] for row in found(page, ".//table[@class='grid recalls']/tbody")]
    measured = {
        (row["query"], row["target"], row["way"]): [f"{row['at_1']:.3f}", f"{row['at_10']:.3f}"]
        for row in json.loads((tiny_bundle / "evaluation.json").read_text())["retrieval"]
        if row["inside"]
    }
    for row, (query, target) in zip(rows, (("clip_img", "clip_txt"), ("clip_txt", "clip_img")), strict=True):
        ways = [measured.get((query, target, way), ["–", "–"]) for way in ("latent", "reconstruction", "backbone")]
        assert row[2:] == [text for way in ways for text in way]
    assert [row[:2] for row in rows] == [["CLIP image", "CLIP text"], ["CLIP text", "CLIP image"]]


def test_agreement_of_the_pair_is_that_of_the_deepest_level(served: tuple[TestClient, Explorer]) -> None:
    client, explorer = served
    with showing(explorer, full_evaluation()):
        page = asked(client, by="streams", first="clip_txt", second="dino")
    figures = [[text_of(part) for part in figure] for figure in found(page, ".//dl[@class='figures']")]
    assert [figure[:2] for figure in figures] == [["Agreement on classes", "0.250"], ["Agreement on classes", "0.250"]]
    assert "each stream selecting by itself" in figures[1][2]


def test_the_most_agreed_are_those_of_the_files_that_are_active_often_enough(both: TestClient, tables: Any) -> None:
    page = asked(both, by="streams", first="dino", second="clip_txt")
    first, second = dense(tables, "dino"), dense(tables, "clip_txt")
    jaccard = overlap(tables, "dino", "clip_txt")
    enough = [i for i in range(64) if first[i] >= 5 / 200 and second[i] >= 5 / 200]
    best = sorted(enough, key=lambda i: (-(jaccard[i] or 0), i))[:4]
    (listed, *_) = classed(page, "section", "list")
    shown = [int(link.get("href", "").split("/")[-1]) for link in classed(listed, "a", "agreed__name")]
    assert [jaccard[i] for i in shown] == pytest.approx([jaccard[i] for i in best], abs=1e-4)
    numbers = [text_of(number) for number in listed.iter("dd")][:3]
    assert numbers[2] == f"{jaccard[best[0]]:.2f}"


def test_mismatches_are_those_of_their_own_page_and_lead_to_it(both: TestClient) -> None:
    page = asked(both, by="streams", first="clip_img", second="clip_txt")
    lists = classed(page, "section", "list")
    for kind, listed in zip(("silent", "different"), lists[1:], strict=True):
        params = {"strong": "clip_img", "weak": "clip_txt", "kind": kind}
        answer = both.get("/api/v1/latents/mismatches", params=params).json()
        ids = [entry["latent"]["id"] for entry in answer["latents"]][:4]
        shown = [int(link.get("href", "").split("/")[-1]) for link in classed(listed, "a", "agreed__name")]
        assert shown == ids
        if answer["total"] > 4:
            address = f"/mismatches?strong=clip_img&weak=clip_txt&kind={kind}"
            (link,) = (link for link in listed.iter("a") if link.get("href") == address)
            assert text_of(link) == f"all {answer['total']}"


def test_the_overlap_has_its_median_in_words(both: TestClient, tables: Any) -> None:
    page = asked(both, by="streams", first="dino", second="clip_img")
    values = [value for value in overlap(tables, "dino", "clip_img") if value is not None]
    words = text_of(found(page, ".//p[@class='spreads__words']"))
    assert words.startswith(f"Half of the {len(values)} latents that are active in both streams have at least")
    assert f"{median(values):.2f} of their items in common" in words


def test_latents_that_are_silent_in_one_are_counted(both: TestClient, tables: Any) -> None:
    first, second = dense(tables, "dino"), dense(tables, "clip_txt")
    neither = sum(a == 0 and b == 0 for a, b in zip(first, second, strict=True))
    alone = sum(a > 0 and b == 0 for a, b in zip(first, second, strict=True))
    other = sum(a == 0 and b > 0 for a, b in zip(first, second, strict=True))
    text = text_of(asked(both, by="streams", first="dino", second="clip_txt"))
    if neither or alone or other:
        said = f"{neither} latents are active in neither stream, {alone} in DINO alone, {other} in CLIP text alone."
    else:
        said = "Every latent is active in both streams."
    assert said in text


def test_the_outermost_streams_come_first_and_one_twice_is_explained(both: TestClient) -> None:
    page = asked(both, by="streams")
    chosen = [o.get("value") for o in page.iter("option") if o.get("selected") is not None]
    assert chosen == ["dino", "clip_txt"]
    assert "density" not in text_of(found(page, ".//nav[@class='tabs']"))
    twice = asked(both, by="streams", first="dino", second="dino")
    assert 'First and second are both "dino": name two streams' in text_of(twice)
    assert len(list(found(twice, ".//form[@id='choice']").iter("select"))) == 2
    assert both.get("/compare", params={"by": "streams", "first": "nope"}).status_code == 404


# Which calls answer the same, and where nothing is beside


def test_the_calls_behind_the_page_are_answered(both: TestClient, twin: str) -> None:
    for params, expected in (
        ({}, {"evaluation", "evaluation-other", "comparison", "latents", "latents-other"}),
        ({"by": "streams"}, {"pairs", "mismatches-silent", "mismatches-different", "evaluation"}),
    ):
        page = asked(both, **params)
        calls = {call["key"]: call["path"] for call in json.loads(found(page, ".//script[@id='calls']").text or "")}
        assert set(calls) == expected
        for path in calls.values():
            assert both.get(path).status_code == 200, path
        if "latents-other" in calls:
            latents = both.get(calls["latents-other"]).json()["latents"]
            assert sorted(latent["id"] for latent in latents) == sorted(latents_of(page))
            assert f"bundle={twin}" in calls["evaluation-other"]


def test_alone_the_page_opens_on_streams_and_says_how_to_serve_another(client: TestClient) -> None:
    page = asked(client)
    assert text_of(found(page, ".//nav[@class='tabs']/a[@aria-current='page']")) == "Streams"
    assert found(page, ".//div[@id='scatter']").get("data-second") == "clip_txt"
    alone = asked(client, by="bundles")
    assert "sparc-serve --bundle THIS --beside PATH" in text_of(alone)
    assert not classed(alone, "li", "glance__row")


def test_evaluation_leads_to_the_comparison_where_there_is_one(both: TestClient, client: TestClient, twin: str) -> None:
    page = tree_of(both.get("/evaluation").text)
    (link,) = (link for link in page.iter("a") if link.get("href") == f"/compare?other={twin}")
    assert text_of(link) == "Compare with local selection, no cross loss"
    assert "Compare with" not in client.get("/evaluation").text
