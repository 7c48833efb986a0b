"""What the served bundle's evaluation measured, and its tables."""

from functools import cached_property

from pydantic import ValidationError

from sparc_core.bundle import Bundle
from sparc_core.errors import BundleError, NotFoundError
from sparc_core.evaluation import Evaluation
from sparc_core.evaluation.table import Table
from sparc_core.evaluation.tables import tables_of


class Evaluated:
    """Answers about one bundle's evaluation."""

    def __init__(self, bundle: Bundle) -> None:
        """Args: an open bundle."""
        self._bundle = bundle

    @cached_property
    def evaluation(self) -> Evaluation:
        """All of it; BundleError where its file is damaged."""
        try:
            return Evaluation.model_validate_json(self._bundle.evaluation_text())
        except ValidationError as error:
            raise BundleError(f"evaluation.json of {self._bundle.path} is of another form ({error})") from None

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
