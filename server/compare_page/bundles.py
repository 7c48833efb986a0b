"""What the page shows of two bundles."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from server.compare_page.correspondence import Correspondence, correspondence
from server.compare_page.differences import Fact, facts, warnings
from server.compare_page.figures import Figure, figures
from server.compare_page.marks import titles_of
from server.compare_page.outlines import Spread, spread_of_densities, spread_of_shares
from server.compare_page.side_by_side import Order, Row, order, rows
from server.compare_page.tables import ComparedTable, compared_table
from server.schemas import Info
from server.services.comparison import check_two, comparison

if TYPE_CHECKING:
    from server.explorer import Explorer

N_ROWS = 24
_ITEMS_FILE = "items.parquet"


@dataclass(frozen=True)
class Latents:
    """A page of latents side by side.

    Attributes:
        correspondence: What their numbers mean.
        order: Of the rows.
        start: How many come before the first row.
        before: Where the page before begins; None on the first.
        after: Where the next one begins; None on the last.
        total: Of the dictionary.
        rows: Empty where latents cannot be set side by side.
    """

    correspondence: Correspondence
    order: Order
    start: int
    before: int | None
    after: int | None
    total: int
    rows: Sequence[Row]


@dataclass(frozen=True)
class BundlesView:
    """What the template shows.

    Attributes:
        first: The main bundle.
        second: The one that is served beside it.
        facts: Of both.
        warnings: Which comparisons mean nothing.
        figures: At a glance.
        spreads: Histograms over latents, the first bundle's outline first.
        latents: Side by side.
        tables: Everything that was measured.
    """

    first: Info
    second: Info
    facts: list[Fact]
    warnings: list[str]
    figures: list[Figure]
    spreads: list[Spread]
    latents: Latents
    tables: list[ComparedTable]


def bundles_view(first: "Explorer", second: "Explorer", by: Order, start: int) -> BundlesView:
    """Two bundles as the page shows them.

    Args:
        first: The main bundle.
        second: Another one.
        by: The order of latents.
        start: How many latents come before those that are shown; a start past the end is the last page's.

    Raises:
        InputError: Both are the same bundle.
        BundleError: What was measured of one of them cannot be read.
    """
    check_two(first, second)
    one, other = first.info(), second.info()
    return BundlesView(
        first=one,
        second=other,
        facts=facts(one, other),
        warnings=warnings(one, other, _same_items(first, second)),
        figures=figures(first, second),
        spreads=_spreads(first, second),
        latents=_latents(first, second, by, start),
        tables=[compared_table(table, titles_of(one, other)) for table in comparison(first, second)],
    )


def _same_items(first: "Explorer", second: "Explorer") -> bool:
    """Whether their tables of items are the same file."""
    files = [one.bundle.manifest.files.get(_ITEMS_FILE) for one in (first, second)]
    return files[0] is not None and files[0] == files[1]


def _spreads(first: "Explorer", second: "Explorer") -> list[Spread]:
    tables = {one.title: one.bundle.latents for one in (first, second)}
    density = {title: np.mean(list(table.density.values()), axis=0) for title, table in tables.items()}
    return [
        spread_of_shares(
            "alignment",
            "Alignment",
            "Jaccard of the items that activate a latent, mean over pairs of streams, each stream selecting by itself.",
            "alignment",
            {title: table.alignment for title, table in tables.items()},
        ),
        spread_of_densities(
            "density",
            "Density",
            "Share of items on which a latent is active, mean over streams, selected as the model does.",
            density,
        ),
        spread_of_shares(
            "purity",
            "Purity",
            "Share of a latent’s strongest items that carry its best label.",
            "purity",
            {title: table.purity for title, table in tables.items()},
        ),
    ]


def _latents(first: "Explorer", second: "Explorer", by: Order, start: int) -> Latents:
    found, total = correspondence(first, second), len(first.bundle.latents)
    if not found.is_shown:
        return Latents(found, by, 0, None, None, total, ())
    start = min(start, (total - 1) // N_ROWS * N_ROWS)
    end = min(start + N_ROWS, total)
    return Latents(
        correspondence=found,
        order=by,
        start=start,
        before=max(start - N_ROWS, 0) if start else None,
        after=end if end < total else None,
        total=total,
        rows=rows(first, second, order(first, second, by)[start:end].tolist()),
    )
