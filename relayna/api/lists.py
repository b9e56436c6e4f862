"""`GET /executions`, `GET /failures` and `GET /dead-letters`: lists over all tasks, some entries at a time.

Owns how a request becomes a question, and how the next page is told: in the body, and in `Link`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from starlette.responses import Response

from relayna.api.aliases import HttpNames
from relayna.api.endpoint import ApiRequest, Endpoint, Parameter
from relayna.api.paging import CURSOR, limit_parameter, next_link
from relayna.api.query import QueryParameters
from relayna.api.responses import JSON, make_response
from relayna.api.tenants import OfCaller
from relayna.errors import InvalidQuery
from relayna.instants import Instant, parse_instant
from relayna.observability.read_models import ExecutionLists, ExecutionsWanted, FailuresWanted, LettersWanted
from relayna.observability.read_models.questions import DEFAULT_LIMIT, LETTER_STATES, MOST_LISTED
from relayna.observability.read_models.terms import SORTS
from relayna.observability.read_models.told import (
    DeadLettersFound,
    ExecutionsListed,
    FailuresListed,
    dead_letters_found,
    executions_listed,
    failures_listed,
)
from relayna.topologies.topology import TOPOLOGY_KINDS

__all__ = ["asked_time", "list_endpoints", "one_of"]

_ORDERS: Final = ("desc", "asc")
_PAGING: Final = (CURSOR, limit_parameter(default=DEFAULT_LIMIT, most=MOST_LISTED))

_EXECUTION_PARAMETERS: Final = (
    Parameter(name="status", about="The latest status, as failed."),
    Parameter(
        name="topology",
        about="The kind of topology.",
        schema={"type": "string", "enum": list(TOPOLOGY_KINDS)},
    ),
    Parameter(name="queue", about="A queue from which the task was delivered at least once."),
    Parameter(name="stage", about="A stage that handled it at least once."),
    Parameter(name="task_type", about="The type that it was published as."),
    Parameter(name="correlation_id", about="The correlation id."),
    Parameter(name="parent_task_id", about="The id of its parent."),
    Parameter(name="since", about="Started then or later (ISO 8601)."),
    Parameter(name="until", about="Started before (ISO 8601)."),
    Parameter(
        name="sort",
        about="By what the tasks are ordered.",
        schema={"type": "string", "enum": list(SORTS), "default": SORTS[0]},
    ),
    Parameter(
        name="order",
        about="The newest or the oldest first.",
        schema={"type": "string", "enum": list(_ORDERS), "default": _ORDERS[0]},
    ),
    *_PAGING,
)
_FAILURE_PARAMETERS: Final = (
    Parameter(name="queue", about="The queue that the failed attempt was delivered from."),
    Parameter(name="stage", about="The stage that failed."),
    Parameter(name="exception_type", about="The type of the exception, as TimeoutError."),
    Parameter(name="since", about="Failed then or later (ISO 8601)."),
    Parameter(name="until", about="Failed before (ISO 8601)."),
    *_PAGING,
)


_LETTER_PARAMETERS: Final = (
    Parameter(
        name="state",
        about="Whether it was sent again.",
        schema={"type": "string", "enum": list(LETTER_STATES)},
    ),
    Parameter(name="queue", about="The queue that it came from."),
    Parameter(name="stage", about="The stage that it came from."),
    Parameter(name="reason", about="Why it was given up, as retries_exhausted."),
    Parameter(name="since", about="Given up then or later (ISO 8601)."),
    Parameter(name="until", about="Given up before (ISO 8601)."),
    *_PAGING,
)


def list_endpoints(lists: OfCaller[ExecutionLists], names: HttpNames) -> tuple[Endpoint, ...]:
    """Executions, failures and dead letters of the caller's tenant."""
    routes = _Routes(lists, names)

    executions = Endpoint(
        path="/executions",
        name="executions",
        summary="Tasks by what they have in common.",
        answer=routes.get_executions,
        parameters=_EXECUTION_PARAMETERS,
        returns={JSON: ExecutionsListed},
    )
    failures = Endpoint(
        path="/failures",
        name="failures",
        summary="Failed attempts of all tasks, newest first.",
        answer=routes.get_failures,
        parameters=_FAILURE_PARAMETERS,
        returns={JSON: FailuresListed},
    )
    dead_letters = Endpoint(
        path="/dead-letters",
        name="dead_letters_of_all",
        summary="Dead letters of all tasks, newest first.",
        answer=routes.get_dead_letters,
        parameters=_LETTER_PARAMETERS,
        returns={JSON: DeadLettersFound},
    )
    return executions, failures, dead_letters


