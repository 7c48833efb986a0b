"""A bundle whose every text would be markup, script, template or formula, if anything took it for that."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

PLAIN_ITEMS = 4  # the first ones keep their ids, which addresses of tests name
_KEPT = {"alive", "name_source", "split", "media", "sha256", "source"}  # words with a meaning, and files


def hostile(text: str) -> str:
    """The text, and what would set `window.pwned` wherever it is not taken as text."""
    return (
        f"""{text}"'`><img src=x onerror="window.pwned=1"><svg onload='window.pwned=1'></title></textarea></script>"""
        "<script>window.pwned=1</script>{{ 7 * 191 }}<!--"
    )


def write_hostile(source: Path, out: Path) -> Path:
    """A copy of a bundle with hostile texts: the corpus, captions, labels, names of latents, ids of most items."""
    shutil.copytree(source, out, copy_function=os.link)
    manifest = json.loads((out / "manifest.json").read_text("utf-8"))
    labels = {label["name"] for label in manifest["labels"]}
    for name in ("items", "latents", "latent_evaluation", "rejected"):
        _replace(out / f"{name}.parquet", _table(pq.read_table(out / f"{name}.parquet")))
    evaluation = json.loads((out / "evaluation.json").read_text("utf-8"))
    _replace(out / "evaluation.json", json.dumps(_with_labels(evaluation, labels)).encode())
    for label in manifest["labels"]:
        label["name"], label["parent"] = hostile(label["name"]), label["parent"] and hostile(label["parent"])
    manifest["corpus"] |= {"name": hostile("corpus"), "licence": hostile("licence")}
    manifest["versions"] |= {"torch": hostile("1")}
    manifest["bundle_id"] = "f" * 16
    for path, file in manifest["files"].items():
        file["bytes"] = (out / path).stat().st_size
    _replace(out / "manifest.json", json.dumps(manifest).encode())
    return out


def _replace(path: Path, content: bytes | pa.Table) -> None:
    path.unlink()  # it is a link to the file of the bundle that this was copied from
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        pq.write_table(content, path)


def _table(table: pa.Table) -> pa.Table:
    rows = table.to_pylist()
    for number, row in enumerate(rows):
        for name, value in row.items():
            if name not in _KEPT and not (name == "item_id" and number < PLAIN_ITEMS):
                row[name] = _everywhere(value)
    return pa.Table.from_pylist(rows, table.schema)


def _everywhere(value: Any) -> Any:
    if isinstance(value, str):
        return hostile(value)
    if isinstance(value, list):
        return [_everywhere(one) for one in value]
    return {name: _everywhere(one) for name, one in value.items()} if isinstance(value, dict) else value


def _with_labels(value: Any, labels: set[str]) -> Any:
    if isinstance(value, str):
        return hostile(value) if value in labels else value
    if isinstance(value, list):
        return [_with_labels(one, labels) for one in value]
    if isinstance(value, dict):
        return {name: _with_labels(one, labels) for name, one in value.items()}
    return value
