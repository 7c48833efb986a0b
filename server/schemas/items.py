"""Items, their codes, uploads."""

from server.schemas.base import Wire


class LatentActivation(Wire):
    """One entry of a code."""

    latent: int
    name: str
    activation: float


class Item(Wire):
    """One item of the corpus with its codes (the model's own selection), strongest first."""

    item_id: str
    caption: str
    labels: list[str]
    width: int
    height: int
    split: str
    codes: dict[str, list[LatentActivation]]


class Upload(Wire):
    """A picture that was sent; `upload_id` stands for it in later requests until newer uploads push it out."""

    upload_id: str
    width: int
    height: int
