"""The page Evaluation as HTML, without scripts: sections, tables, notes, and where they lead."""

import json
import math
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit
from xml.etree.ElementTree import Element

import pytest
from fastapi.testclient import TestClient

from server.explorer import Explorer
from sparc_core.evaluation.results import Evaluation, Liveness, Pattern, Settings
from sparc_core.evaluation.tables import tables_of
from tests.evaluation.evaluation_examples import probe
from tests.server.evaluated import N_CLASSES, full_evaluation, showing
from tests.server.html_tree import text_of, tree_of

SECTIONS = [
    "alignment", "latents", "probes", "classification", "retrieval", "reconstruction", "segmentation", "names",
    "stability",
]  # fmt: skip


@pytest.fixture(scope="module")
def hand_made(evaluated: tuple[TestClient, Explorer]) -> TestClient:
    return evaluated[0]


@pytest.fixture(scope="module")
def page(hand_made: TestClient) -> Element:
    return asked(hand_made)


def asked(client: TestClient) -> Element:
    answer = client.get("/evaluation")
    assert answer.status_code == 200
    return tree_of(answer.text)


def grid(page: Element, name: str) -> list[list[Element]]:
    """The cells of a table, its head first."""
    table = page.find(f".//table[@data-table='{name}']")
    assert table is not None, name
    return [list(row) for row in table.iter("tr")]


def texts(page: Element, name: str) -> list[list[str]]:
    return [[text_of(cell) for cell in row] for row in grid(page, name)]


def addresses(page: Element, name: str) -> dict[str, str]:
    """Where the links of a table lead, by their text; their order is the table's."""
    return {text_of(link): link.get("href", "") for row in grid(page, name) for cell in row for link in cell.iter("a")}


def section(page: Element, name: str) -> str:
    found = page.find(f".//section[@id='{name}']")
    assert found is not None, name
    return text_of(found)


def test_every_section_is_there_and_in_the_list(page: Element) -> None:
    assert [found.get("id") for found in page.iterfind(".//main//section")] == SECTIONS
    nav = page.find(".//nav[@class='contents']")
    assert nav is not None
    assert [link.get("href") for link in nav] == [f"#{name}" for name in SECTIONS]
    head = page.find(".//header[@class='page__head']")
    assert head is not None
    assert "Measured on 200 held-out items of storybook; seed 0." in text_of(head)


def test_every_table_has_its_note_its_rows_and_its_files(page: Element) -> None:
    links = {link.get("href") for link in page.iter("a")}
    for table in tables_of(full_evaluation()):
        assert len(grid(page, table.name)) == 1 + len(table.rows)
        assert table.note in text_of(page)
        assert {f"/api/v1/evaluation/tables/{table.name}/{kind}" for kind in ("csv", "latex")} <= links
    assert not any("tables/density" in (link or "") for link in links), "the API has no such table"


def test_streams_are_called_as_everywhere_and_selections_in_words(page: Element) -> None:
    head, *rows = texts(page, "active-items")
    assert head == ["Selection", "First stream", "Second stream", "Jaccard", "Dice", "Latents"]
    assert rows[0] == ["the model’s", "DINO", "CLIP image", "0.500", "0.600", "7"]
    assert "Jaccard of DINO and CLIP text" in texts(page, "profiles")[0]


def test_published_figures_are_marked_and_ours_are_not(page: Element) -> None:
    head, *rows = grid(page, "probes")
    marked = [text_of(cell) for cell in head if "grid__published" in cell.get("class", "")]
    assert marked == ["Published cross-entropy"]
    assert [[text_of(cell) for cell in row if "grid__published" in cell.get("class", "")] for row in rows] == [
        ["0.541"],
        ["0.565"],
    ]


