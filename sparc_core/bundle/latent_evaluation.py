"""What was measured of each latent: `latent_evaluation.parquet`, columns by latent, NaN where not defined."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from jaxtyping import Float32

from sparc_core.bundle.tables import numbers, read_table, stream_pairs, write_table


@dataclass(frozen=True)
class LatentEvaluation:
    """Measures of all latents.

    Attributes:
        profile_jaccard: Agreement of class profiles at the deepest level of the hierarchy, mean over pairs of streams.
        pair_profile_jaccard: Pair by pair, in the order of the streams.
        name_auroc: How well its name predicts its activations, mean over streams.
    """

    profile_jaccard: Float32[np.ndarray, "l"]
    pair_profile_jaccard: Mapping[tuple[str, str], Float32[np.ndarray, "l"]]
    name_auroc: Float32[np.ndarray, "l"]


def latent_evaluation_schema(streams: Sequence[str]) -> pa.Schema:
    """The columns of latent_evaluation.parquet for these streams, in order."""
    pairs = [_pair_column(*pair) for pair in stream_pairs(streams)]
    measures = ["profile_jaccard", *pairs, "name_auroc"]
    return pa.schema({"latent": pa.int32()} | dict.fromkeys(measures, pa.float32()))


def write_latent_evaluation(
    columns: Mapping[str, Float32[np.ndarray, "l"]], streams: Sequence[str], n_latents: int, path: Path
) -> None:
    """Write latent_evaluation.parquet; columns that were not measured are null throughout."""
    schema, nothing = latent_evaluation_schema(streams), np.full(n_latents, np.nan)
    given = dict(columns) | {"latent": np.arange(n_latents)}
    arrays = [pa.array(given.get(field.name, nothing), field.type, from_pandas=True) for field in schema]
    write_table(pa.Table.from_arrays(arrays, schema=schema), path)


def read_latent_evaluation(path: Path, streams: Sequence[str], n_latents: int) -> LatentEvaluation:
    """Read latent_evaluation.parquet; BundleError where it is damaged, lacks a column or has another number of rows."""
    table = read_table(path, latent_evaluation_schema(streams), n_latents)
    return LatentEvaluation(
        profile_jaccard=numbers(table["profile_jaccard"]),
        pair_profile_jaccard={pair: numbers(table[_pair_column(*pair)]) for pair in stream_pairs(streams)},
        name_auroc=numbers(table["name_auroc"]),
    )


def _pair_column(first: str, second: str) -> str:
    return f"profile_jaccard_{first}~{second}"
