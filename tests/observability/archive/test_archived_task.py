"""Two archives of one task become one, whatever happened to its stream between them."""

from __future__ import annotations

import pytest
from observability.archive.archive_steps import record_history, task

from relayna.ids import StreamId
from relayna.observability.archive import ArchivedTask, read_task
from relayna.streams import MemoryLog
from relayna.streams.log import Append, Entry
from relayna.testing import history

T = task("T")


def part(*numbers: int, missing: int = 0) -> ArchivedTask:
    entries = [Entry(StreamId(f"{number}-0"), b"%d" % number) for number in numbers]
    return ArchivedTask(address=T, entries=entries, missing=missing)


@pytest.mark.parametrize(
    ("now", "known", "both"),
    [
        (part(1, 2, 3), part(1, 2), part(1, 2, 3)),
        (part(3, 4, missing=2), part(1, 2, 3), part(1, 2, 3, 4)),
        (part(3, 4, missing=2), part(2, 3, missing=1), part(2, 3, 4, missing=1)),
        (part(9), part(1, 2), part(1, 2, 9)),
        (part(9, missing=1), part(1, missing=2), part(1, 9, missing=3)),
        (part(), part(1), part(1)),
    ],
)
def test_the_union_and_what_both_lack(now: ArchivedTask, known: ArchivedTask, both: ArchivedTask) -> None:
    assert now.merged(known) == both
    assert now.merged(now) == now
    assert both.merged(known) == both


def test_a_frame_that_was_imported_under_another_id_is_the_same() -> None:
    imported = ArchivedTask(address=T, entries=[Entry(StreamId("50-0"), b"1")])
    assert imported.merged(part(1)) == imported


@pytest.mark.anyio
async def test_a_stream_is_read_to_its_end() -> None:
    async with MemoryLog() as log:
        await log.append([Append(T, b"%d" % number) for number in range(1_203)])
        log.trim(T, keep=1_200)
        read = await read_task(log, T)
        absent = await read_task(log, task("absent"))

    assert read is not None
    assert [entry.payload for entry in read.entries] == [b"%d" % number for number in range(3, 1_203)]
    assert (read.missing, absent) == (3, None)


@pytest.mark.anyio
async def test_when_a_task_ended() -> None:
    ended, reopened = history("T").published().attempt().acked(), history("U").published().attempt()
    reopened = reopened.fails().dead_lettered().replayed().attempt()
    async with MemoryLog() as log:
        await record_history(log, [*ended.events, *reopened.events])
        read = [await read_task(log, task(name)) for name in ("T", "U")]

    times = [one.ended_at() if one else None for one in read]
    assert times[0] is not None
    assert times[1] is None
