"""What to measure, on how many items."""

from dataclasses import asdict, dataclass
from typing import Any

from sparc_core.errors import InputError

TABLES = (
    "retrieval",
    "reconstruction",
    "sparsity",
    "liveness",
    "alignment",
    "pure_objects",
    "probes",
    "classification",
    "names",
    "segmentation",
)
"""What can be left out, in the order of measuring."""
NOT_ASKED = "it was not asked for"


@dataclass(frozen=True)
class EvaluationOptions:
    """How a bundle is measured.

    Attributes:
        seed: Of everything drawn at random.
        most_items: So many items are looked at, at most, evenly spaced over the held-out ones; 0 for all.
        most_cases: So many pictures and things, at most, are asked of heatmaps.
        skip: Tables that are not measured.

    Raises:
        InputError: A number is negative, or there is no such table.
    """

    seed: int = 0
    most_items: int = 5000
    most_cases: int = 200
    skip: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("seed", "most_items", "most_cases"):
            if getattr(self, name) < 0:
                raise InputError(f"evaluation {name} is {getattr(self, name)}: it cannot be negative")
        for table in self.skip:
            if table not in TABLES:
                raise InputError(f"there is no table {table!r} to skip: choose from {', '.join(TABLES)}")

    def as_dict(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self)
