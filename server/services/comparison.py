"""What was measured of two served bundles, side by side: `sparc-build compare` makes the same tables from folders."""

from typing import TYPE_CHECKING

from sparc_core.errors import InputError, NotFoundError
from sparc_core.evaluation.comparison import compare
from sparc_core.evaluation.table import Table

if TYPE_CHECKING:
    from server.explorer import Explorer


def comparison(first: "Explorer", second: "Explorer") -> list[Table]:
    """Tables with a row for each figure and a column for each bundle, named by its title.

    Args:
        first: One bundle.
        second: Another one.

    Returns:
        Those of which at least one bundle has a figure.

    Raises:
        InputError: Both are the same bundle.
        BundleError: What was measured of one of them cannot be read.
    """
    check_two(first, second)
    return compare({one.title: one.evaluated.evaluation for one in (first, second)})


def comparison_table(first: "Explorer", second: "Explorer", name: str) -> Table:
    """One of them; errors as `comparison`, and NotFoundError where there is none of that name."""
    tables = comparison(first, second)
    for table in tables:
        if table.name == name:
            return table
    known = ", ".join(table.name for table in tables)
    raise NotFoundError("table", f'there is no table "{name[:80]}" of these bundles: there is {known or "none"}')


def check_two(first: "Explorer", second: "Explorer") -> None:
    """InputError where a bundle would be compared with itself."""
    bundle_id = first.bundle.manifest.bundle_id
    if second.bundle.manifest.bundle_id == bundle_id:
        raise InputError(f"both bundles are {bundle_id}: name another one as other")
