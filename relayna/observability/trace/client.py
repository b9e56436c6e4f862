"""Asks a service for traces and sends it rows, for scripts and notebooks: nothing but the standard library, and types.

Owns how a question becomes a request, and which answers are errors. Waits while it asks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from http.client import HTTPResponse
from typing import Final
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode
from urllib.request import Request, urlopen

import msgspec

from relayna.errors import ConfigurationError, RelaynaError
from relayna.observability.trace.rows import RowType
from relayna.observability.trace.upload import Uploaded
from relayna.projections.trace.profile import ProfileSummary

__all__ = ["TraceClient", "TraceRequestFailed"]

_NDJSON: Final = "application/x-ndjson"
_MOST_PROBLEM_BYTES: Final = 64 * 1024


class TraceRequestFailed(RelaynaError):
    """The service did not answer as asked: `status` is its answer's, None where there was none."""

    def __init__(self, url: str, status: int | None, code: str | None, problem: str) -> None:
        self.url = url
        self.status = status
        self.code = code
        super().__init__(f"{url} was answered with {status or 'nothing'}: {problem}")


class _Problem(msgspec.Struct):
    code: str
    detail: str = ""
    hint: str = ""


class TraceClient:
    """One service, at `url`, as http://127.0.0.1:8765. Every question raises `TraceRequestFailed`."""

    def __init__(self, url: str, *, token: str | None = None, timeout_seconds: float = 60.0) -> None:
        """Raises `ConfigurationError` for what is no HTTP URL."""
        if not url.startswith(("http://", "https://")):
            raise ConfigurationError(f"{url!r} is no URL of a service, as http://127.0.0.1:8765.")
        self._url = url.rstrip("/")
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._timeout = timeout_seconds

    def analysis(self, session_id: str) -> ProfileSummary:
        """Where the session's time went. An answer with other fields than these is an error."""
        url = self._of_session("analysis", session_id)
        with self._open(Request(url, headers=self._headers)) as answer:  # noqa: S310 - the scheme is checked above
            try:
                return msgspec.json.decode(answer.read(), type=ProfileSummary)
            except msgspec.DecodeError as error:
                raise TraceRequestFailed(url, answer.status, None, f"it is no analysis: {error}") from error

    def rows(self, session_id: str, row_type: RowType) -> Iterator[bytes]:
        """The session's rows, each a line of JSON, as they come."""
        with self._open(Request(self._of_session(row_type, session_id), headers=self._headers)) as answer:  # noqa: S310
            for line in answer:
                yield line.rstrip(b"\n")

    def upload(self, task_id: str, row_type: RowType, lines: Iterable[bytes]) -> Uploaded:
        """Send rows, each a line of JSON without its end, as they are made. Sent again, they are the same facts."""
        url = f"{self._url}/traces/tasks/{quote(row_type)}?{urlencode({'task_id': task_id})}"
        headers = {**self._headers, "Content-Type": _NDJSON}
        body = (line + b"\n" for line in lines)
        request = Request(url, data=body, headers=headers, method="POST")  # noqa: S310
        with self._open(request) as answer:
            return msgspec.json.decode(answer.read(), type=Uploaded)

    def _of_session(self, what: str, session_id: str) -> str:
        return f"{self._url}/traces/sessions/{quote(what)}?{urlencode({'session_id': session_id})}"

    def _open(self, request: Request) -> HTTPResponse:
        try:
            answer: HTTPResponse = urlopen(request, timeout=self._timeout)  # noqa: S310
        except HTTPError as error:
            with error:
                raise _refused(request.full_url, error) from None
        except (URLError, OSError) as error:
            raise TraceRequestFailed(request.full_url, None, None, str(error)) from error
        return answer


def _refused(url: str, error: HTTPError) -> TraceRequestFailed:
    body = error.read(_MOST_PROBLEM_BYTES)
    try:
        problem = msgspec.json.decode(body, type=_Problem)
    except msgspec.DecodeError:
        return TraceRequestFailed(url, error.code, None, str(error.reason))
    return TraceRequestFailed(url, error.code, problem.code, f"{problem.detail} {problem.hint}")
