"""`GET /lineage/…`: what a run came from, what came of it, why it is there, its session, two runs compared.

Owns the routes, by path and by query, and that they answer 404 while `RELAYNA_LINEAGE_READ` is off.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypedDict

from msgspec import Struct
from msgspec.structs import replace
from starlette.responses import Response

from relayna.api.aliases import HttpNames
from relayna.api.endpoint import Answer, ApiRequest, Endpoint, Parameter
from relayna.api.executions import asked_task_id
from relayna.api.large_response import make_large_response
from relayna.api.lineage_switch import refuse_while_lineage_is_off
from relayna.api.query import QueryParameters
from relayna.api.responses import JSON
from relayna.api.tenants import OfCaller
from relayna.errors import InvalidQuery
from relayna.observability.lineage_service import LineageService
from relayna.observability.lineage_told import Births, Downstream, RunsCompared, Session, Upstream
from relayna.observability.lineage_view import SIBLINGS, LineageView, checked_view
from relayna.projections.lineage.run_edges import EDGE_KINDS
from relayna.projections.lineage.walks import DEFAULT_HOPS, MAX_HOPS

__all__ = ["lineage_endpoints"]

_RUN: Final = "run_id"
_SESSION: Final = "session_id"
_NO_CACHE: Final = {"Cache-Control": "no-cache"}
_BOOLEANS: Final = {"true": True, "false": False}
_KINDS_PATTERN: Final = "^({0})(,({0}))*$".format("|".join(EDGE_KINDS))
_KINDS: Final = Parameter(
    name="kinds",
    about="Only edges of these kinds, separated by commas.",
    schema={"type": "string", "pattern": _KINDS_PATTERN},
)
_OF_WALKS: Final = (
    Parameter(
        name="max_hops",
        about="Edges away at most.",
        schema={"type": "integer", "minimum": 1, "maximum": MAX_HOPS, "default": DEFAULT_HOPS},
    ),
    _KINDS,
    Parameter(
        name="causal",
        about="Whether edges are followed only in the order of time.",
        schema={"type": "boolean", "default": True},
    ),
)
_AT: Final = Parameter(name="at", about="Only what had happened by then (ISO 8601).")
_OF_VIEWS: Final = (
    Parameter(
        name="siblings",
        about="Whether five or more children alike, of which none has failed, stand as one group.",
        schema={"type": "string", "enum": [*SIBLINGS], "default": "all"},
    ),
    Parameter(name="expand", about="Groups that are shown run by run all the same, separated by commas."),
    Parameter(
        name="overlays",
        about="Whether decisions and costs are told run by run.",
        schema={"type": "boolean", "default": False},
    ),
)

_Question = Callable[[LineageService, ApiRequest], Awaitable[Struct]]


class _Walk(TypedDict):
    """The parameters of a walk, beside the run."""

    max_hops: int
    kinds: tuple[str, ...]
    causal: bool


def lineage_endpoints(lineage: OfCaller[LineageService], names: HttpNames) -> tuple[Endpoint, ...]:
    """Everything about how runs led to one another."""

    def answering(ask: _Question) -> Answer:
        async def answer(request: ApiRequest) -> Response:
            refuse_while_lineage_is_off()
            told = await ask(lineage(request.caller), request)
            return make_large_response(names.encode(told), media_type=JSON, headers=_NO_CACHE)

        return answer

    compared = Endpoint(
        path="/lineage/runs/diff",
        name="lineage_diff",
        summary="What came of one run beside what came of another.",
        answer=answering(_diff),
        parameters=(
            Parameter(name="a", about="A run's id.", required=True),
            Parameter(name="b", about="The other's.", required=True),
        ),
        returns={JSON: RunsCompared},
        problems=(404, 422, 503),
    )
    about_one = (*_about_runs(answering), _about_sessions(answering))
    return compared, *(both for endpoint in about_one for both in _both_ways(endpoint))


def _about_runs(answering: Callable[[_Question], Answer]) -> tuple[Endpoint, ...]:
    upstream = Endpoint(
        path="/lineage/runs/{}/upstream",
        name="lineage_upstream",
        summary="What a run came from: the edges that led to it, hop by hop.",
        answer=answering(_upstream),
        parameters=(Parameter(name=_RUN, about="The run's id: its task's.", required=True), *_OF_WALKS),
        returns={JSON: Upstream},
        problems=(404, 422, 503),
    )
    return (
        upstream,
        replace(
            upstream,
            path="/lineage/runs/{}/downstream",
            name="lineage_downstream",
            summary="What came of a run, with what it cost.",
            answer=answering(_downstream),
            parameters=(*upstream.parameters, *_OF_VIEWS),
            returns={JSON: Downstream},
        ),
        replace(
            upstream,
            path="/lineage/runs/{}/why",
            name="lineage_why",
            summary="Why a run is there: its births, back to the origin.",
            answer=answering(_why),
            parameters=upstream.parameters[:1],
            returns={JSON: Births},
        ),
    )


def _about_sessions(answering: Callable[[_Question], Answer]) -> Endpoint:
    return Endpoint(
        path="/lineage/sessions/{}/graph",
        name="lineage_session",
        summary="All runs of a session, and all edges that touch them.",
        answer=answering(_session),
        parameters=(
            Parameter(name=_SESSION, about="The session's id: its first run's.", required=True),
            _KINDS,
            _AT,
            *_OF_VIEWS,
        ),
        returns={JSON: Session},
        problems=(404, 422, 503),
    )


def _both_ways(endpoint: Endpoint) -> tuple[Endpoint, Endpoint]:
    """By query, for every id there is, and by path."""
    subject, *others = endpoint.parameters
    by_query = replace(endpoint, path=endpoint.path.replace("/{}", ""), name=f"{endpoint.name}_by_query")
    by_path = replace(
        endpoint,
        path=endpoint.path.replace("{}", f"{{{subject.name}:path}}"),
        parameters=(replace(subject, of="path"), *others),
    )
    return by_query, by_path


async def _upstream(service: LineageService, request: ApiRequest) -> Upstream:
    return await service.upstream(asked_task_id(request, _RUN), **_walk(request.query))


async def _downstream(service: LineageService, request: ApiRequest) -> Downstream:
    run_id = asked_task_id(request, _RUN)
    return await service.downstream(run_id, **_walk(request.query), view=_view(request.query))


async def _why(service: LineageService, request: ApiRequest) -> Births:
    return await service.why(asked_task_id(request, _RUN))


async def _session(service: LineageService, request: ApiRequest) -> Session:
    query = request.query
    return await service.session(
        asked_task_id(request, _SESSION), kinds=_kinds(query), at=query.time("at"), view=_view(query)
    )


async def _diff(service: LineageService, request: ApiRequest) -> RunsCompared:
    return await service.diff(_required(request.query, "a"), _required(request.query, "b"))


def _walk(query: QueryParameters) -> _Walk:
    return _Walk(
        max_hops=query.whole_number("max_hops", default=DEFAULT_HOPS),
        kinds=_kinds(query),
        causal=_boolean(query, "causal", default="true"),
    )


def _view(query: QueryParameters) -> LineageView:
    expand, overlays = _listed(query, "expand"), _boolean(query, "overlays", default="false")
    return checked_view(siblings=query.text("siblings"), expand=expand, overlays=overlays)


def _kinds(query: QueryParameters) -> tuple[str, ...]:
    return _listed(query, "kinds")


def _listed(query: QueryParameters, name: str) -> tuple[str, ...]:
    text = query.text(name)
    return () if text is None else tuple(text.split(","))


def _boolean(query: QueryParameters, name: str, *, default: str) -> bool:
    text = query.text(name) or default
    if text not in _BOOLEANS:
        raise InvalidQuery(name, f"{text[:80]!r} is neither true nor false")
    return _BOOLEANS[text]


def _required(query: QueryParameters, name: str) -> str:
    run_id = query.text(name)
    if run_id is None:
        raise InvalidQuery(name, "nothing is given; ask as in /lineage/runs/diff?a=order-7&b=order-8")
    return run_id
