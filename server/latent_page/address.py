"""What the address of a latent's page says. The twin of `static/js/parts/latent/latentview.js`."""

from dataclasses import dataclass, replace
from urllib.parse import urlencode

from server.schemas import Interval


@dataclass(frozen=True)
class LatentAddress:
    """A view of one latent.

    Attributes:
        latent: Its number.
        interval: Which of its items.
        seed: Of the interval `random`.
        heat: Whether the pictures carry heatmaps.
        tried: A text that is tested on it, or "".
        upload: Id of a sent picture that is, or "".
        beside: Id of another bundle whose latent of this number is shown too, or "".
    """

    latent: int
    interval: Interval = Interval.top
    seed: int = 0
    heat: bool = False
    tried: str = ""
    upload: str = ""
    beside: str = ""

    def href(self) -> str:
        """The address; what is as usual stays out of it."""
        said = {
            "interval": "" if self.interval is Interval.top else self.interval.value,
            "seed": self.seed or "",
            "heat": "1" if self.heat else "",
            "try": self.tried,
            "upload": self.upload,
            "beside": self.beside,
        }
        query = urlencode({name: value for name, value in said.items() if value})
        return f"/latents/{self.latent}" + (f"?{query}" if query else "")

    def another(self, latent: int) -> "LatentAddress":
        """The same view of another latent; a draw of items is of one latent only."""
        return replace(self, latent=latent, seed=0)

    def at(self, interval: Interval, seed: int = 0) -> "LatentAddress":
        """The same view with other items."""
        return replace(self, interval=interval, seed=seed)

    def drawn_again(self) -> "LatentAddress":
        """The same view with other random items."""
        return self.at(Interval.random, self.seed + 1)

    def next_to(self, bundle_id: str) -> "LatentAddress":
        """The same view with another bundle beside it; "" for none."""
        return replace(self, beside=bundle_id)
