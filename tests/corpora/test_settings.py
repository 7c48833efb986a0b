"""Settings of corpora, as a build file has them."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from index_build.corpora import KINDS, CorpusSettings, FolderSettings, StorybookCorpus, StorybookSettings, open_corpus

ADAPTER: TypeAdapter[Any] = TypeAdapter(CorpusSettings)
DOCS = Path(__file__).parents[2] / "docs" / "corpora.md"


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_says_what_it_is_for(kind: str) -> None:
    model = KINDS[kind]
    assert model.model_fields["kind"].default == kind
    for name, field in model.model_fields.items():
        assert field.description, f"{kind}.{name}"
        assert field.description.endswith("."), f"{kind}.{name}"


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_is_in_the_documentation(kind: str) -> None:
    text = DOCS.read_text(encoding="utf-8")
    for name in KINDS[kind].model_fields:
        assert f"{name} =" in text or f"`{name}`" in text, f"{kind}.{name}"


def test_every_example_of_the_documentation_is_valid() -> None:
    blocks = [part.partition("```")[0] for part in DOCS.read_text(encoding="utf-8").split("```toml\n")[1:]]
    kinds = [ADAPTER.validate_python(tomllib.loads(block)["corpus"]).kind for block in blocks]
    assert set(kinds) == set(KINDS)


def test_the_kind_tells_settings_apart() -> None:
    assert ADAPTER.validate_python({"kind": "folder", "path": "x"}) == FolderSettings(path="x")
    with pytest.raises(ValidationError, match="does not match any of the expected tags"):
        ADAPTER.validate_python({"kind": "nonsense"})


@pytest.mark.parametrize(
    "settings",
    [
        {"kind": "folder"},
        {"kind": "folder", "path": ""},
        {"kind": "folder", "path": "x", "test_share": 1.5},
        {"kind": "folder", "path": "x", "test_share": float("nan")},
        {"kind": "folder", "path": "x", "limit": -1},
        {"kind": "folder", "path": "x", "captions": "all"},
        {"kind": "folder", "path": "x", "pattern": "*.jpg"},
        {"kind": "storybook", "n_train": 0},
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ADAPTER.validate_python(settings)


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError):
        FolderSettings(path="x").path = "y"  # type: ignore[misc]


def test_the_storybook_opens() -> None:
    settings = StorybookSettings(n_train=3, n_test=2, seed=5, picture_size=64)
    assert open_corpus(settings, Path("/nowhere")) == StorybookCorpus(3, 2, 5, 64)
