"""`GET /executions/{task_id}/graph`, and `GET /executions/graph?task_id=` for every id there is.

Owns how a request becomes a question, and which representation answers it. Knows nothing of graphs: the
service builds them and the renderers write them down.
"""

from __future__ import annotations

from typing import Final, Literal, TypedDict
from urllib.parse import unquote_to_bytes

from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Router

from relayna.api.access import Access
from relayna.api.aliases import HttpNames
from relayna.api.conditional import known_tags, not_modified, quoted
from relayna.api.endpoint import Answer, ApiRequest, Endpoint, Parameter, routes_of, unredirected
from relayna.api.graph_parameters import COLLAPSE, DEPTH, VIEW
from relayna.api.graph_representations import FORMATS, OFFERED, GraphRepresentations, chosen_media_type
from relayna.api.large_response import make_large_response
from relayna.api.problems import not_acceptable
from relayna.api.query import QueryParameters
from relayna.api.responses import JSON
from relayna.api.tenants import OfCaller, same_for_all
from relayna.errors import InvalidQuery
from relayna.observability.graph_question import DEFAULT_VIEW
from relayna.observability.graph_service import ExecutionGraphService
from relayna.projections.execution import DEFAULT_DEPTH
from relayna.projections.graph import ExecutionGraph
from relayna.topologies import ContractAliasConfig

__all__ = ["asked_task_id", "create_execution_router", "graph_endpoints", "task_id_parameter"]

_DEFAULT_NODES: Final = 5_000
_MOST_NODES: Final = 50_000
"""Over HTTP; the Python API has no such bound."""
_KEPT: Final = {"Cache-Control": "no-cache", "Vary": "Accept"}


_PARAMETERS: Final = (
    Parameter(name="at", about="Only what had happened by then (ISO 8601)."),
    Parameter(
        name="as_of",
        about="Only what was known by then (ISO 8601), or what an earlier answer was made from: its ETag "
        "without the quotes.",
    ),
    DEPTH,
    Parameter(
        name="max_nodes",
        about="At most so many nodes, made from about four times as many events; the answer says what is left out.",
        schema={"type": "integer", "minimum": 1, "maximum": _MOST_NODES, "default": _DEFAULT_NODES},
    ),
    VIEW,
    COLLAPSE,
    Parameter(name="format", about="Instead of Accept.", schema={"type": "string", "enum": list(FORMATS)}),
)


class _Asked(TypedDict):
    """The parameters of a graph, beside the task."""

    at: str | None
    as_of: str | None
    depth: int
    max_nodes: int
    view: str
    collapse: tuple[str, ...]


_ASKED_BY_DEFAULT: Final = _Asked(
    at=None, as_of=None, depth=DEFAULT_DEPTH, max_nodes=_DEFAULT_NODES, view=DEFAULT_VIEW, collapse=()
)


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
    names = HttpNames(aliases)
    endpoints = names.check(graph_endpoints(same_for_all(execution_graph_service), names))
    return unredirected(routes_of(endpoints, access))


def graph_endpoints(graphs: OfCaller[ExecutionGraphService], names: HttpNames) -> tuple[Endpoint, ...]:
    """The graph of a task, by path and, for every id there is, by query."""
    by_query = Endpoint(
        path="/executions/graph",
        name="execution_graph_by_query",
        summary="The graph of a task, whatever its id.",
        answer=_graph_answer(graphs, names),
        parameters=(task_id_parameter(names.parameter, "query"), *_PARAMETERS),
        returns={JSON: ExecutionGraph, **dict.fromkeys(OFFERED[1:])},
        other_answers={304: None},
        problems=(404, 406, 422, 503),
    )
    by_path = replace(
        by_query,
        path=f"/executions/{{{names.parameter}:path}}/graph",
        name="execution_graph",
        summary="What happened to a task, what caused what, and what is missing.",
        parameters=(task_id_parameter(names.parameter, "path"), *_PARAMETERS),
    )
    return by_query, by_path


def _graph_answer(graphs: OfCaller[ExecutionGraphService], names: HttpNames) -> Answer:
    representations = GraphRepresentations(names)

    async def get_graph(request: ApiRequest) -> Response:
        accept = ", ".join(request.http.headers.getlist("accept"))
        media_type = chosen_media_type(accept, request.query.text("format"))
        if media_type is None:
            return not_acceptable(OFFERED)
        service, asked = graphs(request.caller), _asked(request.query)
        task_id = asked_task_id(request, names.parameter)
        known = known_tags(request.http)
        for tag in known.tags:
            version = representations.version(tag, media_type)
            if version is not None and await service.is_current(version, task_id, **asked):
                return not_modified(tag, _KEPT)
        answer = await service.get_versioned(task_id, **asked)
        tag = representations.tag(answer.version, media_type)
        if known.include(tag):
            return not_modified(tag, _KEPT)
        body = await representations.written(answer, media_type)
        return make_large_response(body, media_type=media_type, headers={**_KEPT, "ETag": quoted(tag)})

    return get_graph


def task_id_parameter(name: str, of: Literal["path", "query"]) -> Parameter:
    """The task that is asked for."""
    return Parameter(name=name, about="The task's id.", of=of, required=True)


def asked_task_id(request: ApiRequest, name: str) -> str:
    """The task id in the path, or else in the query string. Raises `InvalidQuery`."""
    task_id: str | None = request.http.path_params.get(name)
    if task_id is None:
        task_id = request.query.text(name)
        if task_id is None:
            raise InvalidQuery(name, f"nothing is given; ask as in {request.http.url.path}?{name}=order-7")
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


def _asked(query: QueryParameters) -> _Asked:
    if query.are_none:
        return _ASKED_BY_DEFAULT
    max_nodes = query.whole_number("max_nodes", default=_DEFAULT_NODES)
    if max_nodes > _MOST_NODES:
        raise InvalidQuery(
            "max_nodes", f"{max_nodes} is more than {_MOST_NODES}; ask for one of the children"
        )
    view, collapse = query.text("view"), query.text("collapse")
    return _Asked(
        at=query.time("at"),
        as_of=query.time("as_of"),
        depth=query.whole_number("depth", default=DEFAULT_DEPTH),
        max_nodes=max_nodes,
        view=DEFAULT_VIEW if view is None else view,
        collapse=() if collapse is None else tuple(collapse.split(",")),
    )
