"""The tables of what was measured of the served bundle."""

from functools import cached_property

from sparc_core.bundle import Bundle
from sparc_core.errors import NotFoundError
from sparc_core.evaluation import Evaluation
from sparc_core.evaluation.table import Table
from sparc_core.evaluation.tables import tables_of


class Evaluated:
    """Answers about one bundle's evaluation."""

    def __init__(self, bundle: Bundle) -> None:
        """Args: an open bundle."""
        self._bundle = bundle

    @property
    def evaluation(self) -> Evaluation:
        """All of it; BundleError where its file is damaged."""
        return self._bundle.evaluation

    @cached_property
    def tables(self) -> list[Table]:
        """Its tables; those that were not measured are not among them."""
        return tables_of(self.evaluation)

    def table(self, name: str) -> Table:
        """One of them.

        Raises:
            NotFoundError: There is none of that name.
        """
        for table in self.tables:
            if table.name == name:
                return table
        known = ", ".join(table.name for table in self.tables)
        raise NotFoundError("table", f'there is no table "{name[:80]}": this bundle has {known or "none"}')
