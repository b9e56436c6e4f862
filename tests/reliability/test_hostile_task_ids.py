"""T33: task ids of every kind have streams of their own, in one Cluster slot each, and graphs that name them."""

from __future__ import annotations

import random

import msgspec
import pytest
from cluster_servers import ClusterUnderTest
from redis.crc import key_slot
from reliability.hostile_ids import hostile_task_ids, is_storable
from reliability.oracle import stored_events, tasks_in_feeds
from reliability.producing import FEWEST_EVENTS, tell_of
from reliability.report import Findings, ReliabilityReport
from reliability.sizes import sized
from servers import StoreUnderTest

from relayna.errors import InvalidQuery
from relayna.ids import TaskId
from relayna.observability import ExecutionGraphService
from relayna.projections.graph import ExecutionGraph
from relayna.streams import (
    Append,
    Durability,
    KeyGrammar,
    Recorder,
    StreamRange,
    TaskAddress,
    checked_task_id,
)
from relayna.streams.log import Appended
from relayna.streams.redis.log import RedisLog

pytestmark = [pytest.mark.anyio, pytest.mark.fault, pytest.mark.cluster]

AT_ONCE = 500
SAMPLE = 200


def made_up(count: int) -> list[str]:
    seed = 33
    print(f"seed {seed}")
    return hostile_task_ids(count, random.Random(seed))


def test_there_is_one_of_each_kind() -> None:
    task_ids = made_up(500)
    assert len(set(task_ids)) == len(task_ids) == 500
    assert {"", "}x", "%", "~", "\n", "\0", "\u202e", "e\u0301", "\u00e9", "a", "A", "01", "\ud800"} <= {
        *task_ids
    }
    assert max(map(len, task_ids)) > 10_000
    assert 0 < sum(not is_storable(task_id) for task_id in task_ids) < 100


@sized(task_ids=5_000)
def test_hostile_ids_have_keys_of_their_own_in_one_slot(
    task_ids: int, cluster: ClusterUnderTest, reliability: ReliabilityReport
) -> None:
    """T33: as the grammar spells them, and as a cluster places them."""
    grammar = KeyGrammar("relayna", 64)
    addresses = [TaskAddress(TaskId(task_id)) for task_id in made_up(task_ids)]
    keys = {address: grammar.events(address) for address in addresses}
    assert all(key.isascii() and key.isprintable() for key in keys.values())
    split = misread = 0
    for address, key in keys.items():
        shard = grammar.shard_of(address)
        slots = {key_slot(one.encode()) for one in (key, grammar.feed(shard), grammar.sealing(shard))}
        split += slots != {key_slot(str(shard).encode())}
        misread += grammar.address_in(key) not in (address, None)
    for key in [*keys.values()][:: max(1, len(keys) // SAMPLE)]:
        split += cluster.nodes[0].admin.execute_command("CLUSTER KEYSLOT", key) != key_slot(key.encode())
    collisions = len(keys) - len(set(keys.values()))
    assert collisions == split == misread == 0
    reliability.add(
        "T33 hostile keys", Findings(bad_inputs=len(keys), unexpected=collisions + split + misread)
    )


@sized(task_ids=5_000)
async def test_hostile_ids_have_streams_and_graphs_of_their_own(
    task_ids: int, cluster_store: StoreUnderTest, reliability: ReliabilityReport
) -> None:
    """T33: each stream holds its own task's events, and the graph names that task exactly."""
    tasks = [task_id for task_id in made_up(task_ids) if is_storable(task_id)]
    log = RedisLog(cluster_store.url, prefix=cluster_store.prefix)
    recorder = Recorder(log)
    intended: dict[str, list[str]] = {}
    async with log, recorder:
        for first in range(0, len(tasks), AT_ONCE):
            for task_id in tasks[first : first + AT_ONCE]:
                told = tell_of(task_id, FEWEST_EVENTS, producer=recorder.producer)
                intended[task_id] = [event.envelope.event_id for event in told]
                for event in told:
                    recorder.record(event)
            assert await recorder.durable(budget_seconds=60) is Durability.STORED
        service = ExecutionGraphService(log=log)
        events = lost = unexpected = 0
        for task_id, wanted in intended.items():
            stored = [event.envelope.event_id for event in await stored_events(log, task_id)]
            events += len(stored)
            lost += len({*wanted} - {*stored})
            unexpected += stored != wanted
            unexpected += not names_exactly(await service.get_graph(task_id), task_id)
        unexpected += await tasks_in_feeds(log) != {*tasks}
    streams = sum(key.endswith(":events") for key in cluster_store.all_keys())
    assert streams == len(tasks)
    reliability.add(
        "T33 hostile ids",
        Findings(tasks=len(tasks), events=events, bad_inputs=len(tasks), lost=lost, unexpected=unexpected),
    )


def names_exactly(graph: ExecutionGraph, task_id: str) -> bool:
    """Whether the graph, as an answer spells it, is of this very task: complete, and nobody else's."""
    answer = msgspec.json.decode(msgspec.json.encode(graph))
    [root] = [node for node in answer["nodes"] if node["kind"] == "task"]
    attempts = [node for node in answer["nodes"] if node["kind"] == "task_attempt"]
    return (
        answer["task_id"] == root["task_id"] == root["label"] == task_id
        and root["id"] == f"task:{task_id.replace('%', '%25').replace(':', '%3A')}"
        and {node["task_id"] for node in answer["nodes"]} == {task_id}
        and len(attempts) == 1
        and answer["summary"]["graph_completeness"] == "full"
    )


@sized(task_ids=5_000)
async def test_ids_with_half_characters_are_refused_or_kept_apart(
    task_ids: int, cluster_store: StoreUnderTest, reliability: ReliabilityReport
) -> None:
    """T33: no producer and no reader takes lone surrogates; the log, which any id may reach, mixes none up."""
    halves = [task_id for task_id in made_up(task_ids) if not is_storable(task_id)]
    frames = {TaskAddress(TaskId(task_id)): b"%d" % number for number, task_id in enumerate(halves)}
    async with RedisLog(cluster_store.url, prefix=cluster_store.prefix) as log:
        for task_id in halves:
            with pytest.raises(InvalidQuery, match="lone surrogate"):
                checked_task_id(task_id)
            with pytest.raises(InvalidQuery, match="lone surrogate"):
                await ExecutionGraphService(log=log).get_graph(task_id)
        results = await log.append([Append(address, frame) for address, frame in frames.items()])
        pages = await log.read([StreamRange(address=address) for address in frames])
    lost = sum(not isinstance(result, Appended) for result in results)
    found = {page.address: [entry.payload for entry in page.entries] for page in pages}
    unexpected = sum(found[address] != [frame] for address, frame in frames.items())
    reliability.add("T33 half characters", Findings(bad_inputs=len(halves), lost=lost, unexpected=unexpected))
