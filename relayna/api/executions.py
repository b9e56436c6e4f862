"""`GET /executions/{task_id}/graph`, and `GET /executions/graph?task_id=` for every id there is.

Owns how a request becomes a question, and which representation answers it. Knows nothing of graphs: the
service builds them and the renderers write them down.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote_to_bytes

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router

from relayna.api.aliases import HttpNames
from relayna.api.negotiation import preferred_media_type
from relayna.api.problems import answers_problems, not_acceptable
from relayna.api.query import QueryParameters
from relayna.api.responses import JSON, make_response
from relayna.errors import InvalidQuery
from relayna.observability.graph_service import ExecutionGraphService
from relayna.observability.mermaid import execution_graph_mermaid
from relayna.projections.execution import DEFAULT_DEPTH
from relayna.topologies import ContractAliasConfig

__all__ = ["create_execution_router"]

_FORMATS: Final = {"json": JSON, "mermaid": "text/vnd.mermaid"}
_OFFERED: Final = (JSON, "text/vnd.mermaid", "text/x-mermaid")


def create_execution_router(
    *, execution_graph_service: ExecutionGraphService, aliases: ContractAliasConfig | None = None
) -> Router:
    """The routes that answer for executions, to be put into a Starlette or FastAPI app in one of three ways.

        app.router.routes.extend(router.routes)
        app.mount("", router)
        app.include_router(APIRouter(routes=router.routes))  # FastAPI

    The app keeps the log that the service reads open (`async with log` in its lifespan). Errors are
    answered here, as `application/problem+json`, whatever handlers the app has. `aliases` may give `task_id`
    another name: as a parameter, and in the JSON of graphs. Raises `InvalidSetting` for one that is taken.
    """
    names = HttpNames(aliases)

    @answers_problems
    async def get_graph(request: Request) -> Response:
        query = QueryParameters.of(request)
        media_type = _media_type(request, query)
        if media_type is None:
            return not_acceptable(_OFFERED)
        graph = await execution_graph_service.get_graph(
            _task_id(request, query, names.parameter),
            at=query.time("at"),
            depth=query.whole_number("depth", default=DEFAULT_DEPTH),
            max_nodes=query.whole_number("max_nodes"),
        )
        body = names.encode_graph(graph) if media_type == JSON else execution_graph_mermaid(graph).encode()
        return make_response(body, media_type=media_type, headers={"Vary": "Accept"})

    return Router(
        [
            Route("/executions/graph", get_graph, name="execution_graph_by_query"),
            Route(f"/executions/{{{names.parameter}:path}}/graph", get_graph, name="execution_graph"),
        ],
        redirect_slashes=False,  # a redirect would be spelled with the decoded path, and lead elsewhere
    )


def _task_id(request: Request, query: QueryParameters, name: str) -> str:
    task_id: str | None = request.path_params.get(name)
    if task_id is None:
        task_id = query.text(name)
        if task_id is None:
            raise InvalidQuery(name, f"is missing; ask as in /executions/graph?{name}=order-7")
    elif "\ufffd" in task_id:
        _check_utf8(request, name)
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
