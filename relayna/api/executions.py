"""`GET /executions/{task_id}/graph`, and `GET /executions/graph?task_id=` for every id there is.

Owns how a request becomes a question, and which representation answers it. Knows nothing of graphs: the
service builds them and the renderers write them down.
"""

from __future__ import annotations

from typing import Final, Literal
from urllib.parse import unquote_to_bytes

from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Router

from relayna.api.access import Access
from relayna.api.aliases import HttpNames
from relayna.api.endpoint import ApiRequest, Endpoint, Parameter, routes_of, unredirected
from relayna.api.negotiation import preferred_media_type
from relayna.api.problems import not_acceptable
from relayna.api.query import QueryParameters
from relayna.api.responses import JSON, make_response
from relayna.api.tenants import OfCaller, same_for_all
from relayna.errors import InvalidQuery
from relayna.observability.graph_service import ExecutionGraphService
from relayna.observability.mermaid import execution_graph_mermaid
from relayna.projections.execution import DEFAULT_DEPTH
from relayna.projections.graph import ExecutionGraph
from relayna.topologies import ContractAliasConfig

__all__ = ["asked_task_id", "create_execution_router", "graph_endpoints", "task_id_parameter"]

_FORMATS: Final = {"json": JSON, "mermaid": "text/vnd.mermaid"}
_OFFERED: Final = (JSON, "text/vnd.mermaid", "text/x-mermaid")


def create_execution_router(
    *,
    execution_graph_service: ExecutionGraphService,
    aliases: ContractAliasConfig | None = None,
    access: Access | None = None,
) -> Router:
    """The routes that answer for executions, to be put into a Starlette or FastAPI app in one of three ways.

        app.router.routes.extend(router.routes)
        app.mount("", router)
        app.include_router(APIRouter(routes=router.routes))  # FastAPI

    The app keeps the log that the service reads open (`async with log` in its lifespan). Errors are
    answered here, as `application/problem+json`, whatever handlers the app has. `aliases` may give `task_id`
    another name: as a parameter, and in the JSON of graphs. Raises `InvalidSetting` for one that is taken.
    `access` says who may ask; by default all who reach the app.
    """
    endpoints = graph_endpoints(same_for_all(execution_graph_service), HttpNames(aliases))
    return unredirected(routes_of(endpoints, access))


def graph_endpoints(graphs: OfCaller[ExecutionGraphService], names: HttpNames) -> tuple[Endpoint, ...]:
    """The graph of a task, by path and, for every id there is, by query."""

    async def get_graph(request: ApiRequest) -> Response:
        query = request.query
        media_type = _media_type(request.http, query)
        if media_type is None:
            return not_acceptable(_OFFERED)
        graph = await graphs(request.caller).get_graph(
            asked_task_id(request, names.parameter),
            at=query.time("at"),
            depth=query.whole_number("depth", default=DEFAULT_DEPTH),
            max_nodes=query.whole_number("max_nodes"),
        )
        body = names.encode_graph(graph) if media_type == JSON else execution_graph_mermaid(graph).encode()
        return make_response(body, media_type=media_type, headers={"Vary": "Accept"})

    parameters = (
        Parameter(name="at", about="Only what had happened by then (ISO 8601)."),
        Parameter(
            name="depth",
            about="Generations of children drawn with their own attempts.",
            schema={"type": "integer", "minimum": 0, "maximum": 50, "default": DEFAULT_DEPTH},
        ),
        Parameter(
            name="max_nodes",
            about="At most so many nodes; the answer says what is left out.",
            schema={"type": "integer", "minimum": 1},
        ),
        Parameter(
            name="format", about="Instead of Accept.", schema={"type": "string", "enum": list(_FORMATS)}
        ),
    )
    returns: dict[str, type | None] = {JSON: ExecutionGraph, **dict.fromkeys(_OFFERED[1:])}
    by_query = Endpoint(
        path="/executions/graph",
        name="execution_graph_by_query",
        summary="The graph of a task, whatever its id.",
        answer=get_graph,
        parameters=(task_id_parameter(names.parameter, "query"), *parameters),
        returns=returns,
        problems=(404, 406, 422, 503),
    )
    by_path = replace(
        by_query,
        path=f"/executions/{{{names.parameter}:path}}/graph",
        name="execution_graph",
        summary="What happened to a task, what caused what, and what is missing.",
        parameters=(task_id_parameter(names.parameter, "path"), *parameters),
    )
    return by_query, by_path


def task_id_parameter(name: str, of: Literal["path", "query"]) -> Parameter:
    """The task that is asked for."""
    return Parameter(name=name, about="The task's id.", of=of, required=True)


def asked_task_id(request: ApiRequest, name: str) -> str:
    """The task id in the path, or else in the query string. Raises `InvalidQuery`."""
    task_id: str | None = request.http.path_params.get(name)
    if task_id is None:
        task_id = request.query.text(name)
        if task_id is None:
            raise InvalidQuery(name, f"is missing; ask as in /executions/graph?{name}=order-7")
    elif "\ufffd" in task_id:
        _check_utf8(request.http, name)
    return task_id


def _check_utf8(request: Request, name: str) -> None:
    # The server has decoded the path once, as ASGI wants it, and put U+FFFD for what is not UTF-8: without
    # a look at the bytes, many paths would lead to the one task that really has it in its id.
    raw_path: bytes = request.scope.get("raw_path") or b""
    try:
        unquote_to_bytes(raw_path).decode()
    except UnicodeDecodeError:
        raise InvalidQuery(name, "is not UTF-8") from None


def _media_type(request: Request, query: QueryParameters) -> str | None:
    name = query.text("format")
    if name is None:
        return preferred_media_type(", ".join(request.headers.getlist("accept")), _OFFERED)
    if name not in _FORMATS:
        raise InvalidQuery("format", f"{name[:80]!r} is none of {', '.join(_FORMATS)}")
    return _FORMATS[name]
