"""Bundles beside the main one: chosen by address, opened and replaced together, their backbones loaded once."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from server.app import create_app, open_all
from server.client import SparcClient
from server.client.call import PREFIX
from server.explorer import Explorer, open_explorer
from server.refusals import BundleRefusedError
from server.resources import Resources
from server.schemas import Info
from server.services import about
from server.serving import Serving
from server.settings import Settings
from sparc_core import __version__
from sparc_core.bundle import Bundle
from sparc_core.bundle.manifest import Manifest, read_manifest
from sparc_core.errors import BundleError, InputError
from tests.server.asking import run
from tests.server.test_cli import refused, serve
from tests.server.test_client_contract import CALLS, transport_to
from tests.server.test_serving import other_bundle, point

OF_NO_BUNDLE = {"/uploads", "/uploads/{upload_id}/image", "/admin/reload"}
IN_PATHS = {"latent_id": "3", "item_id": "s000003", "name": "retrieval"}
BODIES = [
    ("encode", {"text": "a red car"}),
    ("latents/search", {"text": "a red car", "limit": 5}),
    ("retrieve", {"query": [{"text": "a red car"}], "target": "dino", "limit": 5}),
    ("heatmaps", {"caption": "a red car", "n_items": 2}),
    ("heatmaps", {"latents": [3], "item_ids": ["s000003"], "streams": ["dino"]}),
]


def settings_of(main: Path, *beside: Path) -> Settings:
    return Settings(bundle=main, beside=beside, threads=1, device="cpu")


@pytest.fixture(scope="module")
def explorer(tiny_bundle: Path, twin_bundle: Path) -> Iterator[Explorer]:
    """The tiny bundle with its twin beside it."""
    resources, explorer = open_all(settings_of(tiny_bundle, twin_bundle))
    yield explorer
    resources.close()


@pytest.fixture(scope="module")
def both(tiny_bundle: Path, twin_bundle: Path) -> Iterator[TestClient]:
    """A service of the two."""
    with TestClient(create_app(settings_of(tiny_bundle, twin_bundle)), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="module")
def twin_alone(twin_bundle: Path) -> Iterator[TestClient]:
    """A service of the twin alone: what the other one must say of it."""
    with TestClient(create_app(settings_of(twin_bundle)), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="module")
def twin(twin_bundle: Path) -> str:
    """The twin's id."""
    return read_manifest(twin_bundle).bundle_id


@pytest.fixture(scope="module")
def main(tiny_bundle: Path) -> str:
    """The main bundle's id."""
    return read_manifest(tiny_bundle).bundle_id


def said(answer: Any) -> list[Any]:
    """The JSON of an answer, line by line, without how long it took."""
    assert answer.status_code == 200, answer.text
    lines = [json.loads(line) for line in answer.text.splitlines()]
    return [
        {k: v for k, v in line.items() if k != "milliseconds"} if isinstance(line, dict) else line for line in lines
    ]


# Choosing


def test_info_says_what_is_served_and_what_tells_the_bundles_apart(both: TestClient, main: str, twin: str) -> None:
    info = Info.model_validate(both.get("/api/v1/info").json())
    assert (info.bundle_id, info.title, info.selection, info.cross_loss_coef) == (main, "global selection", "global", 2)
    (beside,) = info.beside
    assert beside.model_dump() == {
        "bundle_id": twin, "title": "local selection, no cross loss", "corpus": "storybook", "n_items": 200,
        "n_latents": 64, "k": 6, "selection": "local", "cross_loss_coef": 0.0,
    }  # fmt: skip
    other = Info.model_validate(both.get("/api/v1/info", params={"bundle": twin}).json())
    assert (other.bundle_id, other.title, other.beside) == (twin, beside.title, [])


