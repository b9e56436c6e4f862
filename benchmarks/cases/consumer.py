"""What recording costs a worker: messages through the memory broker, recording on against off."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from time import perf_counter
from typing import Final

import anyio

from benchmarks.case import Bench, Case
from benchmarks.figures import Figure
from benchmarks.targets import CONSUMER_OVERHEAD
from benchmarks.workloads import TASK_QUEUE, WORKLOADS
from relayna.consumer import MemoryBroker, RelaynaClient, TaskConsumer, TaskContext, TaskEnvelope
from relayna.streams import MemoryLog, Recorder
from relayna.streams.redis.log import RedisLog

__all__ = ["CONSUMER"]

_PREFETCH: Final = 50


async def _nothing(task: TaskEnvelope, context: TaskContext) -> None:
    """An empty handler."""


def _run(bench: Bench) -> Iterator[Figure]:
    messages = 1_000 if bench.quick else 3_000
    samples: dict[str, list[float]] = {"off": [], "into memory": [], "into the store": []}
    for number in range(bench.rounds + 1):
        taken = {
            "off": anyio.run(_consume, messages, None),
            "into memory": anyio.run(_consume, messages, Recorder(MemoryLog())),
            "into the store": anyio.run(_consume, messages, _into_store(bench)),
        }
        for name, one in taken.items():
            if number:  # the first round warms up
                samples[name].append(one / messages * 1e6)
    for name, micros in samples.items():
        yield Figure(name=f"recording {name}", unit="µs/message", samples=micros)
    for name in ("into memory", "into the store"):
        overhead = [on - off for on, off in zip(samples[name], samples["off"], strict=True)]
        target = CONSUMER_OVERHEAD if name == "into the store" else None
        yield Figure(name=f"recording {name}, overhead", unit="µs/message", samples=overhead, target=target)


def _into_store(bench: Bench) -> Recorder:
    return Recorder(RedisLog(bench.store_url, prefix=bench.fresh_prefix()))


async def _consume(messages: int, recorder: Recorder | None) -> float:
    """Seconds from the consumer's start until every message is settled."""
    broker = MemoryBroker()
    async with RelaynaClient(topology=WORKLOADS[0].topology, broker=broker) as client:
        for number in range(messages):
            await client.publish_task(f"order/{number}", {"number": number})
        consumer = TaskConsumer(
            rabbitmq=client, handler=_nothing, observation_sink=recorder, prefetch=_PREFETCH
        )
        gc.collect()
        async with anyio.create_task_group() as tasks:
            start = perf_counter()
            await tasks.start(consumer.run)
            await broker.wait_until_empty(TASK_QUEUE)
            taken = perf_counter() - start
            consumer.stop()
    return taken


CONSUMER: Final = Case(
    "consumer",
    "A message through a consumer on the memory broker, empty handler, prefetch 50, durable before ack.",
    _run,
)
