"""The bundle: the immutable folder that `index_build` writes and `server` reads; `docs/bundle.md` is normative.

Read `manifest` (what a bundle says of itself), `reader` (opening one), `codes`, `postings` and `tables` (what lies in
it) and `writer` (publishing one). Nothing here imports torch.
"""

from sparc_core.bundle.manifest import Manifest
from sparc_core.bundle.reader import Bundle

__all__ = ["Bundle", "Manifest"]
