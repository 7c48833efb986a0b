"""How often latents are active: bins of density as a table, and the gallery's query for each.

The API has no such table: it is there for the plot, and for those who do not see it.
"""

from itertools import pairwise
from urllib.parse import urlencode

from sparc_core.evaluation import Evaluation
from sparc_core.evaluation.results import Sparsity
from sparc_core.evaluation.table import Cell, Column, Table

DENSITY = "density"
"""Its name."""


def density_table(evaluation: Evaluation) -> Table:
    """How many latents have which density, stream by stream, from the first bin that has any to the last."""
    found = own_sparsity(evaluation)
    rows: list[tuple[Cell, ...]] = [
        (range_text(low, high), *(each.counts[place] for each in found))
        for place, (low, high) in enumerate(bins_of(evaluation))
    ]
    filled = [place for place, (_, *counts) in enumerate(rows) if any(counts)]
    return Table(
        DENSITY,
        "How often latents are active",
        "A latent's density is the share of items on which it is active: here of all items, under the model's own "
        "selection. Latents that are never active are in no bin. The links lead to latents by their density on "
        "average over the streams.",
        (Column("density", "Density", "text"), *(Column(f"n.{each.stream}", each.stream, "count") for each in found)),
        tuple(rows[filled[0] : filled[-1] + 1]) if filled else (),
    )


def own_sparsity(evaluation: Evaluation) -> list[Sparsity]:
    """Of each stream under the model's own selection; all have the same bins."""
    return [row for row in evaluation.sparsity if row.selection == "own"]


def bins_of(evaluation: Evaluation) -> list[tuple[float, float]]:
    """The ends of the bins, ascending."""
    return list(pairwise(next((row.edges for row in own_sparsity(evaluation)), ())))


def range_text(low: float, high: float) -> str:
    """A bin in words: "1.6% to 2.5%"."""
    return f"{_two_digits(low)} to {_two_digits(high)}"


def gallery_address(low: float, high: float) -> str:
    """Of the latents in a bin, the most active first."""
    return f"/?{urlencode({'sort': 'density', 'min_density': low, 'max_density': high})}"


def _two_digits(share: float) -> str:
    return f"{float(f'{100 * share:.2g}'):g}%"
