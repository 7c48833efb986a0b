"""`sparc-build doctor`: each thing that can be off is found, and a healthy project is called healthy."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from index_build.corpora.base import CorpusItem, Label, Rejected
from index_build.doctor.examine import Finding, examine
from index_build.features.extraction import compute_features
from index_build.features.store import FeatureStore
from index_build.recipe import Recipe, StreamRecipe
from index_build.training.options import TrainingOptions
from index_build.training.run import train_sparc
from sparc_core.checkpoint import save_sparc
from tests.build.build_fakes import load_fake

N = 240
STREAMS = {
    "eye": StreamRecipe("image", "fake:eye"),
    "camera": StreamRecipe("image", "fake:camera"),
    "text": StreamRecipe("text", "fake:text"),
}
OPTIONS = TrainingOptions(n_latents=32, k=4, auxk=4, num_epochs=30, batch_size=32, lr=3e-3)


class ColourReader:
    """A picture in the colour of its name."""

    def read(self, picture: str) -> Image.Image:
        if picture.startswith("gone"):
            raise FileNotFoundError(picture)
        i = int(picture)
        return Image.new("RGB", (20, 20), (30 * (i % 8), 60 * (i // 8 % 4), 80 * (i // 32 % 3)))


class Colours:
    """Pictures of 96 colours, with captions that name them."""

    name, licence, labels = "colours", "none", (Label("colour", "label"),)
    settings: dict[str, Any] = {}  # noqa: RUF012 (never written)
    reader = ColourReader()

    def __init__(self, change: Callable[[int, CorpusItem], CorpusItem | Rejected] = lambda row, item: item) -> None:
        self.change = change

    def items(self) -> Any:
        for i in range(N):
            text = f"red{i % 8} green{i // 8 % 4} blue{i // 32 % 3}"
            item = CorpusItem(str(i), str(i), text, (), "test" if i % 10 == 0 else "train")
            yield self.change(i, item)


def features_of(stream: str) -> np.ndarray:
    backbone, items = load_fake(STREAMS[stream].backbone), list(Colours().items())
    inputs = [i.caption if stream == "text" else Colours.reader.read(i.picture) for i in items]
    return compute_features(backbone, inputs)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Feature files of all streams, and a model trained on them."""
    folder = tmp_path_factory.mktemp("project")
    features = {stream: features_of(stream) for stream in STREAMS}
    for stream, x in features.items():
        np.save(folder / f"{stream}.npy", x)
    model = train_sparc(FeatureStore.of(features), OPTIONS, folder / "run")
    save_sparc(model, folder / "sparc.safetensors")
    return folder


def findings(recipe: Recipe, corpus: Colours | None = None) -> list[Finding]:
    return list(examine(corpus or Colours(), recipe, load_fake))


def wrong(found: list[Finding]) -> list[str]:
    return [f"{f.about}: {f.text}" for f in found if f.level == "wrong"]


def given(project: Path, model: bool = True, **files: Path) -> Recipe:
    """A recipe with given features for all streams, beside their backbones, and the trained model."""
    streams = {name: replace(s, features=files.get(name, project / f"{name}.npy")) for name, s in STREAMS.items()}
    return Recipe(OPTIONS, streams, (), model=project / "sparc.safetensors" if model else None)


def test_a_healthy_project_to_train(project: Path) -> None:
    found = findings(Recipe(OPTIONS, STREAMS))
    assert [f.level for f in found] == ["ok"] * len(found), found
    assert "240 items, 240 pictures, 24 held out" in found[0].text


def test_a_healthy_project_to_import(project: Path) -> None:
    found = findings(given(project))
    assert not wrong(found), found
    assert sum("the file's features are the backbone's" in f.text for f in found) == 3
    assert sum("NMSE" in f.text and f.about.startswith("model, ") for f in found) == 3
    assert any(f.about == "item alignment" and f.level == "ok" for f in found)


def test_captions_that_are_missing(project: Path) -> None:
    nothing = Colours(lambda row, item: replace(item, caption=""))
    assert wrong(findings(Recipe(OPTIONS, STREAMS), nothing))[0].startswith("corpus: no item has a caption")
    some = Colours(lambda row, item: replace(item, caption="") if row == 3 else item)
    found = findings(Recipe(OPTIONS, STREAMS), some)
    assert any(f.level == "odd" and "1 items have no caption" in f.text for f in found)
    assert not wrong(found)


