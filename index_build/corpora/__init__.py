"""Corpora: what a bundle is built over. `base` is the contract, `listed` what all kinds that read files share.

A corpus is described by settings, one model per kind, told apart by `kind`; `docs/corpora.md` describes them for users.
"""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from index_build.corpora.base import (
    Corpus,
    CorpusItem,
    Label,
    Mask,
    MaskedCorpus,
    PictureReader,
    Rejected,
    Split,
)
from index_build.corpora.coco import CocoCorpus, CocoSettings
from index_build.corpora.folder import FolderCorpus, FolderSettings
from index_build.corpora.hugging_face import DatasetsCorpus, DatasetsSettings
from index_build.corpora.listed import ListedSettings
from index_build.corpora.open_images import OpenImagesCorpus, OpenImagesSettings
from index_build.corpora.storybook import StorybookCorpus, StorybookSettings
from index_build.corpora.table import TableCorpus, TableSettings
from index_build.corpora.webdataset import WebDatasetCorpus, WebDatasetSettings

__all__ = [
    "KINDS",
    "CocoSettings",
    "Corpus",
    "CorpusItem",
    "CorpusSettings",
    "DatasetsSettings",
    "FolderSettings",
    "Label",
    "Mask",
    "MaskedCorpus",
    "OpenImagesSettings",
    "PictureReader",
    "Rejected",
    "Split",
    "StorybookCorpus",
    "StorybookSettings",
    "TableSettings",
    "WebDatasetSettings",
    "open_corpus",
]

AnySettings = (
    StorybookSettings
    | FolderSettings
    | TableSettings
    | CocoSettings
    | OpenImagesSettings
    | WebDatasetSettings
    | DatasetsSettings
)
CorpusSettings = Annotated[AnySettings, Field(discriminator="kind")]
"""The `[corpus]` table of a build file."""
KINDS: dict[str, type[StorybookSettings] | type[ListedSettings]] = {
    "storybook": StorybookSettings,
    "folder": FolderSettings,
    "table": TableSettings,
    "coco": CocoSettings,
    "open_images": OpenImagesSettings,
    "webdataset": WebDatasetSettings,
    "datasets": DatasetsSettings,
}
"""Settings models by kind."""


def open_corpus(settings: AnySettings, base: Path) -> Corpus:
    """The corpus that settings describe.

    Args:
        settings: Of any kind.
        base: Folder that relative paths are relative to: that of the build file.

    Raises:
        InputError: A folder, file, column or library is missing; the message says which.
    """
    match settings:
        case StorybookSettings():
            return StorybookCorpus(settings.n_train, settings.n_test, settings.seed, settings.picture_size)
        case FolderSettings():
            return FolderCorpus(settings, base)
        case TableSettings():
            return TableCorpus(settings, base)
        case CocoSettings():
            return CocoCorpus(settings, base)
        case OpenImagesSettings():
            return OpenImagesCorpus(settings, base)
        case WebDatasetSettings():
            return WebDatasetCorpus(settings, base)
        case DatasetsSettings():
            return DatasetsCorpus(settings, base)
