"""An endpoint is a value: a path, what may be asked, what is answered, and who may ask.

Owns the shape, and the way from a table of endpoints to routes. The OpenAPI document is made from the same
table. Answers nothing itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final, Literal, TypeAlias

from msgspec import Struct, field
from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import Receive, Send
from starlette.types import Scope as AsgiScope

from relayna.api.access import Access, OpenAccess
from relayna.api.caller import Caller, Scope
from relayna.api.problems import NotAllowed, RequestRefused, answer_error
from relayna.api.query import QueryParameters
from relayna.api.responses import dressed

__all__ = [
    "Answer",
    "ApiRequest",
    "Endpoint",
    "Parameter",
    "both_ways",
    "routes_of",
    "unredirected",
    "writes_are_off",
]

_EVERYBODY: Final = Caller(name="everybody", scopes=frozenset())


class ApiRequest(Struct, frozen=True):
    """A request, and who makes it."""

    http: Request
    caller: Caller
    query: QueryParameters


Answer: TypeAlias = Callable[[ApiRequest], Awaitable[Response]]


class Parameter(Struct, frozen=True, kw_only=True):
    """Something that may be given in the path or the query string."""

    name: str
    about: str
    """One sentence, for the OpenAPI document."""
    of: Literal["path", "query"] = "query"
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})  # Any: JSON Schema
    required: bool = False


class Endpoint(Struct, frozen=True, kw_only=True):
    """One method at one path."""

    path: str
    """As Starlette spells it, with `{name:path}` for ids that may hold slashes."""
    name: str
    """Of the route, and the operation's id in OpenAPI."""
    summary: str
    answer: Answer
    method: Literal["GET", "POST"] = "GET"
    scope: Scope | None = "read"
    """What a caller needs; None for everybody, known or not."""
    parameters: tuple[Parameter, ...] = ()
    takes: type | None = None
    """The Struct that the JSON body is."""
    takes_lines: str | None = None
    """The media type of a body that is read as it comes, line by line."""
    returns: Mapping[str, type | None] = field(default_factory=dict)
    """By media type, the Struct that the body is; None where it is text or a stream."""
    other_answers: Mapping[int, type | None] = field(default_factory=dict)
    """By status other than 200, the Struct that the JSON body is; None for no body, as with 204 and 304."""
    problems: tuple[int, ...] = (422, 503)
    """Statuses of the problems that it may answer with, beside those of every endpoint."""


def both_ways(endpoint: Endpoint) -> tuple[Endpoint, Endpoint]:
    """By query, for every id there is, and by path, where `{}` stands; the first parameter is what it is about."""
    subject, *others = endpoint.parameters
    by_query = replace(endpoint, path=endpoint.path.replace("/{}", ""), name=f"{endpoint.name}_by_query")
    by_path = replace(
        endpoint,
        path=endpoint.path.replace("{}", f"{{{subject.name}:path}}"),
        parameters=(replace(subject, of="path"), *others),
    )
    return by_query, by_path


def routes_of(
    endpoints: Iterable[Endpoint], access: Access | None = None, *, allow_writes: bool = False
) -> list[Route]:
    """Routes in the order given. Each answers for its own errors, as `application/problem+json`.

    Without `allow_writes` those that change something are there, and refuse.
    """
    access = access or OpenAccess()
    return [
        Route(
            endpoint.path,
            _AnsweringEndpoint(endpoint, access, allow_writes),
            methods=[endpoint.method],
            name=endpoint.name,
        )
        for endpoint in endpoints
    ]


def unredirected(routes: Iterable[Route]) -> Router:
    """A router of these."""
    # A redirect would be spelled with the decoded path, and lead elsewhere.
    return Router(list(routes), redirect_slashes=False)


def writes_are_off() -> RequestRefused:
    """403: nobody may change anything here, whatever their token."""
    hint = "Whoever runs the service can set RELAYNA_ALLOW_WRITES."
    return RequestRefused(403, "writes_are_off", "This service changes nothing.", hint)


class _AnsweringEndpoint:
    """An endpoint as an ASGI app, which answers for its own errors: in an app that is not ours nobody else does it so."""

    def __init__(self, endpoint: Endpoint, access: Access, allow_writes: bool) -> None:
        self._endpoint = endpoint
        self._access = access
        self._allow_writes = allow_writes

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Answer the request."""
        request = Request(scope, receive, send)
        try:
            response = await self._answer(request)
        except Exception as error:  # noqa: BLE001 - it is logged, and a host might show what is inside
            response = await answer_error(request, error)
        await dressed(response, request)(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        endpoint = self._endpoint
        caller = _EVERYBODY if endpoint.scope is None else self._access.caller_of(request)
        if endpoint.scope is not None and endpoint.scope not in caller.scopes:
            raise NotAllowed(caller.name, endpoint.scope)
        if endpoint.method not in ("GET", "HEAD") and not self._allow_writes:
            raise writes_are_off()
        return await endpoint.answer(ApiRequest(request, caller, QueryParameters.of(request)))
