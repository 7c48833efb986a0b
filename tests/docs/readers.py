"""Who reads which documents: what they have, and what they did before the first command.

A document with commands must be in `READERS`. Documents of one reader are read one after the other in one folder, with
the same service and libraries: starting one and loading the others takes seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from tests.docs.belongings import (
    N_PHOTOS,
    Belonging,
    bundle_copies,
    cat,
    coco,
    features,
    installed,
    items_table,
    open_images,
    photos,
    published_run,
    sources,
    storybook,
)

_SERVED = "sparc-serve --beside bundles/storybook-local"
_DESCRIBED = "sparc-build init folder photos/ --backbones storybook"
_WITH_CLUSTER = f"{_DESCRIBED} && HEAD=127.0.0.1 SHARED=."
_WITH_MORE_BUNDLES = """
for name in coco seed1 seed2; do cp -R bundles/photos bundles/$name; done
mv bundles/storybook bundles/global
mv bundles/storybook-local bundles/local
"""
_WITH_KEYS = f"""
sparc-serve --new-key ann >ann
sparc-serve --new-key root --admin >root
KEY=$(head -n 1 ann) ADMIN_KEY=$(head -n 1 root)
tail -q -n 1 ann root >keys.txt
{_DESCRIBED}
sed -i 's|bundles/photos|bundles/2026-12-01|' sparc.toml
"""


@dataclass(frozen=True)
class Reader:
    """Somebody in front of some documents.

    Attributes:
        reads: The documents, relative to the root, each with commands that they ran before it.
        has: What lies in their folder.
        needs: Programs that no test brings.
        marks: Of the test.
    """

    reads: Mapping[str, str]
    has: tuple[Belonging, ...] = ()
    needs: tuple[str, ...] = ()
    marks: tuple[pytest.MarkDecorator, ...] = ()


READERS = (
    Reader({"README.md": "", "docs/tutorial.md": ""}, has=(sources, installed, photos), needs=("make", "curl")),
    Reader(
        {
            "docs/building.md": "",
            "docs/how-to/published-checkpoint.md": "",
            "docs/how-to/gpu.md": "",
            "docs/evaluation.md": _WITH_MORE_BUNDLES,
        },
        has=(sources, photos, features(N_PHOTOS), published_run, items_table, storybook),
        needs=("curl",),
    ),
    Reader(
        {
            "docs/training.md": "",
            "docs/how-to/coco.md": "",
            "docs/how-to/open-images.md": "",
            "docs/backbones.md": "",
            "docs/storybook.md": "",
            "docs/security.md": "",
            "docs/dependencies.md": "",
            "docs/how-to/air-gapped.md": "",
            "docs/deploy.md": "",
        },
        has=(sources, features(600), coco, open_images),
        needs=("make",),
    ),
    Reader(
        {"docs/operating.md": _WITH_KEYS},
        has=(storybook, photos, bundle_copies("2026-11-25")),
        needs=("curl", "jq"),
    ),
    Reader(
        {"docs/api.md": _SERVED, "docs/heatmaps.md": "", "docs/retrieval.md": ""},
        has=(storybook, cat),
        needs=("curl",),
    ),
    Reader(
        {"docs/how-to/ray.md": _WITH_CLUSTER, "docs/scale.md": ""},
        has=(photos,),
        needs=("ray",),
        marks=(pytest.mark.ray,),
    ),
)