def test_the_head_has_six_figures_that_lead_to_their_sections(page: Element) -> None:
    figures = page.find(".//ul[@class='headline']")
    assert figures is not None
    assert [(link.get("href"), *map(text_of, link)) for link in figures.iter("a")] == [
        ("#alignment", "Agreement on classes", "0.500", "Jaccard; 0.500 if each stream selects"),
        ("#retrieval", "Text finds image", "0.500", "R@10 by latents; 0.500 by features"),
        ("#latents", "Dead latents", "3", "25% of 12"),
        ("#probes", "Probe cross-entropy", "0.350", "by chance 0.693; less is better"),
        ("#reconstruction", "Reconstruction error", "0.100", "NMSE, mean over streams; 0 is perfect"),
        ("#names", "Names predict activity", "0.900", "AUROC; by chance 0.5"),
    ]


def test_the_figures_are_of_the_own_corpus(evaluated: tuple[TestClient, Explorer]) -> None:
    client, explorer = evaluated
    whole = full_evaluation()
    elsewhere = [row.model_copy(update={"inside": False, "corpus": "coco", "at_10": 1.0}) for row in whole.retrieval]
    with showing(explorer, whole.model_copy(update={"retrieval": (*whole.retrieval, *elsewhere)})):
        page = asked(client)
    figure = page.find(".//ul[@class='headline']//a[@href='#retrieval']")
    assert figure is not None
    assert [text_of(part) for part in figure] == ["Text finds image", "0.500", "R@10 by latents; 0.500 by features"]


def test_amounts_are_set_flush_right(page: Element) -> None:
    for cells in grid(page, "weakest-names"):
        assert ["grid__number" in cell.get("class", "") for cell in cells] == [False, False, False, True]


def test_latents_lead_to_their_pages_and_are_named(page: Element, evaluated: tuple[TestClient, Explorer]) -> None:
    names = evaluated[1].latents.names
    assert addresses(page, "weakest-names") == {"11": "/latents/11", "2": "/latents/2"}
    first = grid(page, "probe-classes")[1]
    assert [text_of(cell) for cell in first if cell.find("a") is not None][1:] == [f"0 {names[0]}", f"40 {names[40]}"]


def test_classes_lead_to_their_latents_or_to_those_near_their_meaning(
    hand_made: TestClient, evaluated: tuple[TestClient, Explorer]
) -> None:
    client, explorer = evaluated
    label = next(label for label in explorer.bundle.latents.label if label is not None)
    known = full_evaluation().model_copy(update={"probes": (probe("dino", label, 1), probe("dino", "no & such", 2))})
    with showing(explorer, known):
        found = addresses(asked(client), "probe-classes")
    of_label = client.get(found[label].replace("/?", "/api/v1/latents?")).json()
    assert of_label["total"] == sum(other == label for other in explorer.bundle.latents.label)
    assert found["no & such"] == "/find?text=no+%26+such"


def test_rows_about_dead_latents_lead_to_exactly_those(evaluated: tuple[TestClient, Explorer]) -> None:
    client, explorer = evaluated
    table = explorer.bundle.latents
    streams = list(table.density)
    alive = [tuple(s for s in streams if table.density[s][latent] > 0) for latent in range(len(table))]
    counts = {streams_of: alive.count(streams_of) for streams_of in dict.fromkeys(alive)}
    liveness = Liveness(
        alive_in_all=counts.get(tuple(streams), 0),
        alive_in_some=sum(n for pattern, n in counts.items() if 0 < len(pattern) < len(streams)),
        dead_in_all=counts.get((), 0),
        dead_in={stream: sum(stream not in pattern for pattern in alive) for stream in streams},
        patterns=tuple(Pattern(alive_in=pattern, n_latents=n) for pattern, n in counts.items()),
    )
    with showing(explorer, Evaluation(settings=Settings(n_latents=64), liveness=liveness)):
        page = asked(client)
    links = addresses(page, "dead-latents")
    rows = {row[0]: int(row[1]) for row in texts(page, "dead-latents")[1:]}
    assert set(links) == {text for text, n in rows.items() if n}
    for text, href in links.items():
        answer = client.get(f"/api/v1/latents?{urlsplit(href).query}").json()
        assert answer["total"] == rows[text], text


