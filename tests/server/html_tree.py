"""A page as a tree that can be asked with ElementTree's paths."""

from html.parser import HTMLParser
from xml.etree.ElementTree import Element, TreeBuilder

_EMPTY = {"meta", "link", "img", "input", "br", "hr"}


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tree = TreeBuilder()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tree.start(tag, {name: value or "" for name, value in attributes})
        if tag in _EMPTY:
            self.tree.end(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in _EMPTY:
            self.tree.end(tag)  # an AssertionError where tags are not nested

    def handle_data(self, data: str) -> None:
        self.tree.data(data)


def tree_of(html: str) -> Element:
    """The page; every element that may have content must be closed."""
    reader = _Reader()
    reader.feed(html.strip())
    reader.close()
    return reader.tree.close()


def text_of(element: Element) -> str:
    """What is in it, with single spaces."""
    return " ".join("".join(element.itertext()).split())
