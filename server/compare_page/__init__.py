"""What the page Compare shows: two bundles that are served together, or two streams of the main one.

`bundles` and `streams` put the two views together; `differences` says what may not be compared, `figures` has the
numbers at a glance, `outlines` the histograms, `side_by_side` the latents of one number, `correspondence` what such a
number means, `tables` everything that was measured; `frontend/templates/compare.html` shows it.
"""

from server.compare_page.bundles import N_ROWS, BundlesView, bundles_view
from server.compare_page.side_by_side import Order
from server.compare_page.streams import WAYS, StreamsView, streams_view

__all__ = ["N_ROWS", "WAYS", "BundlesView", "Order", "StreamsView", "bundles_view", "streams_view"]