def test_the_address_chooses_the_bundle(
    both: TestClient, tiny_bundle: Path, twin_bundle: Path, main: str, twin: str
) -> None:
    tiny, local = (Bundle.open(path).latents.density["dino"].tolist() for path in (tiny_bundle, twin_bundle))
    for bundle_id, expected in ((None, tiny), (main, tiny), (twin, local)):
        params = {"bundle": bundle_id} if bundle_id else {}
        for latent in (3, 17):
            found = both.get(f"/api/v1/latents/{latent}", params=params).json()
            assert found["streams"][0]["density"] == expected[latent]
        page = both.get("/api/v1/latents", params={**params, "sort": "id", "limit": 64}).json()["latents"]
        assert [one["streams"][0]["density"] for one in page] == expected
    assert tiny != local, "or this test says nothing"


@pytest.mark.parametrize(("path", "body"), BODIES)
def test_questions_are_answered_as_if_that_bundle_were_alone(
    both: TestClient, twin_alone: TestClient, twin: str, path: str, body: dict[str, Any]
) -> None:
    asked, alone = both.post(f"/api/v1/{path}?bundle={twin}", json=body), twin_alone.post(f"/api/v1/{path}", json=body)
    assert said(asked) == said(alone)
    assert said(both.post(f"/api/v1/{path}", json=body)) != said(alone), "the main bundle says something else"


def test_the_client_reaches_the_other_bundle_with_every_method(both: TestClient, main: str, twin: str) -> None:
    with SparcClient("http://testserver", transport=transport_to(both), retries=0) as sparc:
        assert (sparc.info().bundle_id, sparc.info(bundle=twin).bundle_id) == (main, twin)
        for method, args, kwargs, _ in CALLS:
            if method != "upload":  # uploads belong to no bundle
                answer = getattr(sparc, method)(*args, bundle=twin, **kwargs)
                assert list(answer) if isinstance(answer, Iterator) else answer is not None


def test_every_operation_can_be_asked_of_a_bundle_and_refuses_one_that_is_not_served(
    both: TestClient, main: str, twin: str
) -> None:
    paths = both.get("/openapi.json").json()["paths"]
    operations = [(m, p, o) for p, methods in paths.items() if p.startswith(PREFIX) for m, o in methods.items()]
    of_bundles = [one for one in operations if one[1].removeprefix(PREFIX) not in OF_NO_BUNDLE]
    assert len(of_bundles) == len(operations) - len(OF_NO_BUNDLE)
    for method, path, operation in of_bundles:
        assert "bundle" in {one["name"] for one in operation["parameters"] if one["in"] == "query"}, path
        body = {} if method == "post" else None
        answer = both.request(method, path.format(**IN_PATHS), params={"bundle": "0" * 16}, json=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "bundle_not_found"), path
        message = answer.json()["error"]["message"]
        assert f"{main} (global selection), {twin} (local selection, no cross loss)" in message


@pytest.mark.parametrize("path", ["info", "labels", "latents/3", "items/s000003", "evaluation", "latents"])
def test_a_misspelt_parameter_is_refused(both: TestClient, twin: str, path: str) -> None:
    answer = both.get(f"/api/v1/{path}", params={"bundel": twin})
    assert (answer.status_code, answer.json()["error"]["detail"]) == (422, {"field": "bundel"})


@pytest.mark.parametrize(("path", "body"), BODIES)
def test_a_misspelt_parameter_of_a_question_is_refused(
    both: TestClient, twin: str, path: str, body: dict[str, Any]
) -> None:
    answer = both.post(f"/api/v1/{path}?bundel={twin}", json=body)
    assert (answer.status_code, answer.json()["error"]["detail"]) == (422, {"field": "bundel"})


def test_a_picture_comes_from_the_named_bundle_and_may_be_kept(both: TestClient, twin: str) -> None:
    plain, named = (
        both.get("/api/v1/items/s000003/image", params=p) for p in ({"size": 64}, {"size": 64, "bundle": twin})
    )
    assert named.content == plain.content, "both are made from one corpus"
    assert ("immutable" in plain.headers["cache-control"], "immutable" in named.headers["cache-control"]) == (
        False,
        True,
    )


