"""Tables: CSV, TSV, JSON Lines, Parquet."""

import json
import pickle
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index_build.corpora import CorpusItem, Label, TableSettings, open_corpus
from index_build.corpora.base import Corpus
from sparc_core.errors import InputError
from tests.corpora.picture_files import by_id, items_of, picture_bytes, rejected_of, write_pictures

FLICKR = Path(__file__).parents[3] / "shared" / "data" / "flickr"


def _open(path: Path | str, **settings: Any) -> Corpus:
    return open_corpus(TableSettings.model_validate({"path": str(path), **settings}), Path("/nowhere"))


def _write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8", newline="")
    return path


ROWS = """image,caption,second,tags,key,part
img/a.jpg,"A cat, black",Another,"cat, black",1,train
img/b.jpg,"two
lines",,dog,2,val
./img/c.jpg,"She said ""hi"" twice",x,,3,test
"""
COLUMNS = {
    "caption_columns": ["caption", "second"],
    "labels_column": "tags",
    "item_id_column": "key",
    "split_column": "part",
}
EXPECTED = [
    CorpusItem("1", "img/a.jpg", "A cat, black Another", ("cat", "black"), "train"),
    CorpusItem("2", "img/b.jpg", "two lines", ("dog",), "test"),
    CorpusItem("3", "img/c.jpg", 'She said "hi" twice x', (), "test"),
]


def test_csv(tmp_path: Path) -> None:
    corpus = _open(_write(tmp_path / "t.csv", ROWS), **COLUMNS)
    assert list(corpus.items()) == EXPECTED
    assert corpus.labels == (Label("black", "label"), Label("cat", "label"), Label("dog", "label"))
    assert corpus.name == "t.csv"


def test_tsv_with_a_byte_order_mark_and_windows_lines(tmp_path: Path) -> None:
    text = '\ufeffimage\tcaption\r\na.jpg\tA "red" car, parked\r\n\r\nb.jpg\t\r\n'
    items = items_of(_open(_write(tmp_path / "t.tsv", text)))
    assert [(item.item_id, item.caption) for item in items] == [("a", 'A "red" car, parked'), ("b", "")]


def test_json_lines_with_lists(tmp_path: Path) -> None:
    rows = [
        {"image": "a.jpg", "captions": ["One.", "Two."], "item_id": 7, "tags": ["cat", "cat", 3]},
        {"image": "b.jpg", "captions": "One alone", "item_id": "b!"},
        {"image": "c.jpg", "captions": None, "item_id": "c", "tags": "x; y"},
    ]
    path = _write(tmp_path / "t.jsonl", "\n".join(json.dumps(row) for row in rows))
    settings = {"item_id_column": "item_id", "labels_column": "tags", "labels_separator": ";", "test_share": 0}
    corpus = _open(path, caption_columns="captions", **settings)
    assert list(corpus.items()) == [
        CorpusItem("7", "a.jpg", "One. Two.", ("cat", "3"), "train"),
        CorpusItem("b!", "b.jpg", "One alone", (), "train"),
        CorpusItem("c", "c.jpg", "", ("x", "y"), "train"),
    ]
    each = [item.item_id for item in items_of(_open(path, caption_columns="captions", captions="each", **settings))]
    assert each == ["7#0", "7#1", "b!#0", "c#0"]


def test_parquet_with_paths(tmp_path: Path) -> None:
    table = pa.table({"image": ["a.jpg", "b.jpg"], "caption": [["x", "y"], []], "n": [1, 2], "tags": [["t"], None]})
    pq.write_table(table, tmp_path / "t.parquet")
    corpus = _open(tmp_path / "t.parquet", labels_column="tags", item_id_column="n", test_share=0)
    assert list(corpus.items()) == [
        CorpusItem("1", "a.jpg", "x y", ("t",), "train"),
        CorpusItem("2", "b.jpg", "", (), "train"),
    ]


