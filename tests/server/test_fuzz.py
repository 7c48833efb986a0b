"""Generated requests, valid and not: no answer breaks the API's own description, no request an answer of 500."""

from collections import Counter

import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import given, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import positive_data_acceptance
from starlette.types import ASGIApp, Receive, Scope, Send

from server.app import create_app
from server.settings import Settings

_EXAMPLES = 25
# Nobody guesses a word, an item, an upload, a stream, a table or a key.
_UNLIKELY = {
    "POST /api/v1/retrieve",  # its texts are mostly spaces or unknown, and terms name one of four
    "POST /api/v1/heatmaps",
    "GET /api/v1/latents/{latent_id}",
    "GET /api/v1/latents/{latent_id}/items",
    "GET /api/v1/latents/{latent_id}/coactive",
    "POST /api/v1/latents/{latent_id}/activation",
    "GET /api/v1/latents/mismatches",
    "GET /api/v1/latents/pairs",
    "GET /api/v1/evaluation/tables/{name}",
    "GET /api/v1/evaluation/tables/{name}/csv",
    "GET /api/v1/evaluation/tables/{name}/latex",
    "GET /api/v1/evaluation/comparison",
    "GET /api/v1/evaluation/comparison/{name}/csv",
    "GET /api/v1/items/{item_id}",
    "GET /api/v1/items/{item_id}/image",
    "GET /api/v1/uploads/{upload_id}/image",
    "POST /api/v1/uploads",
    "POST /api/v1/admin/reload",
}
# The description needs no bundle; requests go to the running service.
_SCHEMA = schemathesis.openapi.from_dict(create_app(Settings(_env_file=None)).openapi())  # type: ignore[call-arg]
_OPERATIONS = [result.ok() for result in _SCHEMA.get_all_operations()]


# Nothing is wrong with any text as an id, so these have no invalid requests.
_FREE = [operation for operation in _OPERATIONS if not operation.body and not len(operation.query)]
_CASES = [(mode, operation) for mode in GenerationMode for operation in _OPERATIONS]


@pytest.mark.parametrize(
    ("mode", "operation"),
    [(mode, operation) for mode, operation in _CASES if mode.is_positive or operation not in _FREE],
    ids=lambda value: value.label if hasattr(value, "label") else value.value,
)
def test_generated_requests_get_described_answers(
    client: TestClient, mode: GenerationMode, operation: schemathesis.APIOperation
) -> None:
    statuses: Counter[int] = Counter()

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(max_examples=_EXAMPLES)
    def ask(case: Case) -> None:
        if mode.is_positive and case.query:
            case.query.pop("bundle", None)  # nobody guesses its id; test_beside.py asks with one
        # Whether an item, a stream or a word exists is no matter of the description.
        answer = case.call_and_validate(app=running(client), excluded_checks=[positive_data_acceptance])
        statuses[answer.status_code] += 1

    ask()
    assert 503 not in statuses, "the service is there to answer"
    if mode.is_positive and operation.label not in _UNLIKELY:
        assert statuses[200], statuses


def running(client: TestClient) -> ASGIApp:
    """The application that runs for all tests, without another start and end of it."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            for step in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{step}.complete"})
        else:
            await client.app(scope, receive, send)

    return app
