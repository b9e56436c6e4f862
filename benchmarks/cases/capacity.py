"""How much one process and one server carry: the processor time that an event and a graph take of each of them.

Processor time, and not time by the clock: with a processor each, so many a second keep it busy. Tasks are recorded,
1,000 at a time, then indexed for lists and statistics, then read; each round under a prefix of its own.
"""

from __future__ import annotations

import gc
from collections.abc import Awaitable, Callable, Iterator
from itertools import chain, zip_longest
from time import process_time
from typing import Final

import anyio
import anyio.lowlevel
import redis
from msgspec import Struct

from benchmarks.case import Bench, Case
from benchmarks.figures import Figure
from benchmarks.sessions import MadeRun, events_of, tree
from relayna.events import Event
from relayna.observability.graph_service import ExecutionGraphService
from relayna.observability.read_models import Indexer, read_models_beside
from relayna.projections.graph import encode_graph
from relayna.streams import Durability, Recorder
from relayna.streams.redis import RedisLog

__all__ = ["CAPACITY"]

_TASKS: Final = 1_000
_GRAPHS: Final = 200
_AT_ONCE: Final = 100
_HELD: Final = 5_000
"""Half the recorder's bound."""


class _Cost(Struct, frozen=True):
    """Microseconds of processors, for each of what was done."""

    ours: float
    store: float


def _run(bench: Bench) -> Iterator[Figure]:
    runs = tree(_TASKS // 4 if bench.quick else _TASKS, abreast=3)
    rounds = [anyio.run(_round, bench, runs) for _ in range(bench.rounds + 1)][1:]  # the first one warms up
    for name, unit, of_us in (
        ("an event recorded", "µs/event", "the worker"),
        ("an event indexed", "µs/event", "the service"),
        ("a graph of 6 events read", "µs/graph", "the service"),
    ):
        costs = [one[name] for one in rounds]
        yield Figure(name=f"{name}, of {of_us}", unit=unit, samples=[cost.ours for cost in costs])
        yield Figure(name=f"{name}, of the store", unit=unit, samples=[cost.store for cost in costs])


async def _round(bench: Bench, runs: list[MadeRun]) -> dict[str, _Cost]:
    events = [
        Event(envelope=event.envelope, body=event.body)
        for event in chain.from_iterable(zip_longest(*map(events_of, runs)))
        if event is not None
    ]
    with redis.Redis.from_url(bench.store_url) as store:
        async with RedisLog(bench.store_url, prefix=bench.fresh_prefix()) as log:
            service = ExecutionGraphService(log=log)
            indexer = Indexer(log=log, read_models=read_models_beside(log))

            async def read() -> None:
                for run in runs[:_GRAPHS]:
                    encode_graph(await service.get_graph(run.task_id, depth=0))

            recorded = await _cost(store, len(events), lambda: _record(log, events))
            indexed = await _cost(store, len(events), indexer.catch_up)
            graphs = await _cost(store, len(runs[:_GRAPHS]), read)
    return {"an event recorded": recorded, "an event indexed": indexed, "a graph of 6 events read": graphs}


async def _cost(store: redis.Redis, count: int, work: Callable[[], Awaitable[object]]) -> _Cost:
    gc.collect()
    of_store, ours = _processor_seconds(store), process_time()
    await work()
    taken = process_time() - ours
    return _Cost(taken / count * 1e6, (_processor_seconds(store) - of_store) / count * 1e6)


async def _record(log: RedisLog, events: list[Event]) -> None:
    async with Recorder(log) as recorder:
        for start in range(0, len(events), _AT_ONCE):
            for event in events[start : start + _AT_ONCE]:
                recorder.record(event, topology_kind="shared_tasks_shared_status")
            await anyio.lowlevel.checkpoint()
            if recorder.buffered_events > _HELD:
                await recorder.durable(budget_seconds=60)
        if await recorder.durable(budget_seconds=60) is not Durability.STORED:
            raise RuntimeError("The recorder did not store everything within a minute.")


def _processor_seconds(store: redis.Redis) -> float:
    told = store.info("cpu")
    return float(told["used_cpu_user"] + told["used_cpu_sys"])


CAPACITY: Final = Case(
    "capacity",
    "Processor time of worker, service and store: a million µs, divided by it, is what one of each carries in a second.",
    _run,
)