@pytest.mark.parametrize("as_struct", [True, False])
@pytest.mark.parametrize("place", ["local", "memory"])
def test_parquet_with_the_pictures_in_it(tmp_path: Path, as_struct: bool, place: str) -> None:
    pictures = [picture_bytes(seed) for seed in range(5)]
    cells: list[Any] = [{"bytes": p, "path": None} for p in pictures] if as_struct else list(pictures)
    cells[3] = None
    table = pa.table({"image": cells, "caption": [f"number {n}" for n in range(5)]})
    folder = tmp_path / "data"
    folder.mkdir()
    pq.write_table(table.slice(0, 2), folder / "part-0.parquet")
    pq.write_table(table.slice(2), folder / "part-1.parquet", row_group_size=2)
    base = str(folder)
    if place == "memory":
        fsspec.filesystem("memory").put(f"{folder}/", f"{folder}/", recursive=True)
        base = f"memory://{folder}"
    corpus = _open(f"{base}/part-{{0..1}}.parquet", test_share=0)
    assert [(item.item_id, item.picture, item.caption) for item in items_of(corpus)] == [
        ("part-0-000000", "part-0.parquet#0", "number 0"),
        ("part-0-000001", "part-0.parquet#1", "number 1"),
        ("part-1-000000", "part-1.parquet#0", "number 2"),
        ("part-1-000002", "part-1.parquet#2", "number 4"),
    ]
    (rejected,) = rejected_of(corpus)
    assert rejected.reason == 'part-1.parquet, row 1: column "image" has no picture'
    pickled = pickle.dumps(corpus.reader)
    assert len(pickled) < 1000
    reader = pickle.loads(pickled)
    wanted = {"part-0.parquet#1": 1, "part-1.parquet#2": 4, "part-1.parquet#0": 2, "part-0.parquet#0": 0}
    for name, number in wanted.items():
        assert reader.read(name) == pictures[number]
    for name in ("part-1.parquet#1", "part-1.parquet#3", "part-2.parquet#0", "part-0.parquet", "x#y"):
        with pytest.raises(FileNotFoundError):
            reader.read(name)


def test_parquet_pictures_alone_need_no_other_column(tmp_path: Path) -> None:
    pq.write_table(pa.table({"image": [picture_bytes(0), picture_bytes(1)]}), tmp_path / "t.parquet")
    items = items_of(_open(tmp_path / "t.parquet", caption_columns=[]))
    assert [item.item_id for item in items] == ["t-000000", "t-000001"]


def test_parquet_structs_may_name_files(tmp_path: Path) -> None:
    write_pictures(tmp_path, ["img/a.jpg"])
    pq.write_table(pa.table({"image": [{"bytes": None, "path": "img/a.jpg"}]}, _structs()), tmp_path / "t.parquet")
    corpus = _open(tmp_path / "t.parquet", caption_columns=[])
    (item,) = corpus.items()
    assert corpus.reader.read(item.picture) == (tmp_path / "img/a.jpg").read_bytes()


def _structs() -> pa.Schema:
    return pa.schema({"image": pa.struct({"bytes": pa.binary(), "path": pa.string()})})


def test_a_file_that_was_replaced_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    for seed in range(2):
        pq.write_table(pa.table({"image": [picture_bytes(seed, (8 + seed, 6))]}), path)
        corpus = _open(path, caption_columns=[])
        assert corpus.reader.read("t.parquet#0") == picture_bytes(seed, (8 + seed, 6))


def test_pictures_below_another_folder(tmp_path: Path) -> None:
    write_pictures(tmp_path / "img", ["a.jpg"])
    (tmp_path / "tables").mkdir()
    path = _write(tmp_path / "tables" / "t.csv", f"image\na.jpg\n{tmp_path}/img/b.jpg\n../secret.jpg\n/etc/c.jpg\n")
    corpus = _open(path, images=str(tmp_path / "img"), caption_columns=[])
    assert [item.picture for item in items_of(corpus)] == ["a.jpg", "b.jpg"]
    assert corpus.reader.read("a.jpg") == (tmp_path / "img" / "a.jpg").read_bytes()
    with pytest.raises(FileNotFoundError):
        corpus.reader.read("b.jpg")
    reasons = [rejected.reason for rejected in rejected_of(corpus)]
    assert all(f'is not below "{tmp_path}/img": set images to a folder above it' in reason for reason in reasons)
    assert len(reasons) == 2


