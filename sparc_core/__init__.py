"""SPARC: the model, the maths and the bundle format that the builder and the server share.

Start at `sparc_core.model`; the seam between building and serving is `sparc_core.bundle`.
"""

__version__ = "1.0.0"
