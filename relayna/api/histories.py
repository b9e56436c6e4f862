"""What happened to one task, beside its graph: its history event by event, its timeline, and where it stands.

Owns the routes and how a request becomes a question. Of each there is one by path and one by query, for every
id there is. Paths end with a word of their own, so an id that ends with such a word is told apart by the last.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec import Struct
from msgspec.structs import replace
from starlette.responses import Response

from relayna.api.aliases import HttpNames
from relayna.api.conditional import known_tags, not_modified, quoted
from relayna.api.endpoint import ApiRequest, Endpoint, Parameter
from relayna.api.executions import asked_task_id, task_id_parameter
from relayna.api.paging import CURSOR, limit_parameter, next_link
from relayna.api.responses import JSON, make_response
from relayna.api.tenants import OfCaller
from relayna.observability.graph_service import ExecutionGraphService
from relayna.observability.history_pages import EVENT_TYPE_NAMES, HistoryPage
from relayna.observability.live.held_versions import worked_out
from relayna.observability.task_histories import MOST_EVENTS, MOST_LINES, TaskHistories, TimelinePage
from relayna.projections.standing import Standing, standing_of

__all__ = ["history_endpoints"]

_EVENTS: Final = 50
_LINES: Final = 200
_STATUS_NODES: Final = 50_000
"""Counts are of all that there is, up to a graph of so many nodes."""
_ONE_OF: Final = "|".join(EVENT_TYPE_NAMES)
_POSITION: Final = {"type": "string", "pattern": "^[0-9]+-[0-9]+$"}
_KEPT: Final = {"Cache-Control": "no-cache"}

_OF_HISTORY: Final = (
    Parameter(
        name="order",
        about="The oldest events first, or with `desc` the newest.",
        schema={"type": "string", "enum": ["asc", "desc"], "default": "asc"},
    ),
    Parameter(
        name="event_type",
        about="Only events of these types, separated by commas.",
        schema={"type": "string", "pattern": f"^({_ONE_OF})(,({_ONE_OF}))*$"},
    ),
    Parameter(name="after", about="Only what lies behind this `position`.", schema=_POSITION),
    Parameter(name="until", about="Only what lies at or before this `position`.", schema=_POSITION),
    limit_parameter(default=_EVENTS, most=MOST_EVENTS),
    CURSOR,
)
_OF_TIMELINES: Final = (
    Parameter(name="at", about="Only what had happened by then (ISO 8601)."),
    limit_parameter(default=_LINES, most=MOST_LINES),
    CURSOR,
)


def history_endpoints(
    histories: OfCaller[TaskHistories], graphs: OfCaller[ExecutionGraphService], names: HttpNames
) -> tuple[Endpoint, ...]:
    """History, timeline and status of a task."""
    routes = _Routes(histories, graphs, names)
    listed = Endpoint(
        path="history",
        name="execution_history",
        summary="The events of a task as its stream holds them; bodies and headers of dead letters with the "
        "scope `payloads`.",
        answer=routes.get_history,
        parameters=_OF_HISTORY,
        returns={JSON: HistoryPage},
        problems=(404, 422, 503),
    )
    told = replace(
        listed,
        path="timeline",
        name="execution_timeline",
        summary="What happened to a task in order, a line for each event.",
        answer=routes.get_timeline,
        parameters=_OF_TIMELINES,
        returns={JSON: TimelinePage},
    )
    stands = replace(
        listed,
        path="status",
        name="execution_status",
        summary="Where a task stands: its latest status, what runs, and what it waits for.",
        answer=routes.get_status,
        parameters=(),
        returns={JSON: Standing},
        other_answers={304: None},
    )
    return tuple(_both_ways((listed, told, stands), names.parameter))


def _both_ways(endpoints: Iterable[Endpoint], task: str) -> Iterable[Endpoint]:
    for endpoint in endpoints:
        yield replace(
            endpoint,
            path=f"/executions/{endpoint.path}",
            name=f"{endpoint.name}_by_query",
            parameters=(task_id_parameter(task, "query"), *endpoint.parameters),
        )
        yield replace(
            endpoint,
            path=f"/executions/{{{task}:path}}/{endpoint.path}",
            parameters=(task_id_parameter(task, "path"), *endpoint.parameters),
        )


class _Routes:
    """Answers the requests."""

    def __init__(
        self, histories: OfCaller[TaskHistories], graphs: OfCaller[ExecutionGraphService], names: HttpNames
    ) -> None:
        self._histories = histories
        self._graphs = graphs
        self._names = names

    async def get_history(self, request: ApiRequest) -> Response:
        query = request.query
        event_types = query.text("event_type")
        page = await self._histories(request.caller).get_history(
            self._task_id(request),
            order=_or(query.text("order"), "asc"),
            event_types=() if event_types is None else tuple(event_types.split(",")),
            after=query.text("after"),
            until=query.text("until"),
            cursor=query.text("cursor"),
            limit=query.whole_number("limit", default=_EVENTS),
            with_payloads="payloads" in request.caller.scopes,
        )
        return self._page(request, page, _OF_HISTORY, page.next)

    async def get_timeline(self, request: ApiRequest) -> Response:
        query = request.query
        page = await self._histories(request.caller).get_timeline(
            self._task_id(request),
            at=query.time("at"),
            cursor=query.text("cursor"),
            limit=query.whole_number("limit", default=_LINES),
        )
        return self._page(request, page, _OF_TIMELINES, page.next)

    async def get_status(self, request: ApiRequest) -> Response:
        service, task_id = self._graphs(request.caller), self._task_id(request)
        suffix = f".status.{self._names.of_field('task_id')}".encode().hex()
        known = known_tags(request.http)
        for tag in known.tags:
            version = tag.removesuffix(suffix)
            if version != tag and await service.is_current(
                version, task_id, depth=0, max_nodes=_STATUS_NODES
            ):
                return not_modified(tag, _KEPT)
        answer = await service.get_versioned(task_id, depth=0, max_nodes=_STATUS_NODES)
        tag = answer.version + suffix
        if known.include(tag):
            return not_modified(tag, _KEPT)
        size = len(answer.graph.nodes) + len(answer.graph.edges)
        standing = await worked_out(size, standing_of, answer.graph)
        return self._answer(standing, {**_KEPT, "ETag": quoted(tag)})

    def _task_id(self, request: ApiRequest) -> str:
        return asked_task_id(request, self._names.parameter)

    def _page(
        self, request: ApiRequest, page: Struct, parameters: Iterable[Parameter], cursor: str | None
    ) -> Response:
        by_query = task_id_parameter(self._names.parameter, "query")
        asked = parameters if self._names.parameter in request.http.path_params else (by_query, *parameters)
        return self._answer(page, next_link(request, asked, cursor))

    def _answer(self, answer: Struct, headers: dict[str, str]) -> Response:
        return make_response(self._names.encode(answer), media_type=JSON, headers=headers)


def _or(text: str | None, default: str) -> str:
    return default if text is None else text
