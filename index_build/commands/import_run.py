"""`sparc-build import`: a model that somebody trained, with its features and items, as a served bundle.

It makes the tables that a sparc.toml would have and builds them, so that both ways end in the same steps.
"""

from pathlib import Path
from typing import Annotated, Any

import typer

from index_build.commands.errors import one_line_errors
from index_build.commands.run import build
from index_build.commands.train import pairs
from sparc_core.errors import InputError

_TEXT_NAMES = ("txt", "text", "caption")


def import_(
    run_dir: Annotated[
        Path,
        typer.Argument(metavar="RUN_DIR", help="run_config.json and msae_checkpoint.pth, or our sparc.safetensors."),
    ],
    features: Annotated[
        list[str], typer.Option(metavar="STREAM=PATH", help="A stream's features (.h5, .npy); give one per stream.")
    ],
    out: Annotated[Path, typer.Option(help="Where the bundle goes.")],
    images: Annotated[
        Path | None, typer.Option(help="A folder of pictures, captions in .txt files beside them.")
    ] = None,
    items: Annotated[
        Path | None, typer.Option(help="A table (CSV, JSONL, Parquet) with columns image, caption.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="A sparc.toml whose corpus, streams and media to use.")] = None,
    backbone: Annotated[
        list[str] | None, typer.Option(metavar="STREAM=SPEC", help="The tower of a stream, for queries and heatmaps.")
    ] = None,
    text_stream: Annotated[
        list[str] | None,
        typer.Option(help="A stream that reads captions; by default those with txt or text in the name."),
    ] = None,
    work: Annotated[Path | None, typer.Option(help="Steps are cached here; by default beside the bundle.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and do nothing.")] = False,
) -> None:
    """Turn a trained model, its features and its items into a bundle. No pickle is ever run."""
    with one_line_errors("run the same command again to go on from here"):
        from index_build.config.tables import OpenConfig, parse_config, read_config

        files = {name: str(Path(path).resolve()) for name, path in pairs(features, "--features", "STREAM=PATH").items()}
        specs = pairs(backbone or [], "--backbone", "STREAM=SPEC")
        base = read_config(config) if config else None
        tables = base.config.model_dump(exclude_unset=True) if base else {"corpus": _corpus(images, items)}
        if base and (images or items):
            raise InputError("--config names a corpus already: leave --images and --items out")
        unknown = sorted({*specs, *(text_stream or [])} - files.keys())
        if unknown:
            raise InputError(f"there are no --features of stream {unknown[0]}: give them, or correct its name")
        described = tables.get("streams", {})
        tables["streams"] = {
            name: _stream(name, path, specs.get(name), text_stream, described.get(name, {}))
            for name, path in files.items()
        }
        tables["model"] = {"path": str(run_dir.resolve())}
        tables["bundle"] = {
            "out": str(out.resolve()),
            "work": str((work or out.with_name(f"{out.name}.work")).resolve()),
        }
        build(OpenConfig(parse_config(tables, "the command line"), base.base if base else Path()), dry_run)


def _corpus(images: Path | None, items: Path | None) -> dict[str, Any]:
    if items is not None:
        table: dict[str, Any] = {"kind": "table", "path": str(items.resolve())}
        return table | ({"images": str(images.resolve())} if images else {})
    if images is None:
        raise InputError("the bundle needs its items: give --images FOLDER, --items TABLE or --config sparc.toml")
    return {"kind": "folder", "path": str(images.resolve())}


def _stream(
    name: str, path: str, spec: str | None, text_streams: list[str] | None, described: dict[str, Any]
) -> dict[str, Any]:
    is_text = name in text_streams if text_streams else any(part in name for part in _TEXT_NAMES)
    table = {"modality": "text" if is_text else "image"} | described | {"features": path}
    return table | ({"backbone": spec} if spec else {})
