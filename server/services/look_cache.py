"""What towers made of pictures below the blocks that heatmaps read, kept for the next caption; bounded in bytes."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from PIL import Image

from server.cache import BoundedCache
from server.services.towers import Towers
from sparc_core.attribution import Looks, Method, head_blocks, join, look_for
from sparc_core.device_memory import in_parts


class Subject(NamedTuple):
    """A picture to look at: what names its content, and how to get at it."""

    key: str
    load: Callable[[], Image.Image]


class LookCache:
    """The looks used last, least recently used out first. Runs models: call on the device worker."""

    def __init__(self, towers: Towers, n_bytes: int) -> None:
        """Args: `n_bytes` of tokens at most, on the towers' device."""
        self._towers = towers
        self.kept = BoundedCache[tuple[object, ...], Looks]("looks", n_bytes, lambda looks: looks.n_bytes)

    def looks(self, stream: str, subjects: Sequence[Subject], method: Method, layers: int | None) -> Looks:
        """Looks of some pictures in one stream, as one batch."""
        backbone = self._towers.image(stream)
        n = head_blocks(method, backbone, layers)
        keys = [(subject.key, stream, n, method.blends) for subject in subjects]
        found = {key: self.kept.get(key) for key in keys}
        missing = [subject for subject, key in zip(subjects, keys, strict=True) if found[key] is None]
        if missing:
            x = self._towers.batch(stream, [subject.load() for subject in missing])
            parts = in_parts(lambda part: look_for(method, backbone, part, n, embed=True).rows(), x)
            made = [look for part in parts for look in part]
            for subject, look in zip(missing, made, strict=True):
                found[subject.key, stream, n, method.blends] = look
                self.kept.put((subject.key, stream, n, method.blends), look)
        return join([look for look in (found[key] for key in keys) if look is not None])
