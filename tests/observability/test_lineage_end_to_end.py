"""What caused what, edge by edge, told by real consumers: three generations, of which the last one fails."""

from __future__ import annotations

import json

import anyio.to_thread
import pytest
from api.serving import client_of
from cli.command_line import relayna
from consumer.bench import Bench
from servers import StoreUnderTest

from relayna.api import RelaynaRuntime, create_app
from relayna.consumer import RetryPolicy, TaskConsumer, TaskContext, TaskEnvelope
from relayna.streams import Recorder
from relayna.streams.redis import RedisLog

pytestmark = pytest.mark.anyio

EDGES = [
    ("user_start", None, "order"),
    ("spawn", "order", "invoice"),
    ("spawn", "invoice", "print"),
    ("retry", "print", "print"),
]


async def work(task: TaskEnvelope, context: TaskContext) -> None:
    """Each asks for the next; the last one never works."""
    if task.task_id == "print":
        raise OSError("out of paper")
    await context.spawn(task_id={"order": "invoice", "invoice": "print"}[task.task_id])


async def run_workers(store: StoreUnderTest) -> None:
    recorder = Recorder(RedisLog(store.url, prefix=store.prefix))
    async with Bench(sink=lambda _: recorder) as bench:
        consumer = TaskConsumer(
            rabbitmq=bench.client,
            handler=work,
            consumer_name="worker",
            retry_policy=RetryPolicy(max_retries=1, delay_ms=1_000, jitter=0),
        )
        await bench.work_off(consumer, publish=lambda: bench.client.publish_task("order"), retries=1)
        await recorder.durable()


async def test_three_generations_over_http(store: StoreUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELAYNA_LINEAGE_READ", "1")
    await run_workers(store)
    app = create_app(RelaynaRuntime(log=RedisLog(store.url, prefix=store.prefix)))
    async with client_of(app) as client:
        down = (await client.get("/lineage/runs/order/downstream")).json()
        up = (await client.get("/lineage/runs/print/upstream")).json()
        why = (await client.get("/lineage/runs/print/why")).json()
        session = (await client.get("/lineage/sessions/order/graph")).json()
        same = (await client.get("/lineage/runs/diff?a=order&b=order")).json()

    def edges(told: list[dict[str, str]]) -> list[tuple[str, str, str]]:
        return [(edge["kind"], edge["source_run"], edge["target_run"]) for edge in told]

    assert edges(session["edges"]) == EDGES
    assert edges(down["edges"]) == EDGES[1:]
    assert [(hop["hop"], *edges([hop["edge"]])[0]) for hop in up["hops"]] == [
        (1, *EDGES[2]),
        (1, *EDGES[3]),
        (2, *EDGES[1]),
        (3, *EDGES[0]),
    ]
    assert edges([hop["edge"] for hop in why["births"]]) == [EDGES[2], EDGES[1], EDGES[0]]
    assert why["origin"] == "order"
    statuses = {run["run_id"]: run["status"] for run in session["runs"]}
    assert statuses == {"order": "completed", "invoice": "completed", "print": "dead_lettered"}
    assert {run["agent"] for run in session["runs"]} == {"worker"}
    assert (same["only_in_a"], same["status_changes"], same["duration_delta_ms"]) == ([], 0, 0)
    assert down["missing"] == session["missing"] == []


async def test_three_generations_in_the_terminal(any_store: StoreUnderTest) -> None:
    await run_workers(any_store)
    options = ("--redis-url", any_store.url, "--prefix", any_store.prefix)

    async def told(*arguments: str) -> str:
        run = await anyio.to_thread.run_sync(lambda: relayna(*arguments, *options))
        assert (run.returncode, run.stderr) == (0, b"")
        return run.stdout.decode()

    assert (await told("session", "order")).splitlines() == [
        "Session order",
        "3 runs (2 completed, 1 dead_lettered), 4 edges, $0.0000, 0 tokens, root order",
        "",
        "RUN                                  STATUS",
        "order  worker  (origin: user_start)  completed",
        "└─ spawn → invoice  worker           completed",
        "   └─ spawn → print  worker          dead_lettered",
        "      └─ retry",
    ]
    assert (await told("upstream", "print")).splitlines() == [
        "What print came from",
        "3 runs (2 completed, 1 dead_lettered), 4 edges, $0.0000, 0 tokens",
        "",
        "RUN                          STATUS",
        "print  worker                dead_lettered",
        "├─ spawn ← invoice  worker   completed",
        "│  └─ spawn ← order  worker  completed",
        "│     └─ origin: user_start",
        "└─ retry",
    ]
    rows = (await told("downstream", "invoice", "--format", "table")).splitlines()
    assert rows[0] == "What came of invoice"
    assert [row.split()[2:6] for row in rows[4:6]] == [
        ["spawn", "invoice", "print", "dead_lettered"],
        ["retry", "print", "print", "dead_lettered"],
    ]
    found = json.loads(await told("downstream", "order", "--kinds", "spawn", "--format", "json"))
    assert found["counts"] == {"total_runs": 3, "total_edges": 2, "by_kind": {"spawn": 2}}
    then = json.loads(await told("session", "order", "--at", found["edges"][0]["at"], "--format", "json"))
    assert [edge["kind"] for edge in then["edges"]] == ["user_start", "spawn"]
    compared = (await told("diff", "order", "order")).splitlines()
    assert compared[0] == "order and order"
    assert compared[1].startswith(
        "3 alike, 0 only in A, 0 only in B, 0 statuses changed, cost +$0.0000, tokens +0"
    )
    assert compared[-3].split() == ["order", "order", "completed", "completed", "+0", "ms"]
    assert json.loads(await told("diff", "order", "invoice", "--format", "json"))["only_in_a"] == ["print"]
