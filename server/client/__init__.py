"""The Python client of the REST API: `SparcClient`, and `AsyncSparcClient` with the same methods.

    with SparcClient("http://127.0.0.1:8000") as client:
        for hit in client.retrieve("a cat in the snow", target="dino").hits:
            print(hit.item_id, hit.score)

Answers are the objects of `server.schemas`; whatever goes wrong is an `ApiError`. Each question is written once, in
`calls`; the clients only send it. Light: no torch, no faiss, no numpy, no web framework. How to use it: docs/api.md.
"""

from server.client.answers import HeatmapArray, HeatmapLine
from server.client.async_client import AsyncSparcClient
from server.client.errors import ApiError
from server.client.sync_client import SparcClient

__all__ = ["ApiError", "AsyncSparcClient", "HeatmapArray", "HeatmapLine", "SparcClient"]