def test_a_caption_a_row_is_one_picture_with_several(tmp_path: Path) -> None:
    rows = "image,caption,tag\na.jpg,One,x\na.jpg,Two,y\nb.jpg,Three,x\na.jpg,Late,x\n"
    corpus = _open(_write(tmp_path / "t.csv", rows), labels_column="tag")
    assert [(item.item_id, item.caption, item.labels) for item in items_of(corpus)] == [
        ("a", "One Two", ("x", "y")),
        ("b", "Three", ("x",)),
    ]
    (rejected,) = rejected_of(corpus)
    assert rejected.reason == 'its id "a" is taken by an earlier item: make ids unique'


def test_several_ids_may_share_a_picture_and_its_split(tmp_path: Path) -> None:
    rows = "image,caption,key\n" + "".join(f"{n % 10}.jpg,text,{n}\n" for n in range(30))
    items = items_of(_open(_write(tmp_path / "t.csv", rows), item_id_column="key", test_share=0.25))
    assert len(items) == 30
    pictures = {item.picture for item in items}
    splits = {picture: {item.split for item in items if item.picture == picture} for picture in pictures}
    assert all(len(found) == 1 for found in splits.values())
    assert list(splits.values()).count({"test"}) == 3


def test_a_picture_in_two_splits_is_rejected(tmp_path: Path) -> None:
    rows = "image,key,part\na.jpg,1,train\nb.jpg,2,test\na.jpg,3,test\n"
    settings = {"item_id_column": "key", "split_column": "part", "caption_columns": []}
    corpus = _open(_write(tmp_path / "t.csv", rows), **settings)
    assert [item.item_id for item in items_of(corpus)] == ["2"]
    assert [(r.item_id, r.reason) for r in rejected_of(corpus)] == [
        ("1", "its picture is in several splits: put all of its items into one"),
        ("3", "its picture is in several splits: put all of its items into one"),
    ]


def test_what_the_split_column_leaves_open_is_drawn(tmp_path: Path) -> None:
    rows = "image,part\n" + "".join(f"t{n}.jpg,train\n" for n in range(5)) + "".join(f"o{n}.jpg,\n" for n in range(10))
    items = by_id(_open(_write(tmp_path / "t.csv", rows), split_column="part", caption_columns=[], test_share=0.3))
    assert all(items[f"t{n}"].split == "train" for n in range(5))
    assert [items[f"o{n}"].split for n in range(10)].count("test") == 3


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (",no picture,k", 'line 3: column "image" names no picture'),
        ("a.jpg,too few", "line 3: it has 2 fields, the header 3"),
        ("a.jpg,too,many,k", "line 3: it has 4 fields, the header 3"),
        ("a.gif.txt,x,k", 'line 3: "a.gif.txt" has no suffix of a picture'),
        ("a.heic,x,k", 'line 3: "a.heic" has no suffix of a picture'),
        ("a.jpg,x,", 'line 3: column "key" has no id'),
        ("https://host/a.jpg,x,k", 'line 3: "https://host/a.jpg" is not below'),
        ('a.jpg,"x"y,k', "line 3: it is not valid CSV"),
        ("a.jpg,x,ok", 'its id "ok" is taken by an earlier item'),
    ],
)
def test_a_row_that_cannot_be_an_item_is_rejected_and_the_next_is_read(tmp_path: Path, line: str, reason: str) -> None:
    path = _write(tmp_path / "t.csv", f"image,caption,key\nok.jpg,first,ok\n{line}\nlast.jpg,last,last\n")
    corpus = _open(path, item_id_column="key")
    assert [item.item_id for item in items_of(corpus)] == ["ok", "last"]
    (rejected,) = rejected_of(corpus)
    assert reason in rejected.reason


def test_a_quote_that_is_never_closed_is_no_silence(tmp_path: Path) -> None:
    path = _write(tmp_path / "t.csv", 'image,caption\na.jpg,fine\nb.jpg,"open\nc.jpg,swallowed\n')
    corpus = _open(path)
    assert [item.item_id for item in items_of(corpus)] == ["a"]
    (rejected,) = rejected_of(corpus)
    assert "line 3: it is not valid CSV (unexpected end of data)" in rejected.reason


