"""The fenced blocks of the documents, as a reader meets them."""

from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
RUN = ("sh", "python")  # commands: somebody types them
READ = ("toml", "yaml", "json")  # files: somebody copies them
SHOWN = ("console", "text")  # output and file trees: nobody types them
_MARKDOWN = MarkdownIt("commonmark").enable("table")


@dataclass(frozen=True)
class Block:
    """One fenced block."""

    document: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.document}:{self.line}"


def documents() -> list[str]:
    """What people read, relative to the root: the README and everything in docs/ but decisions, which are history."""
    found = sorted((ROOT / "docs").rglob("*.md"))
    paths = [ROOT / "README.md", *(path for path in found if "decisions" not in path.parts)]
    return [path.relative_to(ROOT).as_posix() for path in paths]


def blocks_of(document: str) -> list[Block]:
    """The fenced blocks of a document, in order."""
    tokens = tokens_of(document)
    return [
        Block(document, (token.map or [0])[0] + 2, token.info.strip(), token.content)
        for token in tokens
        if token.type in ("fence", "code_block")
    ]


def tokens_of(document: str) -> list[Token]:
    """A document, parsed as GitHub parses it."""
    return _MARKDOWN.parse((ROOT / document).read_text(encoding="utf-8"))


def commands_of(document: str) -> list[Block]:
    """The blocks of a document that are run."""
    return [block for block in blocks_of(document) if block.language in RUN]
