"""`GET /lineage/messages…`: each handling of a message, from whom it came, what came of it, who failed.

Owns the routes, by path and by query, and that they answer 404 while `RELAYNA_LINEAGE_READ` is off.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, Literal, TypedDict

from msgspec import Struct
from msgspec.structs import replace
from starlette.responses import Response

from relayna.api.aliases import HttpNames
from relayna.api.endpoint import Answer, ApiRequest, Endpoint, Parameter
from relayna.api.executions import asked_task_id
from relayna.api.large_response import make_large_response
from relayna.api.lineage_switch import refuse_while_lineage_is_off
from relayna.api.lists import asked_time, one_of
from relayna.api.paging import CURSOR, limit_parameter, next_link
from relayna.api.problems import RequestRefused
from relayna.api.query import QueryParameters
from relayna.api.responses import JSON
from relayna.api.tenants import OfCaller
from relayna.observability.message_service import MessageLineageService, MessageNotFound
from relayna.observability.message_told import (
    DEFAULT_MESSAGES,
    MESSAGE_SORTS,
    MOST_MESSAGES,
    ChainTold,
    MessageAnswer,
    MessagesFound,
    MessagesListed,
    MessageStatistics,
    MessagesWanted,
)
from relayna.projections.messages.message_row import MESSAGE_STATUSES

__all__ = ["message_endpoints"]

_MESSAGE: Final = "message_id"
_BATCH: Final = "batch_id"
_NO_CACHE: Final = {"Cache-Control": "no-cache"}
_ORDERS: Final = ("desc", "asc")
_SESSION: Final = Parameter(
    name="session", about="Of this session alone; without one, of the tasks that started last."
)
_LIMIT: Final = limit_parameter(default=DEFAULT_MESSAGES, most=MOST_MESSAGES)
_HINTS: Final = (
    Parameter(name="session", about="The message's session: saves looking for it among recent tasks."),
    Parameter(name="task_id", about="Its task: likewise."),
)
_LIST: Final = (
    _SESSION,
    Parameter(name="route", about="The stage or queue."),
    Parameter(
        name="status",
        about="How the message stands.",
        schema={"type": "string", "enum": list(MESSAGE_STATUSES)},
    ),
    Parameter(name="handler", about="The handler's own name, or its consumer's."),
    Parameter(name="is_root", about="Whether it was published from outside.", schema={"type": "boolean"}),
    Parameter(name="started_after", about="Handled first then or later (ISO 8601)."),
    Parameter(name="started_before", about="Handled first before (ISO 8601)."),
    Parameter(
        name="sort",
        about="By what the messages are ordered.",
        schema={"type": "string", "enum": list(MESSAGE_SORTS), "default": MESSAGE_SORTS[0]},
    ),
    Parameter(
        name="order",
        about="The newest or the oldest first.",
        schema={"type": "string", "enum": list(_ORDERS), "default": _ORDERS[0]},
    ),
    CURSOR,
    _LIMIT,
)


class _Hints(TypedDict):
    """What is known of a message beside its id."""

    session: str | None
    task_id: str | None


_Question = Callable[[MessageLineageService, ApiRequest], Awaitable[Struct]]


def message_endpoints(messages: OfCaller[MessageLineageService], names: HttpNames) -> tuple[Endpoint, ...]:
    """Everything about messages: fixed paths first, so that no id is taken for one."""

    def answering(ask: _Question) -> Answer:
        async def answer(request: ApiRequest) -> Response:
            refuse_while_lineage_is_off()
            try:
                told = await ask(messages(request.caller), request)
            except MessageNotFound as error:
                raise _not_found(error) from None
            headers = next_link(request, _LIST, told.next) if isinstance(told, MessagesListed) else {}
            return make_large_response(names.encode(told), media_type=JSON, headers={**_NO_CACHE, **headers})

        return answer

    about_one = _about_one(answering)
    batch = _about_batches(answering)
    by_query = [_one_way(endpoint, "query") for endpoint in (*about_one, batch)]
    # The longer paths first: an id may hold slashes.
    by_path = [_one_way(endpoint, "path") for endpoint in (batch, *reversed(about_one))]
    return (*_about_many(answering), *by_query, *by_path)


def _about_many(answering: Callable[[_Question], Answer]) -> tuple[Endpoint, ...]:
    listed = Endpoint(
        path="/lineage/messages",
        name="lineage_messages",
        summary="Messages and how their handling went, by what they have in common.",
        answer=answering(_messages),
        parameters=_LIST,
        returns={JSON: MessagesListed},
        problems=(404, 422, 503),
    )
    failures = replace(
        listed,
        path="/lineage/messages/failures",
        name="lineage_message_failures",
        summary="Messages that failed, newest failure first.",
        answer=answering(_failures),
        parameters=(_SESSION, _LIMIT),
        returns={JSON: MessagesFound},
    )
    statistics = replace(
        listed,
        path="/lineage/messages/stats",
        name="lineage_message_stats",
        summary="How messages stand, by route and handler.",
        answer=answering(_statistics),
        parameters=(_SESSION,),
        returns={JSON: MessageStatistics},
    )
    return listed, failures, statistics


def _about_one(answering: Callable[[_Question], Answer]) -> tuple[Endpoint, ...]:
    """Each once, with the end of its path."""
    one = Endpoint(
        path="",
        name="lineage_message",
        summary="One message and how its handling went.",
        answer=answering(_message),
        parameters=(Parameter(name=_MESSAGE, about="The message's id.", required=True), *_HINTS),
        returns={JSON: MessageAnswer},
        problems=(404, 422, 503),
    )
    chain = replace(
        one,
        path="/chain",
        name="lineage_message_chain",
        summary="From whom a message came, to the root, and all that came of it.",
        answer=answering(_chain),
        returns={JSON: ChainTold},
    )
    children = replace(
        one,
        path="/children",
        name="lineage_message_children",
        summary="The messages that were published in the handling of one.",
        answer=answering(_children),
        returns={JSON: MessagesFound},
    )
    return one, chain, children


def _about_batches(answering: Callable[[_Question], Answer]) -> Endpoint:
    return Endpoint(
        path="/batches",
        name="lineage_message_batch",
        summary="The messages that came in a batch, or were replayed as one.",
        answer=answering(_batch),
        parameters=(Parameter(name=_BATCH, about="The batch's id.", required=True), _SESSION),
        returns={JSON: MessagesFound},
        problems=(404, 422, 503),
    )


def _one_way(endpoint: Endpoint, way: Literal["path", "query"]) -> Endpoint:
    """By query, for every id there is, or by path."""
    subject, *others = endpoint.parameters
    parameters = (replace(subject, of=way), *others)
    if way == "query":
        path = f"/lineage/messages{endpoint.path or '/message'}"
        return replace(endpoint, path=path, name=f"{endpoint.name}_by_query", parameters=parameters)
    own = f"/{{{subject.name}:path}}"
    path = f"{endpoint.path}{own}" if subject.name == _BATCH else f"{own}{endpoint.path}"
    return replace(endpoint, path=f"/lineage/messages{path}", parameters=parameters)


async def _messages(service: MessageLineageService, request: ApiRequest) -> MessagesListed:
    query = request.query
    wanted = MessagesWanted(
        session=query.text("session"),
        route=query.text("route"),
        status=query.text("status"),
        handler=query.text("handler"),
        is_root=query.boolean("is_root"),
        started_after=asked_time(query, "started_after"),
        started_before=asked_time(query, "started_before"),
        sort=query.text("sort") or MESSAGE_SORTS[0],
        newest_first=one_of(query, "order", _ORDERS) != "asc",
        cursor=query.text("cursor"),
        limit=_asked_limit(query),
    )
    return await service.messages(wanted)


async def _failures(service: MessageLineageService, request: ApiRequest) -> MessagesFound:
    return await service.failures(request.query.text("session"), limit=_asked_limit(request.query))


async def _statistics(service: MessageLineageService, request: ApiRequest) -> MessageStatistics:
    return await service.statistics(request.query.text("session"))


async def _message(service: MessageLineageService, request: ApiRequest) -> MessageAnswer:
    return await service.message(asked_task_id(request, _MESSAGE), **_hints(request.query))


async def _chain(service: MessageLineageService, request: ApiRequest) -> ChainTold:
    return await service.chain(asked_task_id(request, _MESSAGE), **_hints(request.query))


async def _children(service: MessageLineageService, request: ApiRequest) -> MessagesFound:
    return await service.children(asked_task_id(request, _MESSAGE), **_hints(request.query))


async def _batch(service: MessageLineageService, request: ApiRequest) -> MessagesFound:
    return await service.batch(asked_task_id(request, _BATCH), request.query.text("session"))


def _hints(query: QueryParameters) -> _Hints:
    return _Hints(session=query.text("session"), task_id=query.text("task_id"))


def _asked_limit(query: QueryParameters) -> int:
    return query.whole_number("limit", default=DEFAULT_MESSAGES)


def _not_found(error: MessageNotFound) -> RequestRefused:
    detail = f"Nothing is recorded of {error.message_id[:200]!r} in {error.where[:200]}."
    remedy = (
        "Look whether it is of another session"
        if error.is_named
        else "Name the session (?session=) or the task (?task_id=)"
    )
    hint = f"{remedy}, and check whether its retention has passed."
    return RequestRefused(404, "message_not_found", detail, hint)