def test_what_is_known_of_one_bundle_is_not_known_of_another(both: TestClient, main: str, twin: str) -> None:
    tags = {bundle_id: f'W/"{bundle_id}-{__version__}"' for bundle_id in (main, twin)}
    for params, bundle_id in (({}, main), ({"bundle": main}, main), ({"bundle": twin}, twin)):
        for path in ("/api/v1/info", "/api/v1/latents/3", "/api/v1/latents"):
            answer = both.get(path, params=params)
            assert (answer.status_code, answer.headers["etag"]) == (200, tags[bundle_id]), path
            for other, tag in tags.items():
                again = both.get(path, params=params, headers={"If-None-Match": tag})
                assert again.status_code == (304 if other == bundle_id else 200), path
    unknown = both.get("/api/v1/info", params={"bundle": "b1"}, headers={"If-None-Match": f'W/"b1-{__version__}"'})
    assert (unknown.status_code, "etag" in unknown.headers) == (404, False)


def test_pages_show_the_main_bundle(both: TestClient, tiny_bundle: Path, twin_bundle: Path) -> None:
    names = [Bundle.open(path).latents.name[3] for path in (tiny_bundle, twin_bundle)]
    assert names[0] != names[1], "or this test says nothing"
    assert names[0] in both.get("/latents/3").text


# Opening


def test_backbones_are_loaded_once(explorer: Explorer, twin: str) -> None:
    towers, others = explorer.towers, explorer.at(twin).towers
    assert list(towers.backbones) == ["dino", "clip_img", "clip_txt"]
    for stream, backbone in towers.backbones.items():
        assert others.backbones[stream] is backbone
    assert others.sparc is not towers.sparc


def test_metrics_name_every_bundle_and_add_up_their_caches(explorer: Explorer, main: str, twin: str) -> None:
    made = [explorer.items.thumbnail("s000003", 64), explorer.at(twin).items.thumbnail("s000003", 32)]
    readings = {(one.metric, *one.labels.values()): one.value for one in explorer.readings()}
    assert len(readings) == len(explorer.readings()), "no two have the same labels"
    assert [readings["sparc_bundle_info", bundle_id, "storybook"] for bundle_id in (main, twin)] == [1, 1]
    assert readings["sparc_cache_bytes", "thumbnails"] == sum(map(len, made))


def test_a_bundle_is_not_served_twice(tiny_bundle: Path, twin_bundle: Path, main: str, twin: str) -> None:
    for paths, bundle_id in (((tiny_bundle, tiny_bundle), main), ((tiny_bundle, twin_bundle, twin_bundle), twin)):
        resources = Resources(settings_of(*paths))
        with pytest.raises(InputError, match=f"bundle {bundle_id} is to be served twice, from .*: leave one of them"):
            open_explorer(resources)
        resources.close()


def test_a_bundle_beside_that_is_not_there_ends_in_one_line(tiny_bundle: Path, tmp_path: Path) -> None:
    line = refused(serve("--bundle", str(tiny_bundle), "--beside", str(tmp_path / "nowhere")))
    assert line.startswith(f"sparc-serve: no bundle at {tmp_path / 'nowhere'} to serve beside {tiny_bundle}")
    damaged = tmp_path / "damaged"
    shutil.copytree(tiny_bundle, damaged, ignore=shutil.ignore_patterns("media"))
    (damaged / "sparc.safetensors").unlink()
    resources = Resources(settings_of(tiny_bundle, damaged))
    with pytest.raises(BundleError, match=f"{damaged / 'sparc.safetensors'} is missing"):
        open_explorer(resources)
    resources.close()


