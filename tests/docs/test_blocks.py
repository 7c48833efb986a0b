"""Blocks that are not run: every one says what it is, and files that readers copy are read by what reads them."""

import json
import tomllib
from typing import Any

import pytest
import yaml

from index_build.config.tables import parse_config
from tests.docs.blocks import READ, RUN, SHOWN, Block, blocks_of, documents

PROMPTS = ("$ ", "% ", "> ")
# A file shows the tables that its text is about; these stand for the others, which every sparc.toml has.
OTHERS: dict[str, Any] = {
    "corpus": {"kind": "folder", "path": "photos"},
    "streams": {"dino": {"backbone": "storybook:dino"}},
}


def _blocks(*languages: str) -> list[Any]:
    blocks = [block for document in documents() for block in blocks_of(document) if block.language in languages]
    return [pytest.param(block, id=str(block)) for block in blocks]


@pytest.mark.parametrize("document", documents())
def test_every_block_says_what_it_is(document: str) -> None:
    known = (*RUN, *READ, *SHOWN)
    for block in blocks_of(document):
        assert block.language in known, f"{block} is tagged {block.language!r}: choose from {', '.join(known)}"


@pytest.mark.parametrize("block", _blocks(*SHOWN))
def test_no_command_hides_in_what_is_only_shown(block: Block) -> None:
    typed = [line for line in block.text.splitlines() if line.startswith(PROMPTS)]
    assert not typed, f"{block} shows what somebody types: tag it sh, without the prompt, so that it is run"


@pytest.mark.parametrize("block", _blocks("toml"))
def test_what_goes_into_a_sparc_toml_is_taken(block: Block) -> None:
    parse_config(OTHERS | tomllib.loads(block.text), str(block))


@pytest.mark.parametrize("block", _blocks("json"))
def test_json_is_json(block: Block) -> None:
    assert json.loads(block.text)


@pytest.mark.parametrize("block", _blocks("yaml"))
def test_yaml_is_of_a_kind_that_is_known(block: Block) -> None:
    """Compose files, manifests of Kubernetes, Prometheus' settings: each by the keys that such a file must have."""
    for content in yaml.safe_load_all(block.text):
        assert content.keys() & {"services", "scrape_configs"} or {"apiVersion", "kind", "metadata"} <= content.keys()
