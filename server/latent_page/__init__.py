"""What a latent's page shows, made from what the API answers.

`view` puts it together, `address` is what the address says, `beside` the same number in another bundle, `meanings` the
sentences about both; `frontend/templates/latent.html` draws it.
"""

from server.latent_page.address import LatentAddress
from server.latent_page.view import LatentView, latent_view

__all__ = ["LatentAddress", "LatentView", "latent_view"]