def test_rows_about_patterns_lead_to_the_latents_with_that_pattern(page: Element) -> None:
    links = addresses(page, "dead-latents")
    assert links["alive in CLIP text only"] == "/?active_in=clip_txt&silent_in=dino&silent_in=clip_img"
    assert links["alive in DINO + CLIP image only"] == "/?active_in=dino&active_in=clip_img&silent_in=clip_txt"


def test_pairs_lead_to_their_mismatches_and_tables_to_the_gallery(page: Element) -> None:
    links = [link.get("href", "") for row in grid(page, "active-items")[1:] for link in row[3].iter("a")]
    assert [parse_qs(urlsplit(href).query) for href in links] == [
        {"strong": ["dino"], "weak": ["clip_img"]},
        {"strong": ["dino"], "weak": ["clip_txt"]},
        {"strong": ["clip_img"], "weak": ["clip_txt"]},
    ]
    everywhere = {link.get("href") for link in page.iter("a")}
    assert {"/?sort=profile_alignment", "/?sort=name_quality", "/?sort=density"} <= everywhere


def test_every_link_of_the_page_leads_somewhere(hand_made: TestClient, page: Element) -> None:
    ids = {element.get("id") for element in page.iter() if element.get("id")}
    for href in {link.get("href", "") for link in page.iter("a")}:
        if href.startswith("#"):
            assert href[1:] in ids, href
        else:
            assert hand_made.get(href).status_code == 200, href


def test_densities_are_a_table_without_its_empty_ends(page: Element) -> None:
    assert texts(page, "density") == [
        ["Density", "DINO", "CLIP image", "CLIP text"],
        ["1% to 10%", "5", "5", "5"],
        ["10% to 100%", "6", "6", "6"],
    ]
    assert addresses(page, "density")["1% to 10%"] == "/?sort=density&min_density=0.01&max_density=0.1"


def test_long_tables_scroll_and_those_to_look_things_up_are_folded(page: Element) -> None:
    folded = [fold for fold in page.iter("details") if fold.get("class") == "fold"]
    assert [text_of(fold[0]) for fold in folded] == [f"Table of {N_CLASSES} rows"]
    boxes = [box for box in page.iter("div") if box.get("role") == "region"]
    long = {table.get("data-table") for box in boxes if "grid-box--long" in box.get("class", "") for table in box}
    assert long == {"probe-classes"}


def test_corpora_are_named_only_where_there_are_two(evaluated: tuple[TestClient, Explorer]) -> None:
    client, explorer = evaluated
    assert texts(asked(client), "retrieval")[0][:3] == ["Where", "Corpus", "By"]
    whole = full_evaluation()
    inside = tuple(row for row in whole.retrieval if row.inside)
    with showing(explorer, whole.model_copy(update={"retrieval": inside})):
        page = asked(client)
    assert texts(page, "retrieval")[0][:3] == ["By", "Query", "Target"]
    assert page.find(".//select[@name='corpus']") is None


def test_two_corpora_of_one_name_have_plots_of_their_own(evaluated: tuple[TestClient, Explorer]) -> None:
    client, explorer = evaluated
    whole = full_evaluation()
    second = [row.model_copy(update={"inside": False, "at_1": 0.0}) for row in whole.retrieval if row.inside]
    inside = tuple(row for row in whole.retrieval if row.inside)
    with showing(explorer, whole.model_copy(update={"retrieval": (*second, *inside)})):
        page = asked(client)
    choice = page.find(".//select[@name='corpus']")
    assert choice is not None
    assert [option.text for option in choice] == ["storybook", "storybook (second)"]
    script = page.find(".//script[@id='plot-data']")
    assert script is not None
    panels = json.loads(script.text or "")["recalls"]
    first = {(p["corpus"], way["recalls"][0]) for p in panels for way in p["ways"]}
    assert first == {("storybook", 0.125), ("storybook (second)", 0.0)}


