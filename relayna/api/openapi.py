"""`GET /openapi.json`: the OpenAPI 3.1 document, made from the endpoints themselves.

Owns how endpoints, parameters and Structs are told there. Knows no endpoint by name; what it tells is what
their table says. The same endpoints always give the same bytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
from starlette.responses import Response

from relayna.api.aliases import HttpNames
from relayna.api.endpoint import ApiRequest, Endpoint
from relayna.api.problem_examples import problem_examples
from relayna.api.problems import Problem, title_of
from relayna.api.responses import JSON, make_response

__all__ = ["encode_document", "openapi_document", "openapi_endpoint"]

_VERSION: Final = "1"
_PROBLEM: Final = "application/problem+json"
_REFERENCE: Final = "#/components/schemas/{name}"
_CONVERTOR: Final = re.compile(r"\{(\w+):\w+\}")
_EVERYWHERE: Final = (400, 408, 413, 414, 415, 421, 431, 500, 503)
"""What any request may be answered with, whatever it asks."""
_ABOUT: Final = (
    "What happened to a task, what caused what, and why it is slow, stuck or dead. Times are ISO 8601 with an "
    "offset; fields are only ever added. Errors are problem details (RFC 9457), to be told apart by `code`. "
    "Task ids in paths are percent-encoded, slashes too; those that paths cannot hold are asked for by query."
)
_ABOUT_TOKENS: Final = (
    "Made by `relayna token`. A service that has no token file listens to its own machine alone, asks nobody "
    "for a token and lets everybody read."
)

Json = dict[str, Any]  # Any: JSON values


def openapi_endpoint(endpoints: Iterable[Endpoint], names: HttpNames) -> Endpoint:
    """The endpoint that tells of these, and of itself."""
    told: list[bytes] = []

    async def get_document(request: ApiRequest) -> Response:
        if not told:  # made when first asked for: it takes longer than all else at the start
            told.append(encode_document(openapi_document([*endpoints, endpoint], names=names)))
        return make_response(told[0], media_type=JSON)

    endpoint = Endpoint(
        path="/openapi.json",
        name="openapi",
        summary="This document.",
        answer=get_document,
        scope=None,
        returns={JSON: None},
        problems=(),
    )
    return endpoint


def openapi_document(endpoints: Iterable[Endpoint], *, names: HttpNames) -> Json:
    """The document of these endpoints, with tasks' ids under the name that `names` gives them."""
    table = tuple(endpoints)
    structs = dict.fromkeys(
        struct
        for endpoint in table
        for struct in (*endpoint.returns.values(), *endpoint.other_answers.values(), endpoint.takes)
        if struct is not None
    )
    schemas, components = msgspec.json.schema_components([*structs, Problem], ref_template=_REFERENCE)
    schema_of = dict(zip([*structs, Problem], schemas, strict=True))
    paths: Json = {}
    for endpoint in table:
        paths.setdefault(_CONVERTOR.sub(r"{\1}", endpoint.path), {})[endpoint.method.lower()] = _operation(
            endpoint, schema_of
        )
    statuses = sorted({status for endpoint in table for status in _problems_of(endpoint)})
    return {
        "openapi": "3.1.0",
        "info": {"title": "relayna", "version": _VERSION, "description": _ABOUT},
        "paths": paths,
        "components": {
            "schemas": {name: _told(schema, names) for name, schema in sorted(components.items())},
            "responses": {str(status): _problem_response(status, schema_of[Problem]) for status in statuses},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": _ABOUT_TOKENS}},
        },
    }


def encode_document(document: Json) -> bytes:
    """The document as it is served and kept: readable, and the same for the same."""
    return json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n"


def _operation(endpoint: Endpoint, schema_of: dict[type, Json]) -> Json:
    operation: Json = {"operationId": endpoint.name, "summary": endpoint.summary}
    operation["security"] = [] if endpoint.scope is None else [{"token": [endpoint.scope]}]
    if endpoint.parameters:
        operation["parameters"] = [
            {
                "name": parameter.name,
                "in": parameter.of,
                "description": parameter.about,
                "required": parameter.required,
                "schema": dict(parameter.schema),
            }
            for parameter in endpoint.parameters
        ]
    if endpoint.takes is not None:
        content = {JSON: {"schema": schema_of[endpoint.takes]}}
        operation["requestBody"] = {"required": True, "content": content}
    if endpoint.takes_lines is not None:
        lines = {endpoint.takes_lines: {"schema": {"description": "One JSON object a line."}}}
        operation["requestBody"] = {"required": True, "content": lines}
    operation["responses"] = _responses(endpoint, schema_of)
    return operation


def _responses(endpoint: Endpoint, schema_of: dict[type, Json]) -> Json:
    content = {
        media_type: {"schema": {"type": "object"} if media_type == JSON else {"type": "string"}}
        if struct is None
        else {"schema": schema_of[struct]}
        for media_type, struct in endpoint.returns.items()
    }
    responses: Json = {"200": {"description": endpoint.summary, "content": content}}
    for status in _problems_of(endpoint):
        responses[str(status)] = {"$ref": f"#/components/responses/{status}"}
    for status, struct in endpoint.other_answers.items():
        responses[str(status)] = _other_answer(status, struct, schema_of)
    return dict(sorted(responses.items()))


def _other_answer(status: int, struct: type | None, schema_of: dict[type, Json]) -> Json:
    if struct is None:
        return {"description": _WITHOUT_BODY[status]}
    content: Json = {JSON: {"schema": schema_of[struct]}}
    if status < 400:
        return {"description": (struct.__doc__ or struct.__name__).partition("\n")[0], "content": content}
    told = _problem_response(status, schema_of[Problem])
    return {**told, "content": {**content, **told["content"]}}


_WITHOUT_BODY: Final = {
    204: "There is nothing, and there will be nothing more.",
    304: "It has not changed since the version that If-None-Match names.",
}


def _problems_of(endpoint: Endpoint) -> Sequence[int]:
    with_scope = () if endpoint.scope is None else (401, 403)
    return sorted({*_EVERYWHERE, *with_scope, *endpoint.problems})


def _problem_response(status: int, schema: Json) -> Json:
    examples = problem_examples(status)
    response: Json = {"description": title_of(status)}
    if status == 401:
        response["headers"] = {"WWW-Authenticate": {"schema": {"type": "string", "const": "Bearer"}}}
    if status == 503:
        response["headers"] = {
            "Retry-After": {
                "description": "Seconds until it is worth asking again.",
                "schema": {"type": "integer", "minimum": 1},
            }
        }
    told = {problem.code: {"value": msgspec.to_builtins(problem)} for problem in examples}
    content: Json = {"schema": schema, "examples": told} if told else {"schema": schema}
    return {**response, "content": {_PROBLEM: content}}


def _told(schema: Json, names: HttpNames) -> Json:
    """A Struct's schema: its text on one line, and the task's id under its name."""
    told = dict(schema)
    if "description" in told:
        told["description"] = " ".join(told["description"].split())
    if "properties" in told:
        told["properties"] = {names.of_field(name): inner for name, inner in told["properties"].items()}
    if "required" in told:
        told["required"] = [names.of_field(name) for name in told["required"]]
    return told
