"""A cluster as the engine of a build: Ray tasks, Ray Data and Ray Train do the heavy steps. An extra: `[ray]`.

Start at `engine`; `docs/scale.md` says how to run it.
"""

from sparc_core.errors import InputError

try:
    import ray  # noqa: F401
except ImportError:
    raise InputError('Ray is not installed: pip install "sparc-explorer[ray]"') from None

from index_build.ray_engine.engine import ClusterSettings, RayEngine, connected
from index_build.ray_engine.errors import ClusterError

__all__ = ["ClusterError", "ClusterSettings", "RayEngine", "connected"]