def test_plots_get_what_was_measured(page: Element, evaluated: tuple[TestClient, Explorer]) -> None:
    script = page.find(".//script[@id='plot-data']")
    assert script is not None
    plots = json.loads(script.text or "")
    assert plots["chance"] == pytest.approx(math.log(2))
    own = plots["profiles"][0]
    assert (own["selection"], own["depths"]) == ("own", [0, 1, 2])
    assert own["pairs"][1] == {"first": "dino", "second": "clip_txt", "jaccard": [0.25, 0.25, 0.25]}
    assert own["published"] == [0.8118, 0.8056, 0.8032]
    assert plots["profiles"][1]["published"] == [None, None]
    dino, text = plots["probes"]
    assert [dino["stream"], text["stream"]] == ["dino", "clip_txt"]
    assert dino["labels"][:2] == ["class 0", "class 1"], "the best told first"
    assert text["names"][0] == evaluated[1].latents.names[40]
    assert [(p["corpus"], p["query"], p["target"]) for p in plots["recalls"]] == [
        ("storybook", "dino", "clip_txt"),
        ("storybook", "clip_img", "clip_txt"),
        ("storybook", "clip_txt", "clip_img"),
        ("coco", "clip_img", "clip_txt"),
    ]
    assert plots["recalls"][2]["ways"] == [
        {"way": "latent", "recalls": [0.125, 0.25, 0.5]},
        {"way": "backbone", "recalls": [0.125, 0.25, 0.5]},
    ]
    drawn = [figure.get("data-plot") for figure in page.iter("figure")]
    assert drawn == ["profiles", "density", "probes", "retrieval"]


@pytest.fixture
def nearly_empty(evaluated: tuple[TestClient, Explorer]) -> Iterator[Element]:
    client, explorer = evaluated
    skipped = {"probes": "40 items are too few to learn from", "segmentation": "the corpus has no masks"}
    with showing(explorer, Evaluation(settings=Settings(n_items=5, n_measured=5), skipped=skipped)):
        yield asked(client)


def test_what_was_not_measured_is_said_with_its_reason_and_what_to_type(nearly_empty: Element) -> None:
    assert list(nearly_empty.iter("table")) == []
    assert list(nearly_empty.iter("figure")) == []
    probes = section(nearly_empty, "probes")
    assert "Probes were not measured: 40 items are too few to learn from." in probes
    assert "To measure it, type sparc-build evaluate BUNDLE" in probes
    assert "the corpus has no masks" in section(nearly_empty, "segmentation")
    assert "--config sparc.toml" in section(nearly_empty, "segmentation")
    assert "Stability was not measured." in section(nearly_empty, "stability")
    assert "since none were held out" in text_of(nearly_empty)


def test_a_bundle_without_measurements_says_only_that(evaluated: tuple[TestClient, Explorer]) -> None:
    client, explorer = evaluated
    with showing(explorer, Evaluation()):
        page = asked(client)
    assert list(page.iterfind(".//main//section")) == []
    main = page.find(".//main")
    assert main is not None
    assert "This bundle was published without measurements. To make them, type sparc-build evaluate BUNDLE" in text_of(
        main
    )


def test_the_page_of_a_real_bundle_names_what_it_could_not_measure(client: TestClient) -> None:
    page = asked(client)
    assert len(grid(page, "dead-latents")) > 1
    assert "were not measured: 40 items are too few to learn from" in section(page, "probes")


def test_a_latents_page_has_its_two_figures_where_they_exist(client: TestClient) -> None:
    latents = client.get("/api/v1/latents", params={"limit": 200}).json()["latents"]
    measured = next(latent for latent in latents if latent["profile_alignment"] is not None)
    figures = figures_of(client, measured["id"])
    assert figures["profile alignment"] == f"{measured['profile_alignment']:.2f}"
    for latent in latents:
        if latent["name_quality"] is None:
            assert "name quality" not in figures_of(client, latent["id"])
            break
    else:
        pytest.fail("every latent of the tiny bundle has a name that can be judged: test with another")


def figures_of(client: TestClient, latent: int) -> dict[str, str]:
    strip = tree_of(client.get(f"/latents/{latent}").text).find(".//dl[@class='figures']")
    assert strip is not None
    return {text_of(figure[0]).partition(" ?")[0]: text_of(figure[1]) for figure in strip}
