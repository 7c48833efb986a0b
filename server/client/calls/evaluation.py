"""What the served bundle is worth."""

from server.client import operations
from server.client.call import Call
from server.schemas import Evaluation, Table


def evaluation(*, bundle: str | None = None) -> Call[Evaluation]:
    """Everything that was measured of a bundle.

    Args:
        bundle: Of which served bundle, by its id; by default of the main one.
    """
    return operations.EVALUATION.call(bundle=bundle)


def evaluation_tables(*, bundle: str | None = None) -> Call[list[Table]]:
    """The same as tables; those that were not measured are not among them.

    Args:
        bundle: Of which served bundle, by its id; by default of the main one.
    """
    return operations.EVALUATION_TABLES.call(bundle=bundle)


def evaluation_table(name: str, *, bundle: str | None = None) -> Call[Table]:
    """One table.

    Args:
        name: As in `evaluation_tables`, say "retrieval".
        bundle: Of which served bundle, by its id; by default of the main one.
    """
    return operations.EVALUATION_TABLE.call({"name": name}, bundle=bundle)


def evaluation_csv(name: str, *, bundle: str | None = None) -> Call[bytes]:
    """One table as CSV in UTF-8, numbers as they were measured.

    Args:
        name: As in `evaluation_tables`, say "retrieval".
        bundle: Of which served bundle, by its id; by default of the main one.
    """
    return operations.EVALUATION_CSV.call({"name": name}, bundle=bundle)


def evaluation_latex(name: str, *, bundle: str | None = None) -> Call[bytes]:
    """One table as LaTeX in UTF-8, with the rules of the package booktabs.

    Args:
        name: As in `evaluation_tables`, say "retrieval".
        bundle: Of which served bundle, by its id; by default of the main one.
    """
    return operations.EVALUATION_LATEX.call({"name": name}, bundle=bundle)


def evaluation_comparison(other: str, *, bundle: str | None = None) -> Call[list[Table]]:
    """What was measured of two bundles, as tables: a row for each figure, a column for each bundle.

    Args:
        other: `bundle_id` of the bundle to compare with.
        bundle: Of which served bundle, by its id; by default of the main one.
    """
    return operations.COMPARISON.call(other=other, bundle=bundle)


def evaluation_comparison_csv(name: str, other: str, *, bundle: str | None = None) -> Call[bytes]:
    """One table of a comparison as CSV in UTF-8, numbers as they were measured.

    Args:
        name: As in `evaluation_comparison`, say "retrieval".
        other: `bundle_id` of the bundle to compare with.
        bundle: Of which served bundle, by its id; by default of the main one.
    """
    return operations.COMPARISON_CSV.call({"name": name}, other=other, bundle=bundle)
