"""`GET /lineage/sessions/{session_id}/live` and `WS /ws/lineage/sessions/{session_id}`: a session as it goes on.

Owns the paths, that they answer 404 while `RELAYNA_LINEAGE_LIVE` is off, and how messages are put into frames. What
is told, and when, the subscription knows; docs/lineage.md tells clients of it.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec.structs import replace
from starlette.responses import Response

from relayna.api.endpoint import ApiRequest, Endpoint, Parameter
from relayna.api.event_stream import EVENT_STREAM, EventStream
from relayna.api.executions import asked_task_id
from relayna.api.live import admitted
from relayna.api.negotiation import preferred_media_type
from relayna.api.problems import RequestRefused, not_acceptable
from relayna.api.socket_endpoint import SocketEndpoint, Telling
from relayna.api.tenants import OfCaller
from relayna.observability.lineage_service import LineageService
from relayna.observability.live import LiveHub, SessionEnd, SessionMessage, SessionSubscription
from relayna.settings import lineage_live

__all__ = ["lineage_live_endpoints", "lineage_socket_endpoints"]

_SESSION: Final = "session_id"
_AFTER: Final = Parameter(
    name="after",
    about="The id of the last event that the client has; the header Last-Event-ID says the same, and counts first.",
)


class _Events:
    """Messages as Server-Sent Events."""

    async def of(self, message: SessionMessage) -> bytes:
        """One event; its id is left out where the message changes nothing about what the client has."""
        told = b"" if message.id is None else b"id: %b\n" % message.id.encode()
        return b"%bevent: %b\ndata: %b\n\n" % (told, message.event.encode(), message.data)


class _Texts:
    """Messages as texts over a WebSocket: each one a JSON object."""

    async def of(self, message: SessionMessage) -> bytes:
        """The same three as of an event: `event`, `id` and `data`."""
        told = {"event": message.event, "id": message.id, "data": msgspec.Raw(message.data)}
        return msgspec.json.encode(told)


def lineage_live_endpoints(lineage: OfCaller[LineageService], hub: LiveHub) -> tuple[Endpoint, ...]:
    """Follow a session by Server-Sent Events, by query for every id there is, and by path."""
    events = _Events()

    async def follow(request: ApiRequest) -> Response:
        if not lineage_live():
            raise _off()
        accept = ", ".join(request.http.headers.getlist("accept"))
        if preferred_media_type(accept, (EVENT_STREAM,)) is None:
            return not_acceptable((EVENT_STREAM,))
        return EventStream(await _subscribed(lineage, hub, request), events)

    session = Parameter(name=_SESSION, about="The session's id, or that of any of its runs.", required=True)
    by_query = Endpoint(
        path="/lineage/sessions/live",
        name="live_session_by_query",
        summary="Every new edge of a session, whatever its id.",
        answer=follow,
        parameters=(session, _AFTER),
        returns={EVENT_STREAM: None},
        problems=(404, 406, 422, 503),
    )
    by_path = replace(
        by_query,
        path=f"/lineage/sessions/{{{_SESSION}:path}}/live",
        name="live_session",
        summary="A session as it goes on: all its edges, and every new one.",
        parameters=(replace(session, of="path"), _AFTER),
    )
    return by_query, by_path


def lineage_socket_endpoints(lineage: OfCaller[LineageService], hub: LiveHub) -> tuple[SocketEndpoint, ...]:
    """The same over WebSocket."""
    texts = _Texts()

    async def opens(request: ApiRequest) -> Telling:
        if not lineage_live():
            raise _off()
        return Telling(await _subscribed(lineage, hub, request), texts, _is_end)

    by_query = SocketEndpoint(path="/ws/lineage/sessions", name="session_socket_by_query", opens=opens)
    by_path = replace(by_query, path=f"/ws/lineage/sessions/{{{_SESSION}:path}}", name="session_socket")
    return by_query, by_path


async def _subscribed(
    lineage: OfCaller[LineageService], hub: LiveHub, request: ApiRequest
) -> SessionSubscription:
    session_id = asked_task_id(request, _SESSION)
    after = request.http.headers.get("last-event-id") or request.query.text("after")
    asked = hub.subscribe_to_session(lineage(request.caller), session_id, after=after or None)
    return await admitted(asked, "Ask again later, or poll the session's graph.")


def _is_end(message: SessionMessage) -> bool:
    return isinstance(message.body, SessionEnd)


def _off() -> RequestRefused:
    hint = "Whoever runs the service can set RELAYNA_LINEAGE_LIVE, and RELAYNA_LINEAGE_EMIT before it."
    return RequestRefused(404, "lineage_live_is_off", "Sessions are not followed live here.", hint)
