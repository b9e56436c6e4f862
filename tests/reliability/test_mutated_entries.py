"""T24: entries that were damaged are decoded, replayed, folded, drawn and served without an exception."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from io import StringIO

import httpx2
import msgspec
import pytest
from api.execution_routes import executions_app_of, executions_endpoints
from api.serving import client_of
from projections.laws import AnyProjection, assert_well_formed, fold
from reliability.mutated_entries import mutated_streams
from reliability.report import Findings, ReliabilityReport
from reliability.sizes import sized
from rich.console import Console
from starlette.applications import Starlette

from relayna.api.caller import Caller
from relayna.events import decode_frame
from relayna.ids import TaskId
from relayna.observability import ExecutionGraphService
from relayna.observability.dot import execution_graph_dot
from relayna.observability.mermaid import execution_graph_mermaid
from relayna.observability.standing_terminal import print_standing
from relayna.observability.task_histories import TaskHistories
from relayna.observability.terminal import print_graph_table, print_graph_tree
from relayna.projections.execution import GraphQuery
from relayna.projections.graph import ExecutionGraph, encode_graph
from relayna.projections.graph_view import COLLAPSES, GRAPH_VIEWS, shown
from relayna.projections.projection import Item
from relayna.projections.registry import EXECUTION_PROJECTIONS, PROJECTIONS
from relayna.projections.standing import standing_of
from relayna.streams import Append, MemoryLog, Replay, TaskAddress, replay
from relayna.streams.log import START

pytestmark = [pytest.mark.anyio, pytest.mark.fault]

ROOT = TaskId("root")
PER_STREAM = 20
ROUTES = (
    "/executions/root/graph",
    "/executions/root/graph?format=mermaid&view=causal",
    "/executions/root/graph?format=dot&view=failures&collapse=children,attempts,statuses",
    "/executions/root/history?limit=200",
    "/executions/root/history?limit=7&order=desc",
    "/executions/root/timeline",
    "/executions/root/status",
)


class Trials:
    """Counts exceptions by where they came from, and goes on."""

    def __init__(self) -> None:
        self.failed: Counter[str] = Counter()

    def attempt(self, what: str, work: Callable[[], object]) -> None:
        """Do this; say where it fails."""
        try:
            work()
        except Exception as error:  # noqa: BLE001 - each is counted, and any of them fails the test
            self.failed[f"{what}: {type(error).__name__}: {str(error)[:120]}"] += 1


class Served:
    """What the routes read at the moment."""

    def __init__(self) -> None:
        self.log = MemoryLog()

    def app(self) -> Starlette:
        """Graph, history, timeline and status of its tasks."""
        return executions_app_of(executions_endpoints(self._graphs, self._histories))

    def _graphs(self, caller: Caller) -> ExecutionGraphService:
        return ExecutionGraphService(log=self.log)

    def _histories(self, caller: Caller) -> TaskHistories:
        return TaskHistories(log=self.log)


@sized(entries=20_000)
async def test_damaged_entries_raise_nowhere(entries: int, reliability: ReliabilityReport) -> None:
    """T24: decode, replay, every projection, every view and renderer, and every route."""
    seed = 24
    print(f"seed {seed}")
    trials, served = Trials(), Served()
    streams = 0
    async with client_of(served.app()) as client:
        for payloads in mutated_streams(entries, PER_STREAM, random.Random(seed)):
            streams += 1
            for payload in payloads:
                trials.attempt("decode", partial(decode_frame, payload, task_id=ROOT, stream_id=START))
            served.log = MemoryLog()
            await served.log.append([Append(TaskAddress(ROOT), payload) for payload in payloads])
            (read,) = await replay(served.log, [TaskAddress(ROOT)])
            fold_all(read, trials)
            await ask_all(client, trials)
    print("\n".join(f"{count} x {where}" for where, count in trials.failed.items()))
    reliability.add(
        "T24 damaged entries",
        Findings(tasks=streams, bad_inputs=entries, unexpected=sum(trials.failed.values())),
    )


def fold_all(read: Replay, trials: Trials) -> None:
    """Every projection, its snapshot, and what is drawn of the graph."""
    items = (*read.events, *read.facts)
    for projection in PROJECTIONS:
        trials.attempt(projection.name, partial(snapshot_and_answer, projection, items))
    projection = EXECUTION_PROJECTIONS[0]
    graph = projection.finish(fold(projection, items, ROOT), GraphQuery())
    trials.attempt("graph", partial(assert_well_formed, graph))
    draw_all(graph, trials)


def snapshot_and_answer(projection: AnyProjection, items: Sequence[Item]) -> None:
    """The same answer from the state and from its snapshot."""
    state = fold(projection, items, ROOT)
    answer = msgspec.json.encode(projection.finish(state, GraphQuery()))
    restored = projection.restore(projection.snapshot(state))
    assert msgspec.json.encode(projection.finish(restored, GraphQuery())) == answer


def draw_all(graph: ExecutionGraph, trials: Trials) -> None:
    """Every view, folded and not, by every renderer."""
    for view in GRAPH_VIEWS:
        for collapse in ((), COLLAPSES):
            part = shown(graph, view=view, collapse=collapse)
            for render in (encode_graph, execution_graph_mermaid, execution_graph_dot):
                trials.attempt(render.__name__, partial(render, part))
    console = Console(file=StringIO(), width=100)
    trials.attempt("tree", partial(print_graph_tree, graph, console))
    trials.attempt("table", partial(print_graph_table, graph, console))
    trials.attempt("status", lambda: print_standing(standing_of(graph), console))


async def ask_all(client: httpx2.AsyncClient, trials: Trials) -> None:
    """Every route over a real connection: 200, and JSON where it says so."""
    for route in ROUTES:
        trials.attempt(route, partial(judge, await client.get(route)))


def judge(answer: httpx2.Response) -> None:
    """Whether this is an answer."""
    assert answer.status_code == 200, answer.text[:200]
    if answer.headers["content-type"] == "application/json":
        json.loads(answer.content)
