"""Tools about runs and how they led to one another: why one is there, what it came from, what came of it, its session.

Owns their arguments, and how they become questions to the service. The answers are those of the HTTP routes; over
HTTP they are there while those routes answer.
"""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias

from msgspec import Meta, Struct

from relayna.api.services import TenantServices
from relayna.mcp.tools.tool import Tool
from relayna.observability.lineage_told import Births, Downstream, Session, Upstream
from relayna.observability.lineage_view import LineageView, Siblings, checked_view
from relayna.projections.lineage.run_edges import RunEdgeKind
from relayna.projections.lineage.walks import DEFAULT_HOPS, MAX_HOPS
from relayna.settings import lineage_reads

__all__ = ["RUN_DOWNSTREAM", "RUN_UPSTREAM", "RUN_WHY", "SESSION_DAG"]

_RunId: TypeAlias = Annotated[str, Meta(description="The run's id: its task's.")]
_Hops: TypeAlias = Annotated[int, Meta(ge=1, le=MAX_HOPS, description="Edges away at most.")]
_Kinds: TypeAlias = Annotated[
    list[RunEdgeKind], Meta(description="Only edges of these kinds; all when empty.")
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
    siblings: _Siblings = "grouped"
    expand: _Expand = []
    overlays: _Overlays = False


class SessionAsked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which runs does this session have, and how did they lead to one another?"""

    session_id: Annotated[
        str, Meta(description="The session's id: its first run's, or that of any of its runs.")
    ]
    kinds: _Kinds = []
    at: Annotated[str | None, Meta(description="Only what had happened by then (ISO 8601).")] = None
    siblings: _Siblings = "grouped"
    expand: _Expand = []
    overlays: _Overlays = False


async def _why(services: TenantServices, asked: RunWhyAsked) -> Births:
    return await services.lineage.why(asked.run_id)


async def _upstream(services: TenantServices, asked: UpstreamAsked) -> Upstream:
    return await services.lineage.upstream(
        asked.run_id, max_hops=asked.max_hops, kinds=asked.kinds, causal=asked.causal
    )


async def _downstream(services: TenantServices, asked: DownstreamAsked) -> Downstream:
    return await services.lineage.downstream(
        asked.run_id, max_hops=asked.max_hops, kinds=asked.kinds, causal=asked.causal, view=_view(asked)
    )


async def _session(services: TenantServices, asked: SessionAsked) -> Session:
    return await services.lineage.session(asked.session_id, kinds=asked.kinds, at=asked.at, view=_view(asked))


def _view(asked: DownstreamAsked | SessionAsked) -> LineageView:
    return checked_view(siblings=asked.siblings, expand=asked.expand, overlays=asked.overlays)


RUN_WHY: Final = Tool(
    name="run_why",
    title="Why a run is there",
    about="Use it to learn who started a run: the births from the run back to its origin, each with the run that it "
    "came from. A run is a task with all its attempts and messages inside. For why it failed use task_why.",
    asks=RunWhyAsked,
    tells=Births,
    answer=_why,
    is_on=lineage_reads,
    rest="Ask run_why of a run further up: `parent_run` of the last birth.",
)
RUN_UPSTREAM: Final = Tool(
    name="run_upstream",
    title="What a run came from",
    about="Use it to see everything that led to a run, hop by hop: births, and also retries, resumes, timers and what "
    "woke it. `truncated` says that there is more beyond `max_hops`.",
    asks=UpstreamAsked,
    tells=Upstream,
    answer=_upstream,
    is_on=lineage_reads,
    rest="Ask with fewer max_hops, with kinds, or of a run further up.",
)
RUN_DOWNSTREAM: Final = Tool(
    name="run_downstream",
    title="What came of a run, with its cost",
    about="Use it to see what a run set off and what that cost: all runs and edges below it, with counts by kind and "
    "sums. Costs are millionths of a dollar. Many children alike stand as one of the `groups`; failures never do.",
    asks=DownstreamAsked,
    tells=Downstream,
    answer=_downstream,
    is_on=lineage_reads,
    rest="Ask with fewer max_hops, with kinds, with siblings=grouped, or of one of the runs below.",
)
SESSION_DAG: Final = Tool(
    name="session_dag",
    title="All runs of a session",
    about="Use it for the whole picture of one session, from any of its runs: all runs, how they stand, how they led to "
    "one another, and what it cost in millionths of a dollar. With overlays=true each run says what it and all that "
    "came of it cost, and what guards decided about it.",
    asks=SessionAsked,
    tells=Session,
    answer=_session,
    is_on=lineage_reads,
    rest="Ask with kinds, with siblings=grouped, with an earlier `at`, or use run_downstream of one of the runs.",
)
