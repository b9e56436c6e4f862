"""What may be asked of a graph over HTTP, and what a busy service answers."""

from __future__ import annotations

import anyio
import pytest
from api.serving import Serve, app_on, record
from reliability.big_shapes import long_task, store

from relayna.api import create_execution_router
from relayna.observability import ExecutionGraphService
from relayna.observability.admission import Admission
from relayna.streams import MemoryLog

pytestmark = pytest.mark.anyio

GRAPH = "/executions/order-7/graph"


async def test_dot_is_a_representation(serve: Serve) -> None:
    log = MemoryLog()
    await record(log, "order-7", "processing")
    client = await serve(app_on(log))
    by_format = await client.get(f"{GRAPH}?format=dot")
    by_accept = await client.get(GRAPH, headers={"accept": "text/vnd.graphviz"})
    assert by_format.status_code == by_accept.status_code == 200
    assert by_format.headers["content-type"] == "text/vnd.graphviz; charset=utf-8"
    assert by_format.text == by_accept.text
    assert by_format.text.startswith("digraph")


async def test_views_and_folds_are_those_of_the_service(serve: Serve) -> None:
    log = MemoryLog()
    await record(log, "order-7", "processing", "half", "half", children=["a", "b"])
    client = await serve(app_on(log))
    causal = (await client.get(f"{GRAPH}?view=causal")).json()
    assert {node["kind"] for node in causal["nodes"]} == {"task", "aggregation_child"}
    assert causal["annotations"]["view"] == "causal"
    folded = (await client.get(f"{GRAPH}?collapse=children,statuses")).json()
    assert folded["annotations"]["collapse"] == ["children", "statuses"]
    assert len(folded["nodes"]) < 6


async def test_as_of_takes_times_as_graphs_print_them(serve: Serve) -> None:
    log = MemoryLog()
    await record(log, "order-7", "processing")
    client = await serve(app_on(log))
    before = await client.get(f"{GRAPH}?as_of=2001-01-01T00:00:00+00:00")
    assert before.json()["summary"]["status"] is None
    assert before.json()["annotations"]["as_of"] == "2001-01-01T00:00:00+00:00"
    assert (await client.get(f"{GRAPH}?as_of=2999-01-01")).json()["summary"]["status"] == "processing"


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("view=pretty", "'view': 'pretty' is none of full, causal, failures, critical"),
        ("collapse=all", "'collapse': 'all' is none of children, attempts, statuses"),
        ("collapse=children,,attempts", "'collapse': '' is none of"),
        ("collapse=", "'collapse': '' is none of"),
        ("as_of=then", "'as_of': 'then' is no time, and no version of a graph"),
        ("max_nodes=50001", "'max_nodes': 50001 is more than 50000"),
    ],
)
async def test_a_parameter_without_meaning_is_named(serve: Serve, query: str, detail: str) -> None:
    log = MemoryLog()
    await record(log, "order-7", "processing")
    client = await serve(app_on(log))
    answer = await client.get(f"{GRAPH}?{query}")
    assert answer.status_code == 422
    assert detail in answer.json()["detail"]


async def test_over_http_a_graph_has_5000_nodes_unless_asked_otherwise(serve: Serve) -> None:
    log = MemoryLog()
    await store(log, long_task("order-7", 8_000))
    client = await serve(app_on(log))
    assert len((await client.get(GRAPH)).json()["nodes"]) == 5_000
    assert len((await client.get(f"{GRAPH}?max_nodes=6000")).json()["nodes"]) == 6_000


async def test_a_busy_service_says_when_to_come_again(serve: Serve) -> None:
    log = MemoryLog()
    await record(log, "small", "processing")
    await store(log, long_task("order-7", 8_000))
    gate = Admission(at_once=1, waiting=0)
    service = ExecutionGraphService(log=log, admission=gate)
    client = await serve(create_execution_router(execution_graph_service=service))
    with gate.turn() as turn:
        await turn.take()
        busy = await client.get(GRAPH)
        assert (await client.get("/executions/small/graph")).status_code == 200
    assert (busy.status_code, busy.headers["retry-after"]) == (503, "5")
    assert busy.headers["content-type"] == "application/problem+json"
    assert (busy.json()["code"], "etag" in busy.headers) == ("busy", False)
    assert "smaller max_nodes" in busy.json()["hint"]
    assert (await client.get(GRAPH)).status_code == 200


async def test_who_asks_the_same_at_the_same_time_gets_the_same(serve: Serve) -> None:
    log = MemoryLog()
    await store(log, long_task("order-7", 8_000))
    service = ExecutionGraphService(log=log, admission=Admission(at_once=1, waiting=0))
    client = await serve(create_execution_router(execution_graph_service=service))
    bodies: list[bytes] = []

    async def ask() -> None:
        answer = await client.get(GRAPH)
        assert answer.status_code == 200
        bodies.append(answer.content)

    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(ask)
    assert len(set(bodies)) == 1
