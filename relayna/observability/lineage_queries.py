"""Every question about how runs led to one another, registered once: HTTP and language models ask them from here.

A new one is a fold in a file of `relayna/projections/lineage` and an entry in `LINEAGE_QUERIES`: its arguments and its
answer as Structs, and who answers; `LineageService.ask` reads what it is folded from. Owns the arguments' shapes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final, TypeAlias

from msgspec import Meta, Struct

from relayna.observability.lineage_service import LineageService
from relayna.observability.lineage_told import Births, Downstream, RunsCompared, Session, Upstream
from relayna.observability.lineage_view import LineageView, Siblings, checked_view
from relayna.projections.lineage.run_edges import RunEdgeKind
from relayna.projections.lineage.walks import DEFAULT_HOPS, MAX_HOPS

__all__ = ["LINEAGE_QUERIES", "ForModels", "LineageQuery"]

_RunId: TypeAlias = Annotated[str, Meta(description="The run's id: its task's.")]
_Hops: TypeAlias = Annotated[int, Meta(ge=1, le=MAX_HOPS, description="Edges away at most.")]
_Kinds: TypeAlias = Annotated[
    list[RunEdgeKind], Meta(description="Only edges of these kinds; all when none is named.")
]
_Causal: TypeAlias = Annotated[
    bool, Meta(description="Whether edges are followed only in the order of time.")
]
_Siblings: TypeAlias = Annotated[
    Siblings,
    Meta(
        description="grouped: five or more children alike, of which none has failed, stand as one group. all: none do."
    ),
]
_Expand: TypeAlias = Annotated[
    list[str], Meta(description="Groups that are shown run by run all the same, by their `group_id`.")
]
_Overlays: TypeAlias = Annotated[
    bool, Meta(description="Whether decisions and costs are told run by run, in `overlays`.")
]
_At: TypeAlias = Annotated[
    str | None,
    Meta(description="Only what had happened by then (ISO 8601).", extra_json_schema={"format": "date-time"}),
]


class ForModels(Struct, frozen=True, kw_only=True):
    """How a question is put to a language model."""

    tool: str
    title: str
    about: str
    """What it answers, and when to use it."""
    rest: str
    """How to ask for what an answer that was cut leaves out."""
    asks: type[Struct] | None = None
    """Where other defaults suit models better."""


class LineageQuery(Struct, frozen=True, kw_only=True):
    """One question."""

    name: str
    path: str
    """Over HTTP; `{}` stands for the first argument, which may be given there or by query."""
    summary: str
    asks: type[Struct]
    """The arguments, each with its description."""
    tells: type[Struct]
    ask: Callable[[LineageService, Any], Awaitable[Struct]]  # Any: the Struct that `asks` names
    models: ForModels | None = None
    """None where models have no tool for it."""


class RunWhyAsked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why is this run there?"""

    run_id: _RunId


class UpstreamAsked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What did this run come from?"""

    run_id: _RunId
    max_hops: _Hops = DEFAULT_HOPS
    kinds: _Kinds = []
    causal: _Causal = True


class DownstreamAsked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What came of this run?"""

    run_id: _RunId
    max_hops: _Hops = DEFAULT_HOPS
    kinds: _Kinds = []
    causal: _Causal = True
    siblings: _Siblings = "all"
    expand: _Expand = []
    overlays: _Overlays = False


class SessionAsked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which runs does this session have, and how did they lead to one another?"""

    session_id: Annotated[
        str, Meta(description="The session's id: its first run's, or that of any of its runs.")
    ]
    kinds: _Kinds = []
    at: _At = None
    siblings: _Siblings = "all"
    expand: _Expand = []
    overlays: _Overlays = False


class DiffAsked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What came of one run, and what of another?"""

    a: Annotated[str, Meta(description="A run's id.")]
    b: Annotated[str, Meta(description="The other's.")]


