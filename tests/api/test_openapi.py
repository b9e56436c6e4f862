"""The OpenAPI document: valid, whole, true, and the one that is committed."""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema_rs
import msgspec
import pytest
from api.serving import Serve
from msgspec import Struct
from schemathesis.specs.openapi.definitions import OPENAPI_31
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute

from relayna.api import create_app
from relayna.api.aliases import HttpNames
from relayna.api.endpoint import ApiRequest, Endpoint
from relayna.api.openapi import encode_document, openapi_document
from relayna.api.problem_examples import problem_examples
from relayna.api.problems import Problem, title_of
from relayna.api.responses import JSON, make_response
from relayna.api.runtime import RelaynaRuntime
from relayna.streams import MemoryLog
from relayna.topologies import ContractAliasConfig
from tools.write_openapi import OPENAPI_JSON, document

pytestmark = pytest.mark.anyio

JOBS = ContractAliasConfig(http_aliases={"task_id": "job_id"}, field_aliases={"task_id": "jobId"})


def told() -> dict[str, Any]:
    """The document, as a client reads it."""
    loaded: dict[str, Any] = json.loads(document())
    return loaded


async def test_the_committed_document_is_what_the_app_serves(serve: Serve) -> None:
    client = await serve(create_app(RelaynaRuntime(log=MemoryLog())))
    answer = await client.get("/openapi.json")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    advice = "run `python -m tools.write_openapi` and commit docs/openapi.json"
    assert answer.content == document() == OPENAPI_JSON.read_bytes(), advice


def test_it_is_a_valid_openapi_document() -> None:
    errors = [error.message for error in jsonschema_rs.validator_for(OPENAPI_31).iter_errors(told())]
    assert errors == []


def test_every_reference_leads_somewhere() -> None:
    loaded = told()
    references = set(re.findall(r'"#/components/(\w+)/(\w+)"', json.dumps(loaded)))
    assert {kind for kind, _ in references} == {"schemas", "responses"}
    assert [one for one in references if one[1] not in loaded["components"][one[0]]] == []
    unused = [name for name in loaded["components"]["schemas"] if ("schemas", name) not in references]
    assert unused == []


def test_every_route_of_the_app_is_in_it() -> None:
    app = create_app(RelaynaRuntime(log=MemoryLog()))
    routes = {
        (re.sub(r":\w+\}", "}", route.path), method.lower())
        for route in app.routes
        if isinstance(route, Route)
        for method in route.methods or ()
        if method != "HEAD"
    }
    over_sockets = [route for route in app.routes if isinstance(route, WebSocketRoute)]
    assert len(app.routes) == len(routes) + len(over_sockets)
    assert routes == {(path, method) for path, methods in told()["paths"].items() for method in methods}


def test_every_operation_is_named_once_and_says_who_may_ask() -> None:
    operations = [one for methods in told()["paths"].values() for one in methods.values()]
    assert len({one["operationId"] for one in operations}) == len(operations)
    assert all(one["security"] == [] or [*one["security"][0]] == ["token"] for one in operations)
    open_to_all = {one["operationId"] for one in operations if one["security"] == []}
    assert open_to_all == {"livez", "readyz", "openapi"}


def test_every_parameter_of_a_path_is_told() -> None:
    for path, methods in told()["paths"].items():
        for operation in methods.values():
            parameters = operation.get("parameters", [])
            in_path = {one["name"] for one in parameters if one["in"] == "path"}
            assert in_path == set(re.findall(r"\{(\w+)\}", path)), path
            assert len({one["name"] for one in parameters}) == len(parameters), path


OF_ROUTES_ALONE = {"409", "412"}
"""What only a route can say; it has no example that is true of all."""


def test_every_problem_has_an_example_that_is_one() -> None:
    loaded = told()
    validator = jsonschema_rs.validator_for({**loaded["components"]["schemas"]["Problem"]})
    for status, response in loaded["components"]["responses"].items():
        content = response["content"]["application/problem+json"]
        assert response["description"] == title_of(int(status))
        assert ("examples" in content) is (status not in OF_ROUTES_ALONE)
        for code, example in content.get("examples", {}).items():
            assert validator.is_valid(example["value"])
            assert (example["value"]["status"], example["value"]["code"]) == (int(status), code)


def test_no_example_shows_the_inside() -> None:
    problems = [problem for status in range(400, 600) for problem in problem_examples(status)]
    assert len(problems) > 10
    assert b"redis" not in msgspec.json.encode(problems)


class Asked(Struct, forbid_unknown_fields=True):
    """What is wanted.

    More of it.
    """

    task_id: str


class Done(Struct):
    """What came of it."""

    task_id: str
    count: int = 0


async def nothing(request: ApiRequest) -> Response:
    return make_response(b"{}", media_type=JSON)


WRITE = Endpoint(
    path="/executions/{job_id:path}/undo",
    name="undo",
    summary="Undo it.",
    answer=nothing,
    method="POST",
    scope="replay",
    takes=Asked,
    returns={JSON: Done, "text/event-stream": None},
    other_answers={202: Done, 204: None, 503: Done},
    problems=(409,),
)


def test_a_write_says_what_it_takes_and_all_that_it_answers() -> None:
    loaded = openapi_document([WRITE], names=HttpNames(None))
    [path] = loaded["paths"]
    operation = loaded["paths"][path]["post"]
    assert path == "/executions/{job_id}/undo"
    assert operation["security"] == [{"token": ["replay"]}]
    assert operation["requestBody"]["content"] == {JSON: {"schema": {"$ref": "#/components/schemas/Asked"}}}
    responses = operation["responses"]
    assert {*responses} >= {"200", "202", "204", "400", "401", "403", "409", "413", "415", "503"}
    assert {*responses["200"]["content"]} == {JSON, "text/event-stream"}
    assert responses["202"]["description"] == "What came of it."
    assert "content" not in responses["204"]
    assert {*responses["503"]["content"]} == {JSON, "application/problem+json"}
    assert "Retry-After" in responses["503"]["headers"]
    schema = loaded["components"]["schemas"]["Asked"]
    assert (schema["description"], schema["additionalProperties"]) == ("What is wanted. More of it.", False)


def test_tasks_are_called_as_the_contract_does() -> None:
    runtime = RelaynaRuntime(log=MemoryLog())
    loaded = openapi_document(runtime.endpoints(JOBS), names=HttpNames(JOBS))
    assert "/executions/{job_id}/graph" in loaded["paths"]
    graph = loaded["components"]["schemas"]["ExecutionGraph"]
    assert "jobId" in graph["properties"]
    assert "jobId" in graph["required"]
    assert "task_id" not in graph["properties"]


def test_the_same_endpoints_give_the_same_bytes() -> None:
    runtime = RelaynaRuntime(log=MemoryLog())
    first, second = (
        encode_document(openapi_document(runtime.endpoints(), names=HttpNames(None))) for _ in range(2)
    )
    assert first == second


def test_a_problem_is_told_as_it_is_sent() -> None:
    schema = told()["components"]["schemas"]["Problem"]
    assert {*schema["properties"]} == {*Problem.__struct_fields__}
