"""`relayna messages`: what its tables and its JSON say, and its exit codes."""

from __future__ import annotations

import json
from functools import partial

import anyio
import pytest
from cli.in_process import Ran, relayna_here
from observability.kept_histories import keep
from observability.read_models.indexed_world import server_world
from projections.messages.session_x import rows_by_task, session_x
from servers import StoreUnderTest

from relayna.cli.message_output import write_chain
from relayna.observability.message_told import ChainTold, message_told
from relayna.projections.messages.message_row import MessageRow
from relayna.streams.redis import RedisLog

X = session_x()[-1]
IDS = {name: row.id for name, row in rows_by_task(X).items()}


@pytest.fixture
def kept(any_store: StoreUnderTest) -> StoreUnderTest:
    """A store that holds session X, whose id is no task's, indexed."""

    async def fill() -> None:
        async with RedisLog(any_store.url, prefix=any_store.prefix) as log:
            await keep(log, X)
            await server_world(log).indexer().catch_up()

    anyio.run(fill)
    return any_store


def ran(store: StoreUnderTest, *words: str) -> Ran:
    return relayna_here("messages", *words, "--redis-url", store.url, "--prefix", store.prefix)


def test_messages_are_listed(kept: StoreUnderTest) -> None:
    told = ran(kept, "list", "--session", "X", "--oldest-first", "--limit", "4")
    head, *rows = told.stdout.decode().splitlines()
    assert head.split() == ["MESSAGE", "TASK", "ROUTE", "HANDLER", "STATUS", "TRIES", "STARTED"]
    assert [row.split()[1:6] for row in rows] == [
        ["L1", "r1", "a1", "completed", "1"],
        ["L2a", "r1", "a2", "completed", "1"],
        ["L2b", "r1", "a2", "completed", "1"],
        ["L2c", "r1", "a2", "failed", "2"],
    ]
    assert max(map(len, [head, *rows])) <= 80
    cursor = told.stderr.rpartition("--cursor ")[2].strip()
    rest = ran(kept, "list", "--session", "X", "--oldest-first", "--cursor", cursor)
    assert [row.split()[1] for row in rest.stdout.decode().splitlines()[1:]] == ["L3a", "L3b"]


@pytest.mark.parametrize(
    "options", [("--roots",), ("--handler", "a1"), ("--until", "2026-01-01T00:00:00.004Z")]
)
def test_lists_are_filtered(kept: StoreUnderTest, options: tuple[str, ...]) -> None:
    [found] = json.loads(ran(kept, "list", *options, "--format", "json").stdout)["messages"]
    assert found["task_id"] == "L1"


def test_a_chain_is_indented_and_marks_the_message(kept: StoreUnderTest) -> None:
    rows = ran(kept, "chain", IDS["L2c"], "--session", "X").stdout.decode().splitlines()[1:]
    assert rows[0].split()[1:3] == ["L1", "r1"]
    assert rows[1].startswith("  ")
    assert " * " in rows[1]
    assert rows[1].endswith("KeyError: 'id'")
    told = json.loads(ran(kept, "chain", IDS["L2c"], "--format", "json").stdout)
    assert ([one["task_id"] for one in told["ancestors"]], told["descendants"]) == (["L1"], [])


def test_each_message_of_a_chain_stands_below_whom_it_came_from(kept: StoreUnderTest) -> None:
    rows = ran(kept, "chain", IDS["L1"], "--session", "X").stdout.decode().splitlines()[1:]
    drawn = [(len(row) - len(row.lstrip()), row.replace("*", " ").split()[1]) for row in rows]
    assert drawn == [(0, "L1"), (2, "L2a"), (4, "L3a"), (2, "L2b"), (4, "L3b"), (2, "L2c")]


def test_a_chain_of_any_depth_has_lines_of_some_width(capsys: pytest.CaptureFixture[str]) -> None:
    told = [
        message_told(
            MessageRow(
                id=f"m{number}", session_id="s", task_id="t", route="r", handler="h", status="completed", attempts=1,
                parent_id=f"m{number - 1}" if number else None,
            )
        )
        for number in range(3_000)
    ]  # fmt: skip
    write_chain(ChainTold(message=told[-1], ancestors=told[-2::-1], descendants=[]))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3_001
    assert max(map(len, lines)) < 120


def test_children_failures_and_stats(kept: StoreUnderTest) -> None:
    children = ran(kept, "children", IDS["L1"], "--task", "L1").stdout.decode().splitlines()[1:]
    assert [row.split()[1] for row in children] == ["L2a", "L2b", "L2c"]
    failures = ran(kept, "failures").stdout.decode().splitlines()
    assert failures[0].endswith("ERROR")
    assert failures[1].endswith("KeyError: 'id'")
    assert [row.split() for row in ran(kept, "stats", "--session", "X").stdout.decode().splitlines()] == [
        ["ROUTE", "HANDLER", "COUNT", "COMPLETED", "FAILED", "PENDING", "CANCELLED"],
        ["r1", "a1", "1", "1", "0", "0", "0"],
        ["r1", "a2", "3", "2", "1", "0", "0"],
        ["r1", "a3", "2", "2", "0", "0", "0"],
    ]


def test_one_is_shown_in_full(kept: StoreUnderTest) -> None:
    told = ran(kept, "show", IDS["L2c"], "--session", "X").stdout.decode()
    assert f"message           {IDS['L2c']}\n" in told
    assert "error             KeyError: 'id'\n" in told
    assert "parent            " + IDS["L1"] in told


def test_nothing_found_is_no_error_and_nobody_is(kept: StoreUnderTest) -> None:
    none = ran(kept, "children", IDS["L3a"], "--session", "X")
    assert (none.code, none.stdout, none.stderr) == (0, b"", "relayna: there is no such message\n")
    for words in (("show", "nobody"), ("chain", "nobody", "--session", "X"), ("list", "--session", "nobody")):
        told = ran(kept, *words)
        assert (told.code, told.stdout) == (3, b"")
        assert "Nothing is recorded" in told.stderr
    assert ran(kept, "list", "--since", "soon").code == 2


def test_names_cannot_act_on_the_terminal(any_store: StoreUnderTest) -> None:
    async def fill() -> None:
        from relayna.testing import history

        async with RedisLog(any_store.url, prefix=any_store.prefix) as log:
            attempt = history("a\x1b[31m").published().attempt().fails("Bad\x07", "\x1b]0;owned")
            await keep(log, attempt.dead_lettered().events)

    anyio.run(fill)
    list_, show = partial(ran, any_store, "list", "--session"), partial(ran, any_store, "show")
    listed = list_("a\x1b[31m")
    message_id = listed.stdout.decode().splitlines()[1].split()[0]
    for told in (
        listed,
        show(message_id, "--task", "a\x1b[31m"),
        ran(any_store, "failures", "--session", "a\x1b[31m"),
    ):
        assert told.code == 0
        assert not {b"\x1b", b"\x07"} & {bytes([byte]) for byte in told.stdout}