@pytest.mark.parametrize(
    ("written", "expected"),
    [("", ()), ("b/local", (Path("b/local"),)), (" a b , c/d,", (Path("a b"), Path("c/d")))],
)
def test_the_environment_separates_bundles_by_commas(
    monkeypatch: pytest.MonkeyPatch, written: str, expected: tuple[Path, ...]
) -> None:
    monkeypatch.setenv("SPARC_BESIDE", written)
    assert Settings(_env_file=None).beside == expected  # type: ignore[call-arg]


# Replacing


def test_all_bundles_are_replaced_or_none(tiny_bundle: Path, twin_bundle: Path, tmp_path: Path, twin: str) -> None:
    main_link, twin_link, third, damaged = (tmp_path / name for name in ("main", "twin", "third", "damaged"))
    third_id = other_bundle(tiny_bundle, third, "third")
    damaged_id = other_bundle(twin_bundle, damaged, "damaged")
    (damaged / "sparc.safetensors").write_bytes(bytes((damaged / "sparc.safetensors").stat().st_size))
    point(main_link, tiny_bundle)
    point(twin_link, twin_bundle)
    resources, first = open_all(settings_of(main_link, twin_link))

    async def scenario() -> None:
        serving = Serving(first, lambda: open_explorer(resources))
        assert not (await serving.reload()).changed
        point(main_link, third)
        point(twin_link, damaged)
        with pytest.raises(BundleRefusedError):
            await serving.reload()
        assert serving.explorer is first, "the damaged one beside keeps the good main one out"
        point(main_link, tiny_bundle)
        point(twin_link, third)
        with serving.lend() as held:
            answer = await serving.reload(verify=True)
            assert (answer.changed, answer.bundle_id) == (True, answer.previous_id), "only the one beside changed"
            assert list(serving.explorer.served) == [answer.bundle_id, third_id]
            assert held.at(twin).latents.latent(3).id == 3, "a request keeps what it began with"
        assert damaged_id not in serving.explorer.served

    run(scenario())
    resources.close()


# What manifests say in short


def changed(manifest: Manifest, bundle_id: str, selection: str, **recipe: float) -> Manifest:
    sparc = manifest.sparc.model_copy(update={"selection": selection, "recipe": recipe})
    return manifest.model_copy(update={"bundle_id": bundle_id, "sparc": sparc})


def test_titles_tell_bundles_apart(tiny_bundle: Path) -> None:
    manifest = read_manifest(tiny_bundle)
    cases = [
        changed(manifest, "1234567890abcdef", "global", cross_loss_coef=1.0),
        changed(manifest, "abcdef1234567890", "global"),
        changed(manifest, "3" * 16, "local", cross_loss_coef=0),
        changed(manifest, "4" * 16, "global", cross_loss_coef=0),
        changed(manifest, "5" * 16, "local", cross_loss_coef=0.5),
    ]
    assert about.titles(cases) == [
        "global selection (123456)", "global selection (abcdef)", "local selection, no cross loss",
        "global selection, no cross loss", "local selection",
    ]  # fmt: skip
    assert [about.cross_loss_coef(case) for case in cases] == [1.0, None, 0.0, 0.0, 0.5]


def test_the_recall_of_an_approximate_index_is_its_lowest(tiny_bundle: Path) -> None:
    manifest = read_manifest(tiny_bundle)
    recalls = {"reconstructions.clip_txt.dino": 0.9, "features.dino.dino": 0.99, "features.clip_txt.clip_img": 0.7}
    approximate = manifest.model_copy(
        update={
            "streams": tuple(s.model_copy(update={"vectors": "hnsw"}) for s in manifest.streams),
            "metrics": {f"vector_recall_at_10.{name}": value for name, value in recalls.items()},
        }
    )
    streams = ("dino", "clip_img", "clip_txt")
    assert [about.vectors_recall(approximate, stream) for stream in streams] == [0.9, 0.7, None]
    assert {about.vectors_recall(manifest, stream) for stream in streams} == {None}, "exact indexes find all"