def test_broken_json_lines_are_rejected(tmp_path: Path) -> None:
    lines = ['{"image": "a.jpg"}', '{"image": "b.jpg"', "[1]", "", '{"image": 7}', '{"other": 1}', '{"image": "z.jpg"}']
    corpus = _open(_write(tmp_path / "t.jsonl", "\n".join(lines)), caption_columns=[])
    assert [item.item_id for item in items_of(corpus)] == ["a", "z"]
    reasons = [rejected.reason for rejected in rejected_of(corpus)]
    assert ["line 2: it is not valid JSON" in reasons[0], reasons[1:]] == [
        True,
        [
            "t.jsonl, line 3: it is no JSON object",
            't.jsonl, line 5: column "image" names no picture',
            't.jsonl, line 6: column "image" names no picture',
        ],
    ]


def test_an_unknown_split_is_rejected(tmp_path: Path) -> None:
    path = _write(tmp_path / "t.csv", "image,part\na.jpg,train\nb.jpg,fold3\n")
    (rejected,) = rejected_of(_open(path, split_column="part", caption_columns=[]))
    assert rejected.reason.startswith('t.csv, line 3: "fold3" is no split: use one of train, training, restval, test')


@pytest.mark.parametrize(
    ("name", "text", "settings", "message"),
    [
        ("t.csv", "image,text\na.jpg,x\n", {}, r'has no column "caption", it has "image", "text": correct the columns'),
        ("t.csv", "", {}, "is empty: it needs a header"),
        ("t.csv", "image,caption\n", {}, "has nothing that can be an item"),
        ("t.csv", "image,caption\n,x\n", {}, r'1 rejected, the first because: t.csv, line 2: column "image" names no'),
        ("t.jsonl", '{"image": "a.jpg"}\n', {}, r'has no column "caption", it has "image"'),
        ("t.jsonl", "rubbish\n", {}, r'has no column "image", it has none'),
        ("t.parquet", "rubbish", {}, "is no readable Parquet file"),
        ("t.xlsx", "rubbish", {}, "use .csv, .tsv, .jsonl or .parquet"),
        ("t.csv", "image,caption\na.jpg,x\n", {"images": "/"}, "is the whole disk"),
        ("t.csv", "image,part\na.jpg,train\na.jpg,test\n", {"caption_columns": [], "split_column": "part"}, None),
    ],
)
def test_an_unusable_table_is_one_sentence(
    tmp_path: Path, name: str, text: str, settings: dict[str, Any], message: str | None
) -> None:
    path = _write(tmp_path / name, text)
    if message is None:
        assert "different splits" in rejected_of(_open(path, **settings))[0].reason
        return
    with pytest.raises(InputError, match=message) as caught:
        list(_open(path, **settings).items())
    assert "\n" not in str(caught.value)


def test_a_missing_table_or_folder_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r'there is no file ".*/none.csv": check the path'):
        _open(tmp_path / "none.csv")
    path = _write(tmp_path / "t.csv", "image,caption\na.jpg,x\n")
    with pytest.raises(InputError, match=r'there is no folder ".*/none": check the path'):
        _ = _open(path, images=str(tmp_path / "none")).settings


def test_a_damaged_parquet_file_is_no_silence(tmp_path: Path) -> None:
    table = pa.table({"image": [f"{n}.jpg" for n in range(4000)], "caption": [f"text {n}" for n in range(4000)]})
    path = tmp_path / "t.parquet"
    pq.write_table(table, path, row_group_size=1000, use_dictionary=False, compression="zstd")
    content = bytearray(path.read_bytes())
    start = pq.ParquetFile(path).metadata.row_group(2).column(0).data_page_offset
    content[start : start + 200] = bytes(200)
    path.write_bytes(content)
    corpus = _open(path)
    assert [item.picture for item in items_of(corpus)] == [f"{n}.jpg" for n in (*range(2000), *range(3000, 4000))]
    (rejected,) = rejected_of(corpus)
    assert rejected.reason.startswith("t.parquet, row 2000: it and those up to row 2999 cannot be read")


