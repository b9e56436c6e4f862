"""`GET /executions/{task_id}/live`: an execution as it goes on, and `GET /executions/live?task_id=` for every id.

Owns how a request becomes a subscription, and what is answered instead of a stream. What the stream is made of
is in `event_stream.py`; docs/live.md tells clients of it.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Final, TypeVar

from msgspec.structs import replace
from starlette.responses import Response

from relayna.api.aliases import HttpNames
from relayna.api.endpoint import ApiRequest, Endpoint, Parameter
from relayna.api.event_stream import EVENT_STREAM, EventStream, Frames
from relayna.api.executions import asked_task_id, task_id_parameter
from relayna.api.graph_parameters import COLLAPSE, DEPTH, VIEW
from relayna.api.negotiation import preferred_media_type
from relayna.api.problems import RequestRefused, not_acceptable
from relayna.api.tenants import OfCaller
from relayna.errors import InvalidQuery
from relayna.observability.graph_question import DEFAULT_VIEW, GraphQuestion, checked_question
from relayna.observability.graph_service import ExecutionGraphService
from relayna.observability.live import LiveHub, TooManyFollowers
from relayna.projections.execution import DEFAULT_DEPTH

__all__ = ["admitted", "live_endpoints"]

FollowedT = TypeVar("FollowedT")

_MOST_NODES: Final = 5_000

_PARAMETERS: Final = (
    Parameter(
        name="after",
        about="The version that the client has (a graph's ETag without its quotes, or an event's id); the "
        "header Last-Event-ID says the same, and counts first.",
    ),
    DEPTH,
    Parameter(
        name="max_nodes",
        about="At most so many nodes.",
        schema={"type": "integer", "minimum": 1, "maximum": _MOST_NODES, "default": _MOST_NODES},
    ),
    VIEW,
    COLLAPSE,
)


def live_endpoints(
    graphs: OfCaller[ExecutionGraphService], hub: LiveHub, names: HttpNames
) -> tuple[Endpoint, ...]:
    """Follow a task, by query for every id there is, and by path."""
    frames = Frames(names)

    async def follow(request: ApiRequest) -> Response:
        accept = ", ".join(request.http.headers.getlist("accept"))
        if preferred_media_type(accept, (EVENT_STREAM,)) is None:
            return not_acceptable((EVENT_STREAM,))
        question = _question(request, names)
        after = request.http.headers.get("last-event-id") or request.query.text("after")
        asked = hub.subscribe(graphs(request.caller), question, after=after or None)
        subscription = await admitted(asked, "Ask again later, or poll the graph with its ETag.")
        if subscription.has_all:
            subscription.close()
            return Response(status_code=204, headers={"Cache-Control": "no-store"})
        return EventStream(subscription, frames)

    by_query = Endpoint(
        path="/executions/live",
        name="live_execution_by_query",
        summary="A task as it goes on, whatever its id.",
        answer=follow,
        parameters=(task_id_parameter(names.parameter, "query"), *_PARAMETERS),
        returns={EVENT_STREAM: None},
        other_answers={204: None},
        problems=(404, 406, 422, 503),
    )
    by_path = replace(
        by_query,
        path=f"/executions/{{{names.parameter}:path}}/live",
        name="live_execution",
        summary="A task as it goes on: a snapshot of its graph, and a patch for every change.",
        parameters=(task_id_parameter(names.parameter, "path"), *_PARAMETERS),
    )
    return by_query, by_path


async def admitted(subscribing: Awaitable[FollowedT], hint: str) -> FollowedT:
    """The subscription. Raises `RequestRefused` where as many follow as may; `hint` says what to do instead."""
    try:
        return await subscribing
    except TooManyFollowers as error:
        detail = "Too many follow executions and sessions."
        raise RequestRefused(503, "too_many_followers", detail, hint) from error


def _question(request: ApiRequest, names: HttpNames) -> GraphQuestion:
    query = request.query
    max_nodes = query.whole_number("max_nodes", default=_MOST_NODES)
    if max_nodes > _MOST_NODES:
        raise InvalidQuery("max_nodes", f"{max_nodes} is more than {_MOST_NODES}; follow one of the children")
    view, collapse = query.text("view"), query.text("collapse")
    return checked_question(
        asked_task_id(request, names.parameter),
        depth=query.whole_number("depth", default=DEFAULT_DEPTH),
        max_nodes=max_nodes,
        view=DEFAULT_VIEW if view is None else view,
        collapse=() if collapse is None else collapse.split(","),
    )
