"""The diamond: a leads to b and c, and both to d. Real handlers tell of it through a broker, on a clock that they move."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from consumer.bench import SHARED, Bench

from relayna.clock import FrozenClock
from relayna.consumer import RelaynaClient, TaskConsumer, TaskContext, TaskEnvelope
from relayna.projections.trace.profile import ProfileSummary
from relayna.streams import Log, Recorder

__all__ = ["check_diamond", "record_diamond"]

BEGINS = {"a": 0.0, "b": 2.5, "c": 2.2, "d": 9.25}
PARENTS = {"b": "a", "c": "a", "d": "c"}


class Handlers:
    """What each of the four does, and for how long."""

    def __init__(self, clock: FrozenClock) -> None:
        self._clock = clock

    @contextmanager
    def _for(self, seconds: float, context: TaskContext, name: str, **how: Any) -> Iterator[None]:
        with context.span(name, **how):
            yield
            self._clock.advance(seconds)

    async def handle(self, task: TaskEnvelope, context: TaskContext) -> None:
        match task.task_id:
            case "a":
                with self._for(1, context, "load"):
                    pass
                self._clock.advance(0.5)
                self._dump(0.5, context, [])
            case "b":
                with self._for(1.5, context, "gen"):
                    pass
                self._dump(1, context, ["a"])
            case "c":
                with self._for(5.8, context, "gen"):
                    pass
                self._dump(1, context, ["a"])
            case _:
                with self._for(0.25, context, "read", type="network"):
                    pass
                self._clock.advance(0.25)
                self._dump(0.25, context, ["b", "c"])

    def _dump(self, seconds: float, context: TaskContext, sources: list[str]) -> None:
        with self._for(seconds, context, "dump to storage", type="network"):
            context.record_output(sources=sources, payload_bytes=1_000)


async def record_diamond(log: Log) -> None:
    """Have the four tasks published and handled, and everything stored."""
    async with Bench(sink=lambda _: None) as bench:
        recorder = Recorder(log, clock=bench.clock)
        client = RelaynaClient(
            topology=SHARED,
            broker=bench.broker,
            observation_sink=recorder,
            clock=bench.clock,
            mint=bench.mint,
        )
        start = bench.clock.now()
        consumer = TaskConsumer(rabbitmq=client, handler=Handlers(bench.clock).handle, consumer_name="worker")
        async with client, bench.working(consumer):
            for task_id, begins in BEGINS.items():
                bench.clock.advance(begins - (bench.clock.now() - start) / 1_000_000)
                await client.publish_task(task_id, parent_task_id=PARENTS.get(task_id), session_id="a")
                await bench.settled()
            await recorder.durable()


def check_diamond(found: ProfileSummary) -> None:
    """The figures that the diamond has."""
    assert (found.workflow_id, found.data_ids, found.event_count) == ("a", ["a", "b", "c", "d"], 12)
    assert found.e2e_breakdown.workflow_duration_seconds == 10.0
    assert found.e2e_breakdown.total_network_seconds == 3.0
    path = found.critical_path
    assert path is not None
    assert (path.path, path.cycle) == (["a", "c", "d"], False)
    assert (path.critical_path_seconds, path.critical_path_wall_seconds) == (10.0, 10.0)
    assert path.active_wait_breakdown.active_seconds == [2.0, 6.8, 0.75]
    assert path.active_wait_breakdown.wait_seconds == [0.0, 0.2, 0.25]
    assert path.total_network_seconds == 2.0
    queued = [(one.queuing_delay_seconds, one.blocking_parent_data_id) for one in found.per_data_id]
    assert queued == [(0.0, None), (0.5, "a"), (0.2, "a"), (0.25, "c")]
    gen = path.hardware_summary.event_type.index("gen")
    assert (path.hardware_summary.count[gen], path.hardware_summary.total_seconds[gen]) == (1, 5.8)
    dump = path.network_summary.event_type.index("dump to storage")
    assert (path.network_summary.count[dump], path.network_summary.total_seconds[dump]) == (3, 1.75)
    assert [asset.asset_guid for asset in found.assets] == ["a", "b", "c", "d"]
