"""`relayna list`, `failures`, `stats` and `reindex`, after real workers have run beside an indexer."""

from __future__ import annotations

import json
from typing import Any

import anyio
import pytest
from cli.command_line import relayna
from servers import StoreUnderTest

from relayna.cli.demo.scenarios import play_all
from relayna.cli.demo.venue import MemoryVenue
from relayna.observability.graph_service import ExecutionGraphService
from relayna.observability.read_models import Indexer, ReadModelProgress, read_models_beside
from relayna.streams import DEFAULT_TENANT
from relayna.streams.redis import RedisLog


def place(store: StoreUnderTest) -> tuple[str, ...]:
    return ("--redis-url", store.url, "--prefix", store.prefix)


def play(store: StoreUnderTest, *, indexed: bool = True) -> None:
    """Play the demonstration through real consumers; an indexer runs beside them."""

    async def played() -> None:
        async with RedisLog(store.url, prefix=store.prefix) as log, anyio.create_task_group() as tasks:
            models = read_models_beside(log)
            if indexed:
                tasks.start_soon(Indexer(log=log, read_models=models).run)
            await play_all(MemoryVenue(), log, DEFAULT_TENANT, ExecutionGraphService(log=log))
            progress = ReadModelProgress(log=log, read_models=models, held_seconds=0)
            with anyio.fail_after(60):
                while indexed and (await progress.as_of()).lag_ms != 0:  # noqa: ASYNC110 - Redis rings no bell
                    await anyio.sleep(0.02)
            tasks.cancel_scope.cancel()

    anyio.run(played)


def told(*arguments: str) -> Any:
    """The JSON of a command that must succeed and have nothing to say beside it."""
    run = relayna(*arguments, "--format", "json")
    assert (run.returncode, run.stderr) == (0, b""), run.stderr
    return json.loads(run.stdout)


def test_what_workers_did_is_listed(any_store: StoreUnderTest) -> None:
    play(any_store)
    where = place(any_store)
    every = told("list", "--limit", "200", *where)["executions"]
    assert {"invoice-1041", "photo-7", "order-77"} <= {one["task_id"] for one in every}
    assert len(every) > 40
    (order,) = told("list", "--stage", "charge", *where)["executions"]
    assert (order["task_id"], order["attempts"], order["status"]) == ("order-77", 6, "completed")

    table = relayna("list", "--limit", "5", *where)
    assert table.returncode == 0
    head, *rows = table.stdout.decode().splitlines()
    assert head.split() == ["TASK", "STATUS", "TYPE", "STARTED", "TOOK", "TRIES"]
    assert len(rows) == 5
    assert max(map(len, (head, *rows))) <= 80
    assert b"--cursor " in table.stderr
    cursor = table.stderr.split(b"--cursor ")[1].split()[0].decode()
    rest = told("list", "--limit", "200", "--cursor", cursor, *where)["executions"]
    assert len(rest) == len(every) - 5
    wrong = relayna("list", "--status", "failed", "--cursor", cursor, *where)
    assert (wrong.returncode, b"another question" in wrong.stderr) == (2, True)
    nothing = relayna("list", "--status", "unheard-of", *where)
    assert (nothing.returncode, nothing.stdout) == (0, b"")
    assert b"there is no such task" in nothing.stderr

    failures = told("failures", *where)["failures"]
    assert {one["exception_type"] for one in failures} >= {"ConnectionResetError"}
    table = relayna("failures", *where)
    lines = table.stdout.decode().splitlines()
    assert (len(lines), lines[0].split()[0]) == (len(failures) + 1, "TIME")
    assert max(map(len, lines)) <= 80
    assert told("failures", "--exception", "NoSuchError", *where)["failures"] == []

    statistics = told("stats", *where)
    assert statistics["total"]["attempts"] == sum(one["attempts"] for one in every)
    assert {one["name"] for one in statistics["stages"]} == {"validate", "charge", "pack", "ship"}
    table = relayna("stats", "--days", "2", *where)
    text = table.stdout.decode()
    assert [line.split()[0] for line in text.splitlines() if "TRIES" in line] == ["QUEUE", "STAGE", "HANDLER"]
    assert max(map(len, text.splitlines())) <= 80

    dry = relayna("reindex", "--dry-run", *where)
    assert (dry.returncode, dry.stdout) == (0, b"")
    assert dry.stderr == f"relayna: {len(every)} tasks have a stream; nothing was changed\n".encode()
    anew = relayna("reindex", *where)
    assert anew.returncode == 0
    assert anew.stderr == f"relayna: {len(every)} tasks folded anew in 64 shards\n".encode()
    again = told("list", "--limit", "200", *where)["executions"]
    assert again == every
    assert told("stats", *where)["total"] == statistics["total"]


def test_without_an_indexer_it_is_said_what_to_do(any_store: StoreUnderTest) -> None:
    play(any_store, indexed=False)
    run = relayna("list", *place(any_store))
    assert (run.returncode, run.stdout) == (0, b"")
    assert b"`relayna reindex` makes them anew" in run.stderr
    assert relayna("reindex", *place(any_store)).returncode == 0
    assert len(relayna("list", *place(any_store)).stdout.splitlines()) > 40


@pytest.mark.parametrize("command", ["stats", "reindex"])
def test_a_store_that_does_not_answer_is_told(command: str) -> None:
    assert relayna(command, "--redis-url", "redis://127.0.0.1:1/0").returncode == 4


@pytest.mark.parametrize(
    "arguments",
    [
        ("list", "--since", "noon"),
        ("stats", "--days", "0"),
    ],
)
def test_usage_errors_exit_with_2(arguments: tuple[str, ...]) -> None:
    assert relayna(*arguments, "--redis-url", "redis://127.0.0.1:1/0").returncode == 2
