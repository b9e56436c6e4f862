"""`relayna status TASK` against a real server: what it says, formats and exit codes."""

from __future__ import annotations

import json

import anyio
import pytest
from cli.command_line import relayna
from observability.kept_histories import keep
from servers import StoreUnderTest

from relayna.streams.redis import RedisLog
from relayna.testing import history


@pytest.fixture
def store(any_store: StoreUnderTest) -> tuple[str, ...]:
    """The options of a store that holds a task waiting for its retry."""

    async def fill() -> None:
        attempt = history("order-7", tick=0.5).published().attempt().fails("TimeoutError", "no answer")
        log = RedisLog(any_store.url, prefix=any_store.prefix)
        await keep(log, attempt.retried(delay_ms=30_000).events)

    anyio.run(fill)
    return ("--redis-url", any_store.url, "--prefix", any_store.prefix)


def test_one_screen_says_where_it_stands(store: tuple[str, ...]) -> None:
    run = relayna("status", "order-7", *store, COLUMNS="80")
    assert run.returncode == 0, run.stderr
    assert run.stdout.decode().splitlines() == [
        "Task      order-7",
        "Status    ↻ retrying since 2026-01-01T00:00:02+00:00",
        "Topology  shared_tasks_shared_status",
        "Started   2026-01-01T00:00:00.500000+00:00",
        "Attempts  1, 1 of them failed; 1 retry",
        "Waits for retry 1, due at 2026-01-01T00:00:32.500000+00:00",
        "Failure   order-7 attempt 1 at 2026-01-01T00:00:00.500000+00:00 (retried):",
        "          TimeoutError: no answer",
        "Evidence  full",
    ]
    assert run.stderr == b""


def test_as_json_it_is_the_answer_of_the_api(store: tuple[str, ...]) -> None:
    run = relayna("status", "order-7", "--format", "json", *store)
    told = json.loads(run.stdout)
    assert (told["task_id"], told["status"], told["state"]) == ("order-7", "retrying", "retrying")
    assert [one["kind"] for one in told["waits_for"]] == ["retry"]


def test_an_unknown_task_exits_with_3(store: tuple[str, ...]) -> None:
    run = relayna("status", "order-8", *store)
    assert run.returncode == 3
    assert b"Nothing is recorded for task 'order-8'" in run.stderr
    assert run.stdout == b""
