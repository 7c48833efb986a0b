"""What the documents' readers share."""

from pathlib import Path

import pytest

from tests.docs.belongings import Shelf
from tests.docs.stand_in_hub import write_hub, write_small_open_clip


@pytest.fixture(scope="session")
def shelf(tiny_bundle: Path, twin_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """Things that take long to make."""
    folder = tmp_path_factory.mktemp("shelf")
    write_hub(folder / "hub")
    write_small_open_clip(folder / "packages", folder / "hub")
    return Shelf(tiny_bundle, twin_bundle, folder / "hub", folder / "packages")