class _Routes:
    """Answers the requests."""

    def __init__(self, lists: OfCaller[ExecutionLists], names: HttpNames) -> None:
        self._lists = lists
        self._names = names

    async def get_executions(self, request: ApiRequest) -> Response:
        query = request.query
        wanted = ExecutionsWanted(
            status=query.text("status"),
            topology=one_of(query, "topology", TOPOLOGY_KINDS),
            queue=query.text("queue"),
            stage=query.text("stage"),
            task_type=query.text("task_type"),
            correlation_id=query.text("correlation_id"),
            parent_task_id=query.text("parent_task_id"),
            since=asked_time(query, "since"),
            until=asked_time(query, "until"),
            sort="updated_at" if one_of(query, "sort", SORTS) == "updated_at" else "started_at",
            newest_first=one_of(query, "order", _ORDERS) != "asc",
            cursor=query.text("cursor"),
            limit=query.whole_number("limit", default=DEFAULT_LIMIT),
        )
        page = await self._lists(request.caller).executions(wanted)
        headers = next_link(request, _EXECUTION_PARAMETERS, page.next)
        return make_response(self._names.encode(executions_listed(page)), media_type=JSON, headers=headers)

    async def get_failures(self, request: ApiRequest) -> Response:
        query = request.query
        wanted = FailuresWanted(
            queue=query.text("queue"),
            stage=query.text("stage"),
            exception_type=query.text("exception_type"),
            since=asked_time(query, "since"),
            until=asked_time(query, "until"),
            cursor=query.text("cursor"),
            limit=query.whole_number("limit", default=DEFAULT_LIMIT),
        )
        page = await self._lists(request.caller).failures(wanted)
        headers = next_link(request, _FAILURE_PARAMETERS, page.next)
        return make_response(self._names.encode(failures_listed(page)), media_type=JSON, headers=headers)

    async def get_dead_letters(self, request: ApiRequest) -> Response:
        query = request.query
        wanted = LettersWanted(
            state=one_of(query, "state", LETTER_STATES),
            queue=query.text("queue"),
            stage=query.text("stage"),
            reason=query.text("reason"),
            since=asked_time(query, "since"),
            until=asked_time(query, "until"),
            cursor=query.text("cursor"),
            limit=query.whole_number("limit", default=DEFAULT_LIMIT),
        )
        page = await self._lists(request.caller).dead_letters(wanted)
        headers = next_link(request, _LETTER_PARAMETERS, page.next)
        return make_response(self._names.encode(dead_letters_found(page)), media_type=JSON, headers=headers)


def one_of(query: QueryParameters, name: str, choices: Sequence[str]) -> str | None:
    """The value, when it was given. Raises `InvalidQuery` for one that is none of the choices."""
    text = query.text(name)
    if text is not None and text not in choices:
        raise InvalidQuery(name, f"{text[:80]!r} is none of {', '.join(choices)}")
    return text


def asked_time(query: QueryParameters, name: str) -> Instant | None:
    """The time, when it was given. Raises `InvalidQuery` for what is none."""
    text = query.time(name)
    if text is None:
        return None
    instant = parse_instant(text)
    if instant is None:
        raise InvalidQuery(name, f"{text[:80]!r} is no time; use ISO 8601, as in 2026-01-31T10:00:05Z")
    return instant
