"""`relayna graph TASK` against a real server: formats, exit codes, any task id."""

from __future__ import annotations

import json
from collections.abc import Iterable

import anyio
import pytest
from cli.command_line import relayna
from servers import StoreUnderTest

from relayna.observability import RedisStatusStore
from relayna.streams.redis import RedisLog

HOSTILE_IDS = [
    "a/b",
    "..",
    ".",
    "{x}",
    "}",
    "two\nlines",
    "🧵",
    "x" * 500,
    "T:1",
    "T",
    "1",
    "a%2Fb",
    "-dash",
    "--",
    " ",
]


def add_statuses(store: StoreUnderTest, task_ids: Iterable[str]) -> None:
    async def add() -> None:
        async with RedisStatusStore(store.url, prefix=store.prefix) as statuses:
            for task_id in task_ids:
                await statuses.add_status(task_id, "processing", message=f"of {len(task_id)}")

    anyio.run(add)


def arguments(store: StoreUnderTest) -> tuple[str, ...]:
    return ("--redis-url", store.url, "--prefix", store.prefix)


def test_every_task_id_round_trips_without_collision(any_store: StoreUnderTest) -> None:
    add_statuses(any_store, HOSTILE_IDS)
    for task_id in HOSTILE_IDS:
        run = relayna("graph", "--format", "json", *arguments(any_store), "--", task_id)
        assert run.returncode == 0, run.stderr
        graph = json.loads(run.stdout)
        assert graph["task_id"] == task_id
        assert [node["label"] for node in graph["nodes"]] == [task_id, "processing"]


@pytest.mark.parametrize("style", ["tree", "table", "mermaid", "dot"])
def test_each_format_says_the_status_without_colour_in_a_pipe(any_store: StoreUnderTest, style: str) -> None:
    add_statuses(any_store, ["T"])
    run = relayna("graph", "T", "--format", style, *arguments(any_store))
    assert run.returncode == 0
    assert b"processing" in run.stdout
    assert b"\x1b" not in run.stdout
    assert run.stderr == b""


def test_a_part_is_drawn_and_says_what_it_leaves_out(any_store: StoreUnderTest) -> None:
    add_statuses(any_store, ["T", "T", "T"])
    question = ("graph", "T", "--format", "json", *arguments(any_store))
    whole = json.loads(relayna(*question).stdout)
    for part in (("--view", "causal"), ("--collapse", "statuses", "--collapse", "attempts")):
        run = relayna(*question, *part)
        assert run.returncode == 0, run.stderr
        graph = json.loads(run.stdout)
        assert graph["annotations"]["hidden_nodes"] == len(whole["nodes"]) - len(graph["nodes"]) > 0
    assert (
        b"view causal: 3 more nodes are not shown"
        in relayna("graph", "T", "--view", "causal", *arguments(any_store)).stdout
    )


def test_as_of_is_what_was_known_then(any_store: StoreUnderTest) -> None:
    add_statuses(any_store, ["T"])
    run = relayna("graph", "T", "--as-of", "2001-01-01T00:00:00Z", "--format", "json", *arguments(any_store))
    assert [node["kind"] for node in json.loads(run.stdout)["nodes"]] == ["task"]


def test_an_unknown_task_exits_with_3(any_store: StoreUnderTest) -> None:
    add_statuses(any_store, ["T"])
    run = relayna("graph", "U", *arguments(any_store))
    assert run.returncode == 3
    assert b"Nothing is recorded for task 'U'" in run.stderr
    assert run.stdout == b""


def test_a_partial_graph_exits_with_5_when_a_full_one_is_required(any_store: StoreUnderTest) -> None:
    add_statuses(any_store, ["T"])
    assert relayna("graph", "T", *arguments(any_store)).returncode == 0
    run = relayna("graph", "T", "--require-full", "--format", "json", *arguments(any_store))
    assert run.returncode == 5
    assert b"no_observations" in run.stderr
    assert json.loads(run.stdout)["summary"]["graph_completeness"] == "partial"


@pytest.mark.parametrize(
    "wrong",
    [
        ("--at", "yesterday"),
        ("--depth", "-1"),
        ("--max-nodes", "0"),
        ("--as-of", "then"),
        ("--view", "all"),
        ("--collapse", "all"),
    ],
)
def test_a_meaningless_question_exits_with_2(any_store: StoreUnderTest, wrong: tuple[str, str]) -> None:
    run = relayna("graph", "T", *wrong, *arguments(any_store))
    assert run.returncode == 2
    assert wrong[0].removeprefix("--").replace("-", "_").encode() in run.stderr


def test_another_shard_count_is_explained(any_store: StoreUnderTest) -> None:
    async def lay_out() -> None:
        async with RedisLog(any_store.url, prefix=any_store.prefix, shard_count=8):
            pass

    anyio.run(lay_out)
    run = relayna("graph", "T", *arguments(any_store))
    assert run.returncode == 2
    assert b"laid out over 8 shards" in run.stderr