class _GroupedDownstream(DownstreamAsked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What came of this run?"""

    siblings: _Siblings = "grouped"


class _GroupedSession(SessionAsked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which runs does this session have, and how did they lead to one another?"""

    siblings: _Siblings = "grouped"


async def _why(service: LineageService, asked: RunWhyAsked) -> Births:
    return await service.why(asked.run_id)


async def _upstream(service: LineageService, asked: UpstreamAsked) -> Upstream:
    return await service.upstream(
        asked.run_id, max_hops=asked.max_hops, kinds=asked.kinds, causal=asked.causal
    )


async def _downstream(service: LineageService, asked: DownstreamAsked) -> Downstream:
    return await service.downstream(
        asked.run_id, max_hops=asked.max_hops, kinds=asked.kinds, causal=asked.causal, view=_view(asked)
    )


async def _session(service: LineageService, asked: SessionAsked) -> Session:
    return await service.session(asked.session_id, kinds=asked.kinds, at=asked.at, view=_view(asked))


async def _diff(service: LineageService, asked: DiffAsked) -> RunsCompared:
    return await service.diff(asked.a, asked.b)


def _view(asked: DownstreamAsked | SessionAsked) -> LineageView:
    return checked_view(siblings=asked.siblings, expand=asked.expand, overlays=asked.overlays)


LINEAGE_QUERIES: Final = (
    LineageQuery(
        name="session",
        path="/lineage/sessions/{}/graph",
        summary="All runs of a session, and all edges that touch them.",
        asks=SessionAsked,
        tells=Session,
        ask=_session,
        models=ForModels(
            tool="session_dag",
            title="All runs of a session",
            about="Use it for the whole picture of one session, from any of its runs: all runs, how they stand, how "
            "they led to one another, and what it cost in millionths of a dollar. With overlays=true each run says "
            "what it and all that came of it cost, and what guards decided about it.",
            rest="Ask with kinds, with siblings=grouped, with an earlier `at`, or use run_downstream of one of the runs.",
            asks=_GroupedSession,
        ),
    ),
    LineageQuery(
        name="why",
        path="/lineage/runs/{}/why",
        summary="Why a run is there: its births, back to the origin.",
        asks=RunWhyAsked,
        tells=Births,
        ask=_why,
        models=ForModels(
            tool="run_why",
            title="Why a run is there",
            about="Use it to learn who started a run: the births from the run back to its origin, each with the run "
            "that it came from. A run is a task with all its attempts and messages inside. For why it failed use "
            "task_why.",
            rest="Ask run_why of a run further up: `parent_run` of the last birth.",
        ),
    ),
    LineageQuery(
        name="upstream",
        path="/lineage/runs/{}/upstream",
        summary="What a run came from: the edges that led to it, hop by hop.",
        asks=UpstreamAsked,
        tells=Upstream,
        ask=_upstream,
        models=ForModels(
            tool="run_upstream",
            title="What a run came from",
            about="Use it to see everything that led to a run, hop by hop: births, and also retries, resumes, timers "
            "and what woke it. `truncated` says that there is more beyond `max_hops`.",
            rest="Ask with fewer max_hops, with kinds, or of a run further up.",
        ),
    ),
    LineageQuery(
        name="downstream",
        path="/lineage/runs/{}/downstream",
        summary="What came of a run, with what it cost.",
        asks=DownstreamAsked,
        tells=Downstream,
        ask=_downstream,
        models=ForModels(
            tool="run_downstream",
            title="What came of a run, with its cost",
            about="Use it to see what a run set off and what that cost: all runs and edges below it, with counts by "
            "kind and sums. Costs are millionths of a dollar. Many children alike stand as one of the `groups`; "
            "failures never do.",
            rest="Ask with fewer max_hops, with kinds, with siblings=grouped, or of one of the runs below.",
            asks=_GroupedDownstream,
        ),
    ),
    LineageQuery(
        name="diff",
        path="/lineage/runs/diff",
        summary="What came of one run beside what came of another.",
        asks=DiffAsked,
        tells=RunsCompared,
        ask=_diff,
    ),
)
"""In the order in which a model reads them."""
