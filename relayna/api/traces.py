"""`/traces/…`: where a session's time went, the rows that tell it, and rows that come from outside.

Owns the routes, by path and by query. Rows are sent as lines of JSON, and taken so, as they come.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Final

from starlette.responses import Response, StreamingResponse

from relayna.api.aliases import HttpNames
from relayna.api.endpoint import ApiRequest, Endpoint, Parameter, both_ways
from relayna.api.executions import asked_task_id, task_id_parameter
from relayna.api.large_response import make_large_response
from relayna.api.long_bodies import NDJSON, pieces_of, read_to_the_end
from relayna.api.problems import RequestRefused
from relayna.api.responses import JSON, make_response
from relayna.api.tenants import OfCaller
from relayna.observability.trace.rows import ROW_TYPES, UnknownRowType, checked_row_type
from relayna.observability.trace.trace_service import SessionTrace, TraceService, analysed, lines_of
from relayna.observability.trace.upload import Uploaded
from relayna.projections.trace.profile import ProfileSummary

__all__ = ["trace_endpoints"]

_SESSION: Final = "session_id"
_ROWS: Final = "rows"
_NO_CACHE: Final = {"Cache-Control": "no-cache"}
_MISSING: Final = "Relayna-Missing"
_PIECE_BYTES: Final = 64 * 1024
_OF_SESSION: Final = Parameter(
    name=_SESSION, about="The session's id: its first run's, or that of any of its runs.", required=True
)
_OF_ROWS: Final = Parameter(
    name=_ROWS,
    about="Which rows.",
    of="path",
    schema={"type": "string", "enum": list(ROW_TYPES)},
    required=True,
)


def trace_endpoints(traces: OfCaller[TraceService], names: HttpNames) -> tuple[Endpoint, ...]:
    """Everything about where time went; each by query, for every id there is, and by path."""
    return tuple(both for one in _table(_Routes(traces, names), names) for both in both_ways(one))


def _table(routes: _Routes, names: HttpNames) -> tuple[Endpoint, ...]:
    analysis = Endpoint(
        path="/traces/sessions/{}/analysis",
        name="trace_analysis",
        summary="Where a session's time went, who waited for whom, and the path that decided its end.",
        answer=routes.analysis,
        parameters=(_OF_SESSION,),
        returns={JSON: ProfileSummary},
        problems=(404, 422, 503),
    )
    rows = Endpoint(
        path=f"/traces/sessions/{{}}/{{{_ROWS}}}",
        name="trace_rows",
        summary="A session's spans, assets or sources, one JSON object a line.",
        answer=routes.rows,
        parameters=(_OF_SESSION, _OF_ROWS),
        returns={NDJSON: None},
        problems=(400, 404, 422, 503),
    )
    upload = Endpoint(
        path=f"/traces/tasks/{{}}/{{{_ROWS}}}",
        name="trace_upload",
        summary="Record rows from outside as facts of a task, one JSON object a line.",
        answer=routes.upload,
        method="POST",
        scope="record",
        parameters=(task_id_parameter(names.parameter, "query"), _OF_ROWS),
        takes_lines=NDJSON,
        returns={JSON: Uploaded},
        problems=(400, 415, 422, 503),
    )
    return analysis, rows, upload


class _Routes:
    def __init__(self, traces: OfCaller[TraceService], names: HttpNames) -> None:
        self._traces = traces
        self._names = names

    async def analysis(self, request: ApiRequest) -> Response:
        trace = await self._traces(request.caller).session(asked_task_id(request, _SESSION))
        answer = self._names.encode(await analysed(trace))
        return make_large_response(answer, media_type=JSON, headers=_headers(trace))

    async def rows(self, request: ApiRequest) -> Response:
        try:
            kind = checked_row_type(request.http.path_params[_ROWS])
        except UnknownRowType as error:
            raise _unknown(error) from None
        trace = await self._traces(request.caller).session(asked_task_id(request, _SESSION))
        return StreamingResponse(_pieces(lines_of(trace, kind)), headers=_headers(trace), media_type=NDJSON)

    async def upload(self, request: ApiRequest) -> Response:
        service, kind = self._traces(request.caller), request.http.path_params[_ROWS]
        task_id = asked_task_id(request, self._names.parameter)
        pieces = pieces_of(request.http)
        try:
            uploaded = await service.upload(task_id, kind, pieces, actor=request.caller.name)
        except UnknownRowType as error:
            raise _unknown(error) from None
        if uploaded.stopped is not None:
            await read_to_the_end(pieces)
        return make_response(self._names.encode(uploaded), media_type=JSON)


def _headers(trace: SessionTrace) -> dict[str, str]:
    """What the answer lacks: its body has no place for that."""
    return {**_NO_CACHE, _MISSING: ", ".join(trace.missing)} if trace.missing else _NO_CACHE


async def _pieces(lines: Iterator[bytes]) -> AsyncIterator[bytes]:
    piece = bytearray()
    for line in lines:
        piece += line
        if len(piece) >= _PIECE_BYTES:
            yield bytes(piece)
            piece.clear()
    if piece:
        yield bytes(piece)


def _unknown(error: UnknownRowType) -> RequestRefused:
    detail = f"There are no rows {error.name[:80]!r}."
    return RequestRefused(400, "unknown_rows", detail, f"Ask for one of {', '.join(ROW_TYPES)}.")
