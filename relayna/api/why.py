"""`GET /executions/{task_id}/why`: the first cause of a failure, or what a task waits for.

Owns the route by path and the one by query. The answer is read off the graph (`relayna.projections.failure`).
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace
from starlette.responses import Response

from relayna.api.aliases import HttpNames
from relayna.api.endpoint import ApiRequest, Endpoint, Parameter
from relayna.api.executions import asked_task_id, task_id_parameter
from relayna.api.responses import JSON, make_response
from relayna.api.tenants import OfCaller
from relayna.observability.graph_service import MAX_DEPTH, ExecutionGraphService
from relayna.observability.live.held_versions import worked_out
from relayna.projections.execution import DEFAULT_DEPTH
from relayna.projections.failure import explain_failure
from relayna.projections.task_why import TaskWhy

__all__ = ["why_endpoints"]

_MOST_NODES: Final = 50_000
_PARAMETERS: Final = (
    Parameter(name="at", about="As far as had happened by then (ISO 8601)."),
    Parameter(
        name="depth",
        about="Generations of children that are looked at.",
        schema={"type": "integer", "minimum": 0, "maximum": MAX_DEPTH, "default": DEFAULT_DEPTH},
    ),
)


def why_endpoints(graphs: OfCaller[ExecutionGraphService], names: HttpNames) -> tuple[Endpoint, ...]:
    """Why a task failed, or what it waits for."""

    async def get_why(request: ApiRequest) -> Response:
        graph = await graphs(request.caller).get_graph(
            asked_task_id(request, names.parameter),
            at=request.query.time("at"),
            depth=request.query.whole_number("depth", default=DEFAULT_DEPTH),
            max_nodes=_MOST_NODES,
        )
        why = await worked_out(len(graph.nodes) + len(graph.edges), explain_failure, graph)
        return make_response(names.encode(why), media_type=JSON)

    by_query = Endpoint(
        path="/executions/why",
        name="execution_why_by_query",
        summary="The first failing cause of a task, what it took down, or what it waits for.",
        answer=get_why,
        parameters=(task_id_parameter(names.parameter, "query"), *_PARAMETERS),
        returns={JSON: TaskWhy},
        problems=(404, 422, 503),
    )
    by_path = replace(
        by_query,
        path=f"/executions/{{{names.parameter}:path}}/why",
        name="execution_why",
        parameters=(task_id_parameter(names.parameter, "path"), *_PARAMETERS),
    )
    return by_query, by_path