def test_settings_follow_table_and_pictures(tmp_path: Path) -> None:
    write_pictures(tmp_path, ["a.jpg"])
    path = _write(tmp_path / "t.csv", "image,caption\na.jpg,x\n")
    seen = {_open(path).settings["fingerprint"]}
    assert _open(path).settings["fingerprint"] in seen
    (tmp_path / "a.jpg").write_bytes(b"another picture")
    seen.add(_open(path).settings["fingerprint"])
    _write(path, "image,caption\na.jpg,other\n")
    seen.add(_open(path).settings["fingerprint"])
    assert len(seen) == 3


def test_a_table_in_memory(tmp_path: Path) -> None:
    write_pictures(tmp_path, ["img/a.jpg"])
    _write(tmp_path / "t.csv", "image,caption\nimg/a.jpg,x\n")
    fsspec.filesystem("memory").put(f"{tmp_path}/", f"{tmp_path}/", recursive=True)
    corpus = _open(f"memory://{tmp_path}/t.csv")
    (item,) = items_of(corpus)
    assert corpus.reader.read(item.picture) == (tmp_path / "img/a.jpg").read_bytes()
    assert len(corpus.settings["fingerprint"]) == 64


ROW = st.tuples(st.text(min_size=1, max_size=8), st.lists(st.text(max_size=20), max_size=3))


@given(st.lists(ROW, max_size=12))
def test_whatever_the_rows_everything_is_an_item_or_rejected(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, list[str]]]
) -> None:
    path = tmp_path_factory.mktemp("table") / "t.jsonl"
    lines = [{"image": f"{n}.jpg", "captions": captions, "id": key} for n, (key, captions) in enumerate(rows)]
    lines.append({"image": "last.jpg", "captions": [], "id": "an id of its own"})
    path.write_text("\n".join(json.dumps(line) for line in lines))
    corpus = _open(path, caption_columns="captions", item_id_column="id", test_share=0.5)
    entries = list(corpus.items())
    assert {entry.picture for entry in entries} == {line["image"] for line in lines}
    assert len(entries) == len(lines)
    items = [entry for entry in entries if isinstance(entry, CorpusItem)]
    assert len({item.item_id for item in items}) == len(items)
    assert all(item.item_id and item.item_id.isprintable() and len(item.item_id) <= 200 for item in items)
    assert [item.split for item in items].count("test") == (len(items) + 1) // 2


@pytest.mark.skipif(not FLICKR.exists(), reason="needs the shared sample of Flickr8k")
def test_real_json_lines() -> None:
    columns = {"image_column": "image", "caption_columns": "captions", "item_id_column": "item_id"}
    corpus = _open(FLICKR / "items.jsonl", **columns)
    items = items_of(corpus)
    assert len(items) == 5000
    assert items[0].item_id == "1000268201"
    assert items[0].caption.startswith("A child in a pink dress is climbing up a set of stairs in an entry way . A")
    assert [item.split for item in items].count("test") == 500
    assert len(items_of(_open(FLICKR / "items.jsonl", captions="each", **columns))) == 25000
    assert corpus.reader.read(items[0].picture)[:4] == b"RIFF"


def test_usual_columns_are_found_where_none_are_named(tmp_path: Path) -> None:
    text = '{"item_id": "x", "image": "a.jpg", "captions": ["One.", "Two."]}\n'
    found = items_of(_open(_write(tmp_path / "t.jsonl", text), test_share=0))
    assert found == [CorpusItem("x", "a.jpg", "One. Two.", (), "train")]
    both = '{"image": "a.jpg", "caption": "One.", "captions": ["Two."]}\n'
    assert items_of(_open(_write(tmp_path / "b.jsonl", both)))[0].caption == "One."
    with pytest.raises(InputError, match='no column "caption"'):
        _open(_write(tmp_path / "n.jsonl", '{"image": "a.jpg", "text": "One."}\n'))
