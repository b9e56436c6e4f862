"""`relayna messages`: what its tables and its JSON say, and its exit codes."""

from __future__ import annotations

import json
from functools import partial

import anyio
import pytest
from cli.in_process import Ran, relayna_here
from msgspec.structs import replace
from observability.kept_histories import keep
from observability.read_models.indexed_world import server_world
from projections.messages.session_x import rows_by_task, session_x
from servers import StoreUnderTest

from relayna.cli.message_output import write_chain, write_messages
from relayna.cli.message_tree import message_lines
from relayna.observability.message_told import ChainTold, chain_told, messages_told
from relayna.projections.messages.message_chain import chain_of
from relayna.streams.redis import RedisLog
from relayna.testing import history

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


def test_messages_are_listed(kept: StoreUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
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


def test_a_chain_is_a_tree_and_marks_the_message(
    kept: StoreUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    rows = ran(kept, "chain", IDS["L2c"], "--session", "X").stdout.decode().splitlines()[1:]
    assert rows[0].split()[1:3] == ["L1", "r1"]
    assert rows[1].startswith("└─ ")
    assert " * " in rows[1]
    assert rows[1].endswith("KeyError: 'id'")
    told = json.loads(ran(kept, "chain", IDS["L2c"], "--format", "json").stdout)
    assert ([one["task_id"] for one in told["ancestors"]], told["descendants"]) == (["L1"], [])


def test_in_a_chain_each_stands_below_its_own_parent(kept: StoreUnderTest) -> None:
    rows = ran(kept, "chain", IDS["L1"], "--session", "X").stdout.decode().splitlines()[1:]
    drawn = [(row[: len(row) - len(row.lstrip("│├└─ "))], row.lstrip("│├└─ ").split()[0]) for row in rows]
    assert drawn == [
        ("", IDS["L1"]), ("├─ ", IDS["L2a"]), ("│  └─ ", IDS["L3a"]), ("├─ ", IDS["L2b"]), ("│  └─ ", IDS["L3b"]),
        ("└─ ", IDS["L2c"]),
    ]  # fmt: skip


@pytest.mark.parametrize("columns", ["80", None])
def test_ids_are_cut_once_on_a_terminal_and_whole_in_a_pipe(
    any_store: StoreUnderTest, columns: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    task_id = "dd2c0123456789abcdef0123456766be"

    async def fill() -> None:
        async with RedisLog(any_store.url, prefix=any_store.prefix) as log:
            await keep(log, history(task_id).published().attempt().fails("KeyError", "x" * 90).events)

    anyio.run(fill)
    monkeypatch.delenv("COLUMNS", raising=False)
    if columns is not None:
        monkeypatch.setenv("COLUMNS", columns)
    [listed] = ran(any_store, "list", "--session", task_id).stdout.decode().splitlines()[1:]
    message_id, shown = listed.split()[:2]
    assert shown == (task_id if columns is None else "dd2c…66be")
    [drawn] = ran(any_store, "chain", message_id, "--task", task_id).stdout.decode().splitlines()[1:]
    assert drawn.split()[:3] == [message_id, "*", shown]
    assert (len(drawn) <= 80) == (columns is not None)


def test_messages_in_a_circle_are_drawn_once() -> None:
    [one, *_] = messages_told(rows_by_task(X).values())
    first, second = replace(one, id="a", parent_id="b"), replace(one, id="b", parent_id="a")
    told = ChainTold(message=first, ancestors=[second], descendants=[second])
    assert [(guides, one.id) for guides, one in message_lines(told)] == [("", "b"), ("└─ ", "a")]


def test_how_messages_stand_is_coloured_where_wanted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("relayna.cli.painting.has_colours", lambda: True)
    monkeypatch.setattr("click.utils.should_strip_ansi", lambda *_: False)
    rows = list(rows_by_task(X).values())
    chain = chain_of(rows, IDS["L2c"])
    assert chain is not None
    write_chain(chain_told(chain, []))
    assert "\x1b[31mfailed\x1b[0m" in capsys.readouterr().out
    write_messages(messages_told(rows))
    assert "\x1b[32mcompleted\x1b[0m" in capsys.readouterr().out


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
    assert (none.code, none.stdout, none.stderr) == (
        0,
        b"",
        "relayna: nothing was published in its handling\n",
    )
    unfit = ran(kept, "list", "--session", "X", "--route", "r9")
    assert (unfit.code, unfit.stdout, unfit.stderr) == (0, b"", "relayna: no message fits\n")
    for words in (("show", "nobody"), ("chain", "nobody", "--session", "X"), ("list", "--session", "nobody")):
        told = ran(kept, *words)
        assert (told.code, told.stdout) == (3, b"")
        assert "Nothing is recorded" in told.stderr
    assert ran(kept, "list", "--since", "soon").code == 2


def test_without_lists_it_says_how_to_have_them(any_store: StoreUnderTest) -> None:
    async def fill() -> None:
        async with RedisLog(any_store.url, prefix=any_store.prefix) as log:
            await keep(log, history("order-7").published().attempt().acked().events)

    anyio.run(fill)
    for words, code, said in (
        (("list",), 0, "no message fits"),
        (("stats",), 0, "no message fits"),
        (("failures",), 0, "no message failed"),
        (("show", "zzzz"), 3, "Name its session"),
    ):
        told = ran(any_store, *words)
        assert (told.code, told.stdout) == (code, b"")
        assert said in told.stderr
        assert "`relayna serve` keeps lists up, and `relayna reindex` makes them anew" in told.stderr
    named = ran(any_store, "show", "zzzz", "--session", "order-7")
    assert named.code == 3
    assert "Name its session" not in named.stderr
    assert "relayna serve" not in named.stderr
    named = ran(any_store, "failures", "--session", "order-7")
    assert (named.code, named.stderr) == (0, "relayna: no message failed\n")


def test_names_cannot_act_on_the_terminal(any_store: StoreUnderTest) -> None:
    async def fill() -> None:
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