def test_pictures_and_rows_that_cannot_be_used(project: Path) -> None:
    def change(row: int, item: CorpusItem) -> CorpusItem | Rejected:
        if row < 120:
            return replace(item, picture=f"gone {row}")
        return Rejected("", "", "the row names no picture") if row == 200 else item

    found = findings(Recipe(OPTIONS, STREAMS), Colours(change))
    odd = [f.text for f in found if f.level == "odd"]
    assert any("1 entries cannot be items" in text and "the row names no picture" in text for text in odd)
    assert any("sampled pictures cannot be used" in text and "the file is gone" in text for text in odd)
    gone = Colours(lambda row, item: replace(item, picture=f"gone {row}"))
    assert "24 of 24" in wrong(findings(Recipe(OPTIONS, STREAMS), gone))[0]


def test_a_backbone_of_the_other_modality() -> None:
    streams = STREAMS | {"text": StreamRecipe("image", "fake:text")}
    assert wrong(findings(Recipe(OPTIONS, streams))) == [
        "stream text: fake:text takes texts, the stream is of modality image: "
        "correct modality, or name the other tower with #image"
    ]


def test_sizes_that_do_not_suit() -> None:
    big = replace(OPTIONS, n_latents=512, batch_size=1000)
    odd = [f.text for f in findings(Recipe(big, STREAMS)) if f.level == "odd"]
    assert any("512 latents for 216 items is many" in text and "n_latents = 32 fits" in text for text in odd)
    assert any("batch_size 1000 is more than the 216 items" in text for text in odd)


def test_features_out_of_order(project: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "eye.npy", np.load(project / "eye.npy")[::-1])
    found = wrong(findings(given(project, model=False, eye=tmp_path / "eye.npy")))
    assert len(found) == 1
    assert found[0].startswith("stream eye: ")


def test_features_of_another_tower(project: Path, tmp_path: Path) -> None:
    other = np.random.RandomState(0).standard_normal((N, 12)).astype(np.float32)
    np.save(tmp_path / "eye.npy", other)
    found = wrong(findings(given(project, eye=tmp_path / "eye.npy")))
    assert any(text.startswith("stream eye: the file's features are not the backbone's") for text in found)
    assert any(text.startswith("model, eye: NMSE") and "worse than knowing nothing" in text for text in found)


def test_features_of_another_width(project: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "eye.npy", np.random.RandomState(0).standard_normal((N, 9)))
    found = wrong(findings(given(project, eye=tmp_path / "eye.npy")))
    assert any("has width 9, the backbone gives 12" in text for text in found)
    assert any(text.startswith("model: stream eye has features of width 9") for text in found)


def test_features_nearly_the_backbones(project: Path, tmp_path: Path) -> None:
    x = np.load(project / "eye.npy")
    noisy = x + 0.12 * np.random.RandomState(0).standard_normal(x.shape).astype(np.float32)
    np.save(tmp_path / "eye.npy", noisy)
    found = findings(given(project, model=False, eye=tmp_path / "eye.npy"))
    assert any(f.level == "odd" and "resemble the backbone's" in f.text for f in found)


def test_rows_of_different_items(project: Path, tmp_path: Path) -> None:
    """Without backbones to ask, only the model can tell that one stream's rows are shifted."""
    shuffled = np.load(project / "eye.npy")[np.random.RandomState(0).permutation(N)]
    np.save(tmp_path / "eye.npy", shuffled)
    recipe = given(project, eye=tmp_path / "eye.npy", text=project / "text.npy")
    streams = {name: replace(stream, backbone="") for name, stream in recipe.streams.items()}
    rolled = np.load(project / "camera.npy")[np.random.RandomState(1).permutation(N)]
    np.save(tmp_path / "camera.npy", rolled)
    streams["camera"] = replace(streams["camera"], features=tmp_path / "camera.npy")
    found = wrong(findings(replace(recipe, streams=streams)))
    assert any(text.startswith("item alignment: cross-NMSE") for text in found), found


def test_a_model_of_other_streams(project: Path) -> None:
    recipe = given(project)
    streams = {name: stream for name, stream in recipe.streams.items() if name != "text"}
    found = wrong(findings(replace(recipe, streams=streams)))
    model = project / "sparc.safetensors"
    text = f"the model at {model} has streams eye, camera, text, the build has eye, camera"
    assert found == [f"model: {text}: name the build's streams as the model does"]
