"""Errors as HTTP answers: `application/problem+json` (RFC 9457).

Owns which error is which status and code, and that an answer shows nothing of the inside: no address of a
store, no path, no traceback. What is hidden from the client is in the program's log.
"""

from __future__ import annotations

import logging
from collections.abc import Container, Mapping, Sequence
from typing import Final

import msgspec
from msgspec import Struct
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from relayna.api.responses import make_response
from relayna.errors import ExecutionNotFound, InvalidQuery, LogNotOpen, RelaynaError, StoreError, StoreRefused
from relayna.observability.admission import Busy

__all__ = [
    "NotAllowed", "NotAuthenticated", "Problem", "RequestRefused", "answer_error", "not_acceptable", "problem_of",
    "problem_response", "title_of",
]  # fmt: skip

_logger = logging.getLogger("relayna.api")

_MEDIA_TYPE: Final = "application/problem+json"
_RETRY_AFTER_SECONDS: Final = 5

# Beside `about:blank` the title is the status's own phrase (RFC 9457, section 4.2.1).
_TITLES: Final = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    408: "Request Timeout",
    409: "Conflict",
    412: "Precondition Failed",
    413: "Content Too Large",
    414: "URI Too Long",
    415: "Unsupported Media Type",
    421: "Misdirected Request",
    422: "Unprocessable Content",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


class NotAuthenticated(RelaynaError):
    """Nobody knows who asks."""

    def __init__(self) -> None:
        super().__init__("The request carries no token that is known here. Send Authorization: Bearer TOKEN.")


class NotAllowed(RelaynaError):
    """`caller` lacks the `scope` for this."""

    def __init__(self, caller: str, scope: str) -> None:
        self.caller = caller
        self.scope = scope
        super().__init__(f"{caller!r} lacks the scope {scope!r}. Ask whoever runs the service for it.")


class RequestRefused(RelaynaError):
    """The request is not one that is answered here: too large, too slow, or not what the route takes."""

    def __init__(self, status: int, code: str, detail: str, hint: str) -> None:
        self.status = status
        self.code = code
        self.detail = detail
        self.hint = hint
        super().__init__(f"{detail} {hint}")


class Problem(Struct, frozen=True, kw_only=True):
    """What went wrong, and what to do about it. `code` is for programs and never changes its meaning."""

    type: str = "about:blank"
    title: str
    status: int
    code: str
    detail: str
    hint: str


def problem_of(error: Exception, *, in_path: Container[str] = ()) -> Problem:
    """The problem that an error is to a client, who gave the parameters `in_path` there."""
    match error:
        case ExecutionNotFound():
            return _problem(
                404,
                "execution_not_found",
                f"Nothing is recorded for {error.what} {error.task_id!r}.",
                "Check the id, which has to be whole, the prefix and tenant, and whether its retention has passed.",
            )
        case InvalidQuery():
            encoded = "; percent-encode all but letters and digits" if error.parameter in in_path else ""
            hint = f"Correct it and ask again{encoded}."
            return _problem(422, "invalid_query", f"{error}.", hint)
        case NotAuthenticated():
            hint = "Send a token, as in Authorization: Bearer TOKEN."
            return _problem(401, "not_authenticated", "There is no token that is known here.", hint)
        case NotAllowed():
            hint = "Use a token that has the scope, or ask whoever runs the service for one."
            return _problem(403, "not_allowed", f"The token lacks the scope {error.scope!r}.", hint)
        case RequestRefused():
            return _problem(error.status, error.code, error.detail, error.hint)
        case StoreError() | Busy():
            return _passing_problem(error)
        case HTTPException(status_code=404 | 405):
            return _routing_problem(error)
        case _:
            return _problem(
                500,
                "internal_error",
                "The request could not be answered.",
                "It is a fault of the service; its log has the cause.",
            )


def title_of(status: int) -> str:
    """The phrase of a status that problems have here."""
    return _TITLES[status]


def problem_response(problem: Problem, *, headers: Mapping[str, str] | None = None) -> Response:
    """The problem as an answer. One that passes says when to ask again."""
    passing = {"Retry-After": str(_RETRY_AFTER_SECONDS)} if problem.status == 503 else {}
    return make_response(
        msgspec.json.encode(problem),
        media_type=_MEDIA_TYPE,
        status=problem.status,
        headers={**passing, **(headers or {})},
    )


def not_acceptable(offered: Sequence[str]) -> Response:
    """The answer to an `Accept` that takes none of the media types there are."""
    problem = _problem(
        406,
        "not_acceptable",
        "There is no representation of a media type that the Accept header takes.",
        f"Accept one of {', '.join(offered)}, or choose by ?format=.",
    )
    return problem_response(problem, headers={"Vary": "Accept"})


async def answer_error(request: Request, error: Exception) -> Response:
    """The answer to a request that ended with this error; tells the log what it does not tell the client."""
    problem = problem_of(error, in_path=request.path_params)
    if problem.status == 500:
        _logger.error("%s %r failed", request.method, request.url.path, exc_info=error)
    elif problem.status == 503:
        _logger.warning("%s %r was answered with 503: %s", request.method, request.url.path, error)
    headers = error.headers if isinstance(error, HTTPException) else None
    if problem.status == 401:
        headers = {"WWW-Authenticate": "Bearer"}
    return problem_response(problem, headers=headers)


def _problem(status: int, code: str, detail: str, hint: str) -> Problem:
    return Problem(title=_TITLES[status], status=status, code=code, detail=detail, hint=hint)


def _passing_problem(error: StoreError | Busy) -> Problem:
    match error:
        case Busy():
            hint = "Ask again later, or for less: a smaller max_nodes or depth."
            return _problem(503, "busy", "Too many large graphs are asked for at once.", hint)
        case LogNotOpen():
            return _problem(
                503,
                "log_not_open",
                "The log is not open.",
                "A mounted app's lifespan does not run: open the log in the host's (async with log). "
                "Where it does run, the store has not answered yet.",
            )
        case StoreRefused():
            return _problem(
                503,
                "store_refused",
                "The store refused to answer.",
                "Ask again later; the service's log has the store's reason.",
            )
        case _:
            return _problem(
                503,
                "store_unreachable",
                "The store does not answer.",
                "Ask again later; if it stays so, see that the store runs and can be reached.",
            )


def _routing_problem(error: HTTPException) -> Problem:
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "GET, HEAD")
        return _problem(
            405, "method_not_allowed", "This route does not take the method.", f"It takes {allowed}."
        )
    return _problem(
        404,
        "no_such_route",
        "There is nothing at this path.",
        "Graphs are at /executions/{task_id}/graph and, for every task id, /executions/graph?task_id=; "
        "of lineage, /lineage/runs/{run_id}/why and /lineage/sessions/{session_id}/graph.",
    )
