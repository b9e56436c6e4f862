"""`GET /lineage/…`: the questions of `relayna/observability/lineage_queries.py` over HTTP.

Owns how parameters become arguments, that each route is there by path and by query, and that all answer 404 while
`RELAYNA_LINEAGE_READ` is off.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct
from starlette.responses import Response

from relayna.api.aliases import HttpNames
from relayna.api.endpoint import ApiRequest, Endpoint, Parameter, both_ways
from relayna.api.executions import asked_task_id
from relayna.api.large_response import make_large_response
from relayna.api.lineage_switch import refuse_while_lineage_is_off
from relayna.api.query import QueryParameters
from relayna.api.responses import JSON
from relayna.api.tenants import OfCaller
from relayna.errors import InvalidQuery
from relayna.observability.lineage_queries import LINEAGE_QUERIES, LineageQuery
from relayna.observability.lineage_service import LineageService

__all__ = ["lineage_endpoints", "query_endpoints"]

_NO_CACHE: Final = {"Cache-Control": "no-cache"}


def lineage_endpoints(lineage: OfCaller[LineageService], names: HttpNames) -> tuple[Endpoint, ...]:
    """Everything about how runs led to one another."""
    return tuple(one for query in LINEAGE_QUERIES for one in query_endpoints(query, lineage, names))


def query_endpoints(
    query: LineageQuery, lineage: OfCaller[LineageService], names: HttpNames
) -> tuple[Endpoint, ...]:
    """The routes of one question: by query, for every id there is, and by path where it is about one thing."""
    arguments = _arguments(query.asks)

    async def answer(request: ApiRequest) -> Response:
        refuse_while_lineage_is_off()
        told = await query.ask(lineage(request.caller), _asked(query, arguments, request))
        return make_large_response(names.encode(told), media_type=JSON, headers=_NO_CACHE)

    endpoint = Endpoint(
        path=query.path,
        name=f"lineage_{query.name}",
        summary=query.summary,
        answer=answer,
        parameters=tuple(_parameter(name, schema) for name, schema in arguments.items()),
        returns={JSON: query.tells},
        problems=(404, 422, 503),
    )
    return both_ways(endpoint) if "{}" in query.path else (endpoint,)


def _arguments(asks: type[Struct]) -> dict[str, Mapping[str, Any]]:  # Any: JSON Schema
    """By name, the schema of each; those without a default are marked as required."""
    _, components = msgspec.json.schema_components((asks,))
    told = components[asks.__name__]
    required = told.get("required", ())
    return {name: {**schema, "required": name in required} for name, schema in told["properties"].items()}


def _parameter(name: str, schema: Mapping[str, Any]) -> Parameter:  # Any: JSON Schema
    told = {key: value for key, value in schema.items() if key not in ("description", "required")}
    if schema.get("type") == "array":
        choices = "|".join(schema["items"].get("enum", ()))
        told = {"type": "string", **({"pattern": f"^({choices})(,({choices}))*$"} if choices else {})}
    elif "anyOf" in schema:  # nothing is asked for by not asking
        told = {"type": "string"}
    elif "enum" in schema:
        told = {"type": "string", **told}
    listed = ", separated by commas" if schema.get("type") == "array" else ""
    about = f"{schema['description'].removesuffix('.')}{listed}."
    return Parameter(name=name, about=about, schema=told, required=schema["required"])


def _asked(
    query: LineageQuery,
    arguments: Mapping[str, Mapping[str, Any]],  # Any: JSON Schema
    request: ApiRequest,
) -> Struct:
    """What is asked; whoever answers checks what it says."""
    subject = next(iter(arguments)) if "{}" in query.path else None
    given: dict[str, object] = {}
    for name, schema in arguments.items():
        value = asked_task_id(request, name) if name == subject else _given(request.query, name, schema)
        if value is None and schema["required"]:
            example = "&".join(f"{one}=…" for one, its in arguments.items() if its["required"])
            raise InvalidQuery(name, f"nothing is given; ask as in {query.path}?{example}")
        if value is not None:
            given[name] = value
    return query.asks(**given)


def _given(query: QueryParameters, name: str, schema: Mapping[str, Any]) -> object:  # Any: JSON Schema
    match schema.get("type"), schema.get("format"):
        case "integer", _:
            return query.whole_number(name)
        case "boolean", _:
            return query.boolean(name)
        case "array", _:
            text = query.text(name)
            return None if text is None else text.split(",")
        case _, "date-time":
            return query.time(name)
        case _:
            return query.text(name)
