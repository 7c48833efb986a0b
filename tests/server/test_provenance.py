"""The foot of every page: how the model was made, and how exactly its indexes search."""

import re

from fastapi.testclient import TestClient

from server.page_rendering import templates
from server.schemas import Info


def foot(info: Info) -> str:
    """Its text."""
    html = str(templates.env.get_template("parts.html").make_module({"info": info}).provenance())
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_it_says_selection_and_cross_loss(client: TestClient) -> None:
    info = Info.model_validate(client.get("/api/v1/info").json())
    assert "selection global, cross loss 2 corpus storybook, 200 items" in foot(info)
    assert "selection local corpus" in foot(info.model_copy(update={"selection": "local", "cross_loss_coef": None}))


def test_it_says_how_much_approximate_indexes_find(client: TestClient) -> None:
    info = Info.model_validate(client.get("/api/v1/info").json())
    assert "codes exact, features exact device" in foot(info)
    first, *others = info.streams
    approximate = first.model_copy(update={"vectors": "hnsw", "vectors_recall": 0.981})
    said = foot(info.model_copy(update={"streams": [approximate, *others]}))
    assert "features DINO hnsw (finds 98%) , CLIP image exact, CLIP text exact" in said
