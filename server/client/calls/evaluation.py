"""What the served bundle is worth."""

from server.client import operations
from server.client.call import Call
from server.schemas import Evaluation, Table


def evaluation() -> Call[Evaluation]:
    """Everything that was measured of the bundle."""
    return operations.EVALUATION.call()


def evaluation_tables() -> Call[list[Table]]:
    """The same as tables; those that were not measured are not among them."""
    return operations.EVALUATION_TABLES.call()


def evaluation_table(name: str) -> Call[Table]:
    """One table.

    Args:
        name: As in `evaluation_tables`, say "retrieval".
    """
    return operations.EVALUATION_TABLE.call({"name": name})


def evaluation_csv(name: str) -> Call[bytes]:
    """One table as CSV in UTF-8, numbers as they were measured."""
    return operations.EVALUATION_CSV.call({"name": name})


def evaluation_latex(name: str) -> Call[bytes]:
    """One table as LaTeX in UTF-8, with the rules of the package booktabs."""
    return operations.EVALUATION_LATEX.call({"name": name})
