"""The read path of families, and of tasks among others: what is counted on the wire, and what must not matter."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import anyio

from benchmarks.asking import asked
from benchmarks.case import Bench
from benchmarks.figures import Figure, Target
from benchmarks.histories import History, record_history
from benchmarks.measuring import interleaved_async
from benchmarks.round_trips import counted_store
from benchmarks.stored import graph_path, reading_app, store_history
from benchmarks.targets import (
    FLAT_BESIDE_DEAD_LETTERS,
    GRAPH_BESIDE_EARLIER_FAMILY,
    ROUND_TRIPS_OF_A_FAMILY,
    ROUND_TRIPS_OF_A_TASK,
)
from benchmarks.workloads import TASK_ID, WORKLOADS
from relayna.events import DeadLetterRecorded, Envelope, Event, encode_event, encode_frame
from relayna.ids import EventId, TaskId
from relayna.instants import Instant
from relayna.streams import Append, TaskAddress
from relayna.streams.redis.log import RedisLog

__all__ = ["family_figures"]

_OTHERS: Final = 5_000
_EARLIER_SECONDS: Final = 1.9
"""100 children beside 1,000 dead letters of others, as recorded of the earlier implementation; not run here."""


def family_figures(bench: Bench) -> Iterator[Figure]:
    """100 children; a task alone and among 5,000 dead letters of others; round trips."""
    family = record_history(WORKLOADS[2], 1)  # one batch: each of 20 messages has 5 children
    children = len({frame.append.address for frame in family.frames}) - 1
    samples = anyio.run(_measure, bench, family)
    name = f"{children} children"
    yield Figure(name=name, unit="ms", samples=[one * 1e3 for one in samples["family"]])
    faster = [_EARLIER_SECONDS / one for one in samples["family among others"]]
    yield Figure(
        name=f"{name} among dead letters of others, faster than the earlier implementation", unit="x",
        samples=faster, target=GRAPH_BESIDE_EARLIER_FAMILY, note="whose 1.9 s are recorded, not run here",
    )  # fmt: skip
    for subject in ("task", "family"):
        pairs = zip(samples[f"{subject} among others"], samples[subject], strict=True)
        name = f"{subject} among {_OTHERS:,} dead letters of others, beside alone"
        ratios = [among / alone for among, alone in pairs]
        yield Figure(name=name, unit="x", samples=ratios, target=FLAT_BESIDE_DEAD_LETTERS)
    targets: dict[str, Target] = {"task": ROUND_TRIPS_OF_A_TASK, "family": ROUND_TRIPS_OF_A_FAMILY}
    for subject, count in anyio.run(_round_trips, bench, family).items():
        yield Figure(name=f"{subject}, round trips", unit="", samples=[count], target=targets[subject])


async def _measure(bench: Bench, family: History) -> dict[str, list[float]]:
    async with (
        RedisLog(bench.store_url, prefix=bench.fresh_prefix()) as quiet,
        RedisLog(bench.store_url, prefix=bench.fresh_prefix()) as crowded,
    ):
        await store_history(crowded, _dead_letters(_OTHERS))
        for log in (quiet, crowded):
            await store_history(log, [frame.append for frame in family.frames])
        apps = {"": reading_app(quiet), " among others": reading_app(crowded)}
        works = {
            f"{subject}{where}": lambda app=app, path=path: asked(app, path)
            for subject, path in (("task", graph_path(_child(family))), ("family", graph_path(TASK_ID)))
            for where, app in apps.items()
        }
        return await interleaved_async(works, rounds=2 * bench.rounds, times=10)


async def _round_trips(bench: Bench, family: History) -> dict[str, float]:
    prefix = bench.fresh_prefix()
    async with RedisLog(bench.store_url, prefix=prefix) as log:
        await store_history(log, [frame.append for frame in family.frames])
    counted: dict[str, float] = {}
    async with counted_store(bench.store_url) as trips, RedisLog(trips.url, prefix=prefix) as log:
        app = reading_app(log)
        await asked(app, graph_path(TASK_ID))  # connections are made and greeted
        for subject, task_id in (("task", _child(family)), ("family", TASK_ID)):
            before = trips.count
            await asked(app, graph_path(task_id))
            counted[subject] = trips.count - before
    return counted


def _child(family: History) -> TaskId:
    tasks = (frame.append.address.task_id for frame in family.frames)
    return next(task_id for task_id in tasks if task_id != family.root)


def _dead_letters(count: int) -> list[Append]:
    """Of as many tasks."""
    letters: list[Append] = []
    for number in range(count):
        task_id = TaskId(f"other/{number:05}")
        letter_id = f"letter-{number}"
        envelope = Envelope(
            event_id=EventId(letter_id), timestamp=Instant(1_767_225_600_000_000), task_id=task_id
        )
        body = DeadLetterRecorded(
            dead_letter_id=letter_id, queue_name="work.dead_letters", source_queue_name="work",
            reason="retries_exhausted", body=b"{}" * 50,
        )  # fmt: skip
        payload = encode_frame(task_id, "shared", None, [encode_event(Event(envelope=envelope, body=body))])
        letters.append(Append(TaskAddress(task_id), payload))
    return letters
