"""Weights from a mirror (HF_ENDPOINT) and then without a network (HF_HUB_OFFLINE), by the real client of the hub.

Both variables are read when libraries are imported, so backbones are loaded in a process of their own. The mirror is a
folder behind a server on the loopback interface.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.core import backbone_examples as examples
from tests.core.hub_mirror import serve

LOAD = """
import sys
from sparc_core.backbones import load_backbone
from sparc_core.errors import InputError
from tests.core import backbone_examples as examples
for spec in sys.argv[1:]:
    try:
        backbone = load_backbone(spec)
        inputs = examples.pictures(1) if backbone.modality == "image" else ["a cat"]
        print(backbone.name, tuple(backbone.features(backbone.preprocess(inputs)).shape))
    except InputError as error:
        print(error)
"""
SPECS = ["transformers:tiny/vit", "transformers:tiny/bert", "open_clip:hf-hub:tiny/clip#text"]
LOADED = ["transformers:tiny/vit (1, 24)", "transformers:tiny/bert (1, 24)", "open_clip:hf-hub:tiny/clip#text (1, 16)"]


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("mirror")
    examples.save_vision(folder / "tiny" / "vit", "vit")
    examples.save_sentences(folder / "tiny" / "bert", "bert")
    examples.save_open_clip(folder / "tiny" / "clip")
    server = serve(folder)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def load(home: Path, **variables: str) -> list[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "TRANSFORMERS_"))}
    environment = kept | {"HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1", "NO_PROXY": "127.0.0.1", **variables}
    ran = subprocess.run(
        [sys.executable, "-c", LOAD, *SPECS], env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.splitlines()


@pytest.mark.slow
def test_weights_come_from_a_mirror_once_and_then_without_a_network(mirror: str, tmp_path: Path) -> None:
    before = load(tmp_path, HF_HUB_OFFLINE="1")
    assert len(before) == len(SPECS)
    assert all("has no weights here (offline): download it" in line for line in before)
    assert load(tmp_path, HF_ENDPOINT=mirror) == LOADED
    assert load(tmp_path, HF_HUB_OFFLINE="1") == LOADED
