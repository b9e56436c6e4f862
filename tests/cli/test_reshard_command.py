"""`relayna reshard`: the same graphs under a new prefix, with another number of shards."""

from __future__ import annotations

import anyio
from cli.command_line import relayna
from observability.archive.archive_steps import log_on, record_history
from servers import StoreUnderTest

from relayna.testing import history

OLD = {"RELAYNA_SHARD_COUNT": "4"}
NEW = {"RELAYNA_SHARD_COUNT": "16"}
TASKS = [f"task-{number}" for number in range(40)]


def record(store: StoreUnderTest, *task_ids: str) -> None:
    async def recorded() -> None:
        async with log_on(store) as log:
            for task_id in task_ids:
                await record_history(log, history(task_id).published().attempt().acked().events)

    anyio.run(recorded)


def test_every_graph_is_the_same_under_the_new_prefix(any_store: StoreUnderTest) -> None:
    record(any_store, *TASKS)
    old, new = any_store.prefix, f"{any_store.prefix}:new"
    place = ("--redis-url", any_store.url)
    command = ("reshard", "--shards", "16", "--to-prefix", new, *place, "--prefix", old)

    first = relayna(*command, **OLD)
    assert (first.returncode, b"of 40 tasks added under" in first.stderr) == (0, True), first.stderr
    record(any_store, "straggler")
    second = relayna(*command, **OLD)
    assert (second.returncode, b"frames of 41 tasks added" in second.stderr) == (0, True), second.stderr

    for task_id in (TASKS[0], TASKS[-1], "straggler"):
        graphs = [
            relayna("graph", task_id, "--format", "json", *place, "--prefix", prefix, **shards)
            for prefix, shards in ((old, OLD), (new, NEW))
        ]
        assert [graph.returncode for graph in graphs] == [0, 0]
        assert graphs[0].stdout == graphs[1].stdout
    shards = {key.split("{")[1].split("}")[0] for key in any_store.all_keys() if key.startswith(f"{new}:{{")}
    assert len(shards) > 4
    any_store.admin.delete(f"{new}:shards")


def test_the_same_prefix_and_odd_numbers_are_refused(any_store: StoreUnderTest) -> None:
    place = ("--redis-url", any_store.url, "--prefix", any_store.prefix)
    same = relayna("reshard", "--shards", "16", "--to-prefix", any_store.prefix, *place, **OLD)
    assert (same.returncode, b"name a new one" in same.stderr) == (2, True)
    assert relayna("reshard", "--shards", "0", "--to-prefix", "p", *place, **OLD).returncode == 2
