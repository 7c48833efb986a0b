"""The small parts: texts, compact lists, large JSON, splits."""

import io
import json
import math
from array import array
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index_build.corpora import json_arrays
from index_build.corpora.compact import Groups, Texts
from index_build.corpora.json_arrays import read_arrays
from index_build.corpora.pictures import name_below, unsupported, wrong_suffix
from index_build.corpora.splits import draw_lots, split_of_word
from index_build.corpora.storage import Storage
from index_build.corpora.text import bounded_caption, bounded_id, one_line, strings
from sparc_core.errors import InputError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  a\tred\r\n cat ", "a red cat"),
        ("nul\x00 and\x1b[31m escape", "nul and [31m escape"),
        ("half \ud83d emoji, whole 😀", "half emoji, whole 😀"),
        ("line\u2028separator\x85next\xa0space", "line separator next space"),
        ("\x00\n", ""),
    ],
)
def test_captions_are_one_line(text: str, expected: str) -> None:
    assert one_line(text) == expected


@given(st.text(alphabet=st.characters(exclude_categories=())))
def test_one_line_is_valid_unicode_and_stays_as_it_is(text: str) -> None:
    line = one_line(text)
    line.encode()
    assert one_line(line) == line
    assert not any(ord(character) < 32 for character in line)


def test_long_captions_end_between_words() -> None:
    assert bounded_caption("x" * 2000) == "x" * 2000
    assert bounded_caption("x" * 2001) == "x" * 2000
    assert bounded_caption("word " * 400 + "word") == ("word " * 400).strip()
    assert bounded_caption("y" * 1990 + " " + "z" * 20) == "y" * 1990


@given(st.text(), st.text())
def test_ids_are_printable_bounded_and_mostly_apart(one: str, other: str) -> None:
    ids = [bounded_id(text * 50) for text in (one, other)]
    assert all(len(text) <= 180 and (text == "" or text.isprintable()) for text in ids)
    if len(one) > 4 and one.isprintable() and other.isprintable() and (one * 50).strip() != (other * 50).strip():
        assert ids[0] != ids[1]


def test_ids_say_what_they_were() -> None:
    assert bounded_id(" a/b c ") == "a:b c"
    assert bounded_id("a\nb\x7f") == "a_b_"
    assert bounded_id("q" * 180) == "q" * 180
    assert bounded_id("q" * 181).startswith("q" * 160 + "~")
    assert len(bounded_id("q" * 500)) == 177


def test_values_as_strings() -> None:
    assert strings(None) == ()
    assert strings("a, b") == ("a, b",)
    assert strings("a,b", ",") == ("a", "b")
    assert strings(["a", None, 3], ",") == ("a", "3")
    assert strings(7) == ("7",)


@given(st.lists(st.text(alphabet=st.characters(exclude_categories=()))))
def test_texts_are_a_list(texts: list[str]) -> None:
    compact = Texts()
    for text in texts:
        compact.append(text)
    assert list(compact) == texts
    assert len(compact) == len(texts)


@given(st.lists(st.integers(-1, 5)))
def test_groups_keep_the_order_of_members(groups: list[int]) -> None:
    compact = Groups(array("q", groups), 6)
    for group in range(6):
        assert compact[group] == [member for member, at in enumerate(groups) if at == group]


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), JSON_VALUES, max_size=4), st.booleans(), st.integers(1, 9), st.booleans())
def test_arrays_of_large_json_equal_those_of_json(
    value: dict[str, Any], ascii_only: bool, chunk: int, indent: bool
) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=2 if indent else None)
    content = text.encode("utf-8", "replace")
    value = json.loads(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_arrays, "_CHUNK", chunk)
        found = list(read_arrays(io.BytesIO(content), "x.json"))
    expected = [(key, element) for key, array_ in value.items() if isinstance(array_, list) for element in array_]
    assert [(element.key, element.value) for element in found] == expected
    for element in found:
        assert json.loads(content[element.offset : element.offset + element.size]) == element.value


@pytest.mark.parametrize(
    "text", ["", "[]", '{"a": [1, 2', '{"a": [1 2]}', '{"a": [{]}', '{"a" [1]}', "{'a': 1}", '{"a": [1], ', "\0" * 99]
)
def test_damaged_json_is_an_input_error_with_a_place(text: str) -> None:
    with pytest.raises(InputError, match=r'"x.json" is damaged at byte \d+ \(.*\): a whole JSON object is expected'):
        list(read_arrays(io.BytesIO(text.encode()), "x.json"))


HASHES = st.lists(st.integers(0, 2**64 - 1), unique=True, min_size=1, max_size=60)


@given(HASHES, st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.7, 1.0]))
def test_splits_are_exact(hashes: list[int], share: float) -> None:
    lots = draw_lots(np.array(hashes, np.uint64), np.zeros(len(hashes), np.int8), share)
    n_test = sum(lots.split(value) == "test" for value in hashes)
    tenths = round(share * 10)
    assert n_test == math.ceil(tenths * len(hashes) / 10)
    assert lots.torn == frozenset()


@given(HASHES, st.integers(0, 2**64 - 1), st.sampled_from([0.1, 0.25, 0.5]))
def test_another_picture_moves_at_most_one(hashes: list[int], other: int, share: float) -> None:
    before, after = (
        draw_lots(np.array(values, np.uint64), np.zeros(len(values), np.int8), share)
        for values in (hashes, sorted({*hashes, other}))
    )
    assert sum(before.split(value) != after.split(value) for value in hashes) <= 1


def test_pictures_in_several_splits_are_torn() -> None:
    pictures = np.array([1, 1, 2, 2, 3, 4], np.uint64)
    lots = draw_lots(pictures, np.array([1, 2, 1, 1, 0, 0], np.int8), 0.5)
    assert lots.torn == {1}
    assert [lots.split(value) for value in (3, 4)] == ["test", "train"]


def test_a_torn_picture_takes_nobodys_place() -> None:
    lots = draw_lots(np.array([1, 1, 3, 4], np.uint64), np.array([0, 1, 0, 0], np.int8), 0.3)
    assert lots.torn == {1}
    assert [lots.split(value) for value in (3, 4)] == ["test", "train"]


def test_words_that_mean_splits() -> None:
    assert [split_of_word(word) for word in ("Train", "restval", " test ", "validation", "all", "")] == [
        "train",
        "train",
        "test",
        "test",
        None,
        None,
    ]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a/b.jpg", "a/b.jpg"),
        ("./a/../b.jpg", "b.jpg"),
        (" b.jpg ", "b.jpg"),
        ("/data/set/a.jpg", "a.jpg"),
        ("../b.jpg", None),
        ("a/../../b.jpg", None),
        ("/etc/passwd", None),
        ("/data/set/../x.jpg", None),
        ("https://host/a.jpg", None),
        (".", None),
    ],
)
def test_names_stay_below_the_folder(path: str, expected: str | None) -> None:
    assert name_below(Storage("/data/set"), path) == expected


def test_suffixes() -> None:
    assert not wrong_suffix("a.JPG")
    assert not wrong_suffix("a")
    assert "no suffix of a picture" in wrong_suffix("a.txt")
    assert ".heic pictures cannot be read" in unsupported("a.HEIC")
    assert not unsupported("a.tif")
    assert not unsupported("notes.txt")
