"""`sparc.toml`: what people write, what they get, what they are told."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from PIL import Image

from index_build.config.tables import read_config
from index_build.config.template import Backbones, ModelSize, config_text
from index_build.corpora import KINDS
from index_build.evaluation.options import EvaluationOptions
from sparc_core.errors import InputError

MINIMAL = """
[corpus]
kind = "folder"
path = "photos"
[streams.dino]
backbone = "storybook:dino"
"""


def build(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "index_build.cli", *map(str, arguments)]
    environment = {"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": "", "HF_HUB_OFFLINE": "1"}
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment, timeout=300)


def photos(folder: Path, n: int = 12) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(n):
        Image.effect_noise((60 + i, 40), 10 + 5 * i).convert("RGB").save(folder / f"{i}.jpg")
        (folder / f"{i}.txt").write_text(f"a cat number {i}\n")
    return folder


def write(folder: Path, text: str) -> Path:
    path = folder / "sparc.toml"
    path.write_text(text)
    return path


def test_paths_are_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos(tmp_path / "project" / "photos")
    monkeypatch.chdir(tmp_path)
    opened = read_config(write(tmp_path / "project", MINIMAL))
    assert opened.out == tmp_path / "project" / "bundle"
    assert opened.work == tmp_path / "project" / "work"
    assert len(list(opened.corpus().items())) == 12


def test_the_command_line_replaces_settings_of_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos(tmp_path / "project" / "photos")
    monkeypatch.chdir(tmp_path)
    opened = read_config(write(tmp_path / "project", MINIMAL + '[bundle]\nwork = "w"\n'))
    changed = opened.changed("bundle", {"out": tmp_path / "elsewhere", "work": None})
    assert (changed.out, changed.work) == (tmp_path / "elsewhere", tmp_path / "project" / "w")


def test_tables_become_a_recipe(tmp_path: Path) -> None:
    text = (
        MINIMAL
        + """
    [streams.clip_img]
    backbone = "storybook:clip_img"
    [streams.words]
    backbone = "storybook:clip_txt"
    [streams.given]
    features = "given.npy"
    modality = "text"
    [training]
    recipe = "published"
    k = 7
    [media]
    keep = "originals"
    [index]
    vectors = "hnsw"
    [evaluation]
    skip = ["names"]
    items = 0
    """
    )
    recipe = read_config(write(tmp_path, text)).recipe()
    assert {name: stream.modality for name, stream in recipe.streams.items()} == {
        "dino": "image", "clip_img": "image", "words": "text", "given": "text"
    }  # fmt: skip
    assert recipe.given == {"given": tmp_path / "given.npy"}
    assert recipe.shared_spaces == (("words", "clip_img"),)
    assert (recipe.training.k, recipe.training.lr) == (7, 1e-4)
    assert recipe.media.keep == "originals"
    assert recipe.vectors == "hnsw"
    assert recipe.evaluation == EvaluationOptions(seed=0, most_items=0, most_cases=200, skip=("names",))
    assert recipe.model is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[corpus", "sparc.toml is not TOML"),
        ("[streams.dino]\nbackbone = 'storybook:dino'", "corpus is missing"),
        ("[corpus]\nkind = 'folder'\npath = 'x'", "streams is missing"),
        ("[corpus]\nkind = 'zip'\npath = 'x'\n[streams.dino]\nbackbone = 'storybook:dino'", "corpus.*'zip'"),
        (MINIMAL + "[trainig]\nk = 3", "trainig is no setting"),
        (MINIMAL + "[training]\nkk = 3", "there is no training option 'kk': choose from .*k,"),
        (MINIMAL + "[training]\nk = 0", "k is 0: at least 1"),
        (MINIMAL + "[training]\nk = 'many'", "k is 'many'"),
        (MINIMAL + "[training]\nrecipe = 'best'", "recipe is 'best': choose from"),
        (MINIMAL + "[media]\nside = 3", "side is 3"),
        (MINIMAL + "[index]\nvectors = 'pq'", "index.vectors is 'pq': .*'exact', 'hnsw' or 'ivfpq'"),
        (MINIMAL + "[engine]\nkind = 'spark'", "engine.kind is 'spark'"),
        (MINIMAL + "[streams.Dino]\nbackbone = 'storybook:dino'", "Dino"),
        (MINIMAL + "[streams.x]", "give it a \"backbone\""),
        (MINIMAL + "[streams.x]\nfeatures = 'x.npy'", 'needs modality = "image" or "text"'),
        (MINIMAL + "[streams.x]\nbackbone = 'storybok:dino'", 'backbone "storybok:dino" is unknown'),
        (MINIMAL + "[evaluation]\nshared_spaces = [['a', 'dino']]", "names stream 'a'"),
        (MINIMAL + "[evaluation]\nskip = ['probe']", "there is no table 'probe' to skip: choose from retrieval"),
        (MINIMAL + "[evaluation]\ncases = 0", "evaluation.cases is 0"),
        ("[corpus]\nkind = 'folder'\npath = 'x'\ntest_share = 2\n[streams.dino]\nbackbone = 'storybook:dino'",
         "corpus.test_share is 2"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_sentence(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(InputError, match=message):
        read_config(path).recipe()


def test_commands_end_with_one_line_and_2(tmp_path: Path) -> None:
    for command in ("run", "doctor"):
        done = build(command, "nowhere.toml", cwd=tmp_path)
        assert done.returncode == 2
        assert "there is no nowhere.toml" in done.stderr
        assert done.stderr.count("\n") == 1
    write(tmp_path, MINIMAL)
    done = build("run", "sparc.toml", cwd=tmp_path)
    assert done.returncode == 2
    assert "photos" in done.stderr
    assert done.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["sparc.toml"]


def test_init_run_and_run_again(tmp_path: Path) -> None:
    photos(tmp_path / "photos", 40)
    (tmp_path / "photos" / "broken.jpg").write_bytes(b"")
    assert build("init", "folder", "photos", "--backbones", "storybook", cwd=tmp_path).returncode == 0
    path = tmp_path / "sparc.toml"
    text = path.read_text()
    path.write_text(text + "workers = 1\n")
    assert build("init", "folder", "photos", cwd=tmp_path).returncode == 2  # it does not overwrite
    plan = build("run", "sparc.toml", "--dry-run", cwd=tmp_path)
    assert plan.returncode == 0, plan.stderr
    assert plan.stdout.count("to do") == 10
    first = build("run", "sparc.toml", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    report = 'left out 1 of 41: bundles/photos/rejected.parquet says why ("broken.jpg": the file is empty)'
    assert report in first.stdout
    plan = build("run", "sparc.toml", "--dry-run", cwd=tmp_path)
    assert plan.stdout.count("already done") == 10
    plan = build("run", "sparc.toml", "--dry-run", "--out", "b", "--work", "w", cwd=tmp_path)
    assert plan.stdout.count("to do") == 10, "another work folder has nothing yet"
    assert re.search(r"│ bundle +│ b +│", plan.stdout)
    path.write_text(text.replace("k = 8\n", "k = 6\n"))
    plan = build("run", "sparc.toml", "--dry-run", cwd=tmp_path)
    assert plan.stdout.count("already done") == 5  # corpus, media, items, features, vectors
    (tmp_path / "photos" / "3.txt").write_text("another caption\n")
    plan = build("run", "sparc.toml", "--dry-run", cwd=tmp_path)
    assert plan.stdout.count("already done") == 0


@pytest.mark.parametrize("captions", [True, False])
@pytest.mark.parametrize("backbones", ["hub", "storybook"])
def test_init_names_backbones(tmp_path: Path, backbones: Backbones, captions: bool) -> None:
    folder = photos(tmp_path / "photos", 2)
    for text in [] if captions else folder.glob("*.txt"):
        text.unlink()
    streams = tomllib.loads(config_text("folder", str(folder), tmp_path, backbones))["streams"]
    specs = {
        "hub": [
            "transformers:facebook/dinov2-with-registers-base",
            "open_clip:ViT-B-16/datacomp_xl_s13b_b90k#image",
            "open_clip:ViT-B-16/datacomp_xl_s13b_b90k#text",
        ],
        "storybook": ["storybook:dino", "storybook:clip_img", "storybook:clip_txt"],
    }[backbones]
    assert [stream["backbone"] for stream in streams.values()] == specs[: 3 if captions else 2]
    assert list(streams) == ["dino", "clip_img", "clip_txt"][: 3 if captions else 2]


@pytest.mark.parametrize("kind", sorted(KINDS.keys() - {"storybook"}))
def test_init_asks_for_the_place_of_a_corpus(tmp_path: Path, kind: str) -> None:
    done = build("init", kind, cwd=tmp_path)
    assert done.returncode == 2
    assert f"a {kind} corpus needs its place" in done.stderr
    done = build("init", kind, "nowhere", cwd=tmp_path)
    assert done.returncode == 2
    assert "nowhere" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_storybook_has_a_file_too(tmp_path: Path) -> None:
    assert build("init", "storybook", cwd=tmp_path).returncode == 0
    assert '[index]\n# "exact";' in (tmp_path / "sparc.toml").read_text()
    recipe = read_config(tmp_path / "sparc.toml").recipe()
    assert recipe.vectors == "exact"
    assert recipe.training.n_latents == 224
    assert recipe.shared_spaces == (("clip_txt", "clip_img"),)


@pytest.mark.parametrize(
    ("n_items", "expected"),
    [
        (10, (64, 8, 64)),
        (700, (128, 8, 64)),
        (5_000, (512, 8, 256)),
        (41_000, (8192, 64, 256)),
        (10**7, (8192, 64, 256)),
    ],
)
def test_sizes_suit_the_corpus(n_items: int, expected: tuple[int, int, int]) -> None:
    size = ModelSize.for_items(n_items)
    assert (size.n_latents, size.k, size.batch_size) == expected
