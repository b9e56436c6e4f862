"""Tools about one task: why it failed, its graph, where it stands, and its timeline.

Owns their arguments, and how they become questions to the services. The answers are those of the HTTP routes.
"""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias

from msgspec import Meta, Struct

from relayna.api.services import TenantServices
from relayna.mcp.tools.tool import Tool
from relayna.observability.graph_question import DEFAULT_VIEW, MAX_DEPTH
from relayna.observability.task_histories import MOST_LINES, TimelinePage
from relayna.projections.execution import DEFAULT_DEPTH
from relayna.projections.failure import explain_failure
from relayna.projections.graph import ExecutionGraph
from relayna.projections.graph_view import GraphView
from relayna.projections.standing import Standing, standing_of
from relayna.projections.task_why import TaskWhy

__all__ = ["GRAPH", "STATUS", "TASK_WHY", "TIMELINE"]

_READ_NODES: Final = 50_000
"""What `task_why` and `status` look at, as over HTTP."""
_MOST_NODES: Final = 5_000
_NODES: Final = 100
_LINES: Final = 100

_TaskId: TypeAlias = Annotated[str, Meta(description="The task's id.")]
_At: TypeAlias = Annotated[str | None, Meta(description="Only what had happened by then (ISO 8601).")]
_Depth: TypeAlias = Annotated[
    int, Meta(ge=0, le=MAX_DEPTH, description="Generations of children that are looked at.")
]


class WhyAsked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why did this task fail, or what does it wait for?"""

    task_id: _TaskId
    at: _At = None
    depth: _Depth = DEFAULT_DEPTH


class GraphAsked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What happened to this task, and what caused what?"""

    task_id: _TaskId
    at: _At = None
    depth: _Depth = DEFAULT_DEPTH
    max_nodes: Annotated[int, Meta(ge=1, le=_MOST_NODES, description="At most so many nodes.")] = _NODES
    view: Annotated[
        GraphView,
        Meta(
            description="full: everything. causal: births and what they led to. failures: what went wrong, and the "
            "way to it. critical: what the end waited for."
        ),
    ] = DEFAULT_VIEW


class StatusAsked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where does this task stand?"""

    task_id: _TaskId


class TimelineAsked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What happened to this task, line by line?"""

    task_id: _TaskId
    at: _At = None
    cursor: Annotated[str | None, Meta(description="Where to go on: `next` of the answer before.")] = None
    limit: Annotated[int, Meta(ge=1, le=MOST_LINES, description="At most so many lines.")] = _LINES


async def _why(services: TenantServices, asked: WhyAsked) -> TaskWhy:
    graph = await services.graphs.get_graph(
        asked.task_id, at=asked.at, depth=asked.depth, max_nodes=_READ_NODES
    )
    return explain_failure(graph)


async def _graph(services: TenantServices, asked: GraphAsked) -> ExecutionGraph:
    return await services.graphs.get_graph(
        asked.task_id, at=asked.at, depth=asked.depth, max_nodes=asked.max_nodes, view=asked.view
    )


async def _status(services: TenantServices, asked: StatusAsked) -> Standing:
    return standing_of(await services.graphs.get_graph(asked.task_id, depth=0, max_nodes=_READ_NODES))


async def _timeline(services: TenantServices, asked: TimelineAsked) -> TimelinePage:
    return await services.histories.get_timeline(
        asked.task_id, at=asked.at, cursor=asked.cursor, limit=asked.limit
    )


TASK_WHY: Final = Tool(
    name="task_why",
    title="Why a task failed, or what it waits for",
    about="Start here when a task failed, is dead-lettered, stuck or slow to end: names the first failing causes, "
    "what they took down, what recovered, and what the task still waits for. `sentence` says all of it in one "
    "sentence. `graph_completeness` of `partial` says that a cause may be among what is missing.",
    asks=WhyAsked,
    tells=TaskWhy,
    answer=_why,
    rest="Ask with a smaller depth, ask task_why of one of the children, or use graph with view=failures.",
)
GRAPH: Final = Tool(
    name="graph",
    title="The execution graph of a task",
    about="Use it to see how attempts, retries, messages, dead letters and children of a task led to one another, "
    "when task_why and timeline do not say enough. Begin with view=failures or view=critical; view=full can be large. "
    "`annotations.truncated` says what was left out.",
    asks=GraphAsked,
    tells=ExecutionGraph,
    answer=_graph,
    bound="max_nodes",
    bounded=("nodes", "edges"),
    rest="Ask for a part: view=failures or view=critical, a smaller depth, an earlier `at`, or the graph of one child.",
)
STATUS: Final = Tool(
    name="status",
    title="Where a task stands",
    about="Use it to learn quickly whether a task runs, waits, ended or failed: its latest status, attempts, retries, "
    "children, what runs now, what it waits for and its last failure. For the cause of a failure use task_why.",
    asks=StatusAsked,
    tells=Standing,
    answer=_status,
    rest="The graph and the timeline of the task have all of it.",
)
TIMELINE: Final = Tool(
    name="timeline",
    title="What happened to a task, in order",
    about="Use it to follow one task step by step, or to see where its time went: a line for each event with its "
    "offset from the start, queue waits and durations. Goes on with `next` as `cursor`.",
    asks=TimelineAsked,
    tells=TimelinePage,
    answer=_timeline,
    bound="limit",
    bounded=("entries",),
    rest="Give `next` as `cursor` to go on.",
)
