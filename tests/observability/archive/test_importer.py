"""What was archived comes back as it was, and is never there twice."""

from __future__ import annotations

import gzip
import io

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from observability.archive.archive_steps import forget, graphs_of, log_on, record_history, task
from projections.random_histories import random_history
from servers import StoreUnderTest

from relayna.events import decode_frame
from relayna.observability.archive import Importer, archive_bytes, read_task
from relayna.observability.archive.lines import plain_lines
from relayna.streams.keys import DEFAULT_TENANT
from relayna.streams.log import START, Append
from relayna.streams.recording.held import hold
from relayna.streams.recording.last_resort import last_resort_line
from relayna.streams.redis import RedisLog
from relayna.testing import history

pytestmark = pytest.mark.anyio


def lines_of(data: bytes) -> list[bytes]:
    return list(plain_lines(io.BufferedReader(io.BytesIO(data))))  # type: ignore[arg-type]


async def archived(log: RedisLog, *names: str) -> bytes:
    """Archives of these tasks, one after the other."""
    found = [await read_task(log, task(name)) for name in names]
    return b"".join(archive_bytes(one) for one in found if one is not None)


@given(seed=st.integers(0, 2**32))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_what_is_archived_and_imported_draws_the_same_graph(
    any_store: StoreUnderTest, seed: int
) -> None:
    forget(any_store)
    async with log_on(any_store) as log:
        tasks = await record_history(log, random_history(seed))
        before = await graphs_of(log, tasks)
        data = await archived(log, *tasks)
        forget(any_store)
        importer = Importer(log)
        await importer.take(lines_of(data), source="archive")
        after = await graphs_of(log, tasks)
        again = await archived(log, *tasks)

    assert importer.report.unreadable == []
    assert after == before
    assert again == data


async def test_what_is_there_is_not_added_again(any_store: StoreUnderTest) -> None:
    async with log_on(any_store) as log:
        await record_history(log, history("T").published().attempt().status("sent").acked().events)
        data = await archived(log, "T")
        importer = Importer(log)
        await importer.take(lines_of(data), source="archive")
        state = await read_task(log, task("T"))

    assert (importer.report.frames, importer.report.known) == (0, 6)
    assert state is not None
    assert archive_bytes(state) == data


async def test_what_is_missing_in_a_stream_is_added_to_it(any_store: StoreUnderTest) -> None:
    events = history("T").published().attempt().status("sent").acked().events
    async with log_on(any_store) as log:
        await record_history(log, events)
        whole, data = await graphs_of(log, [task("T").task_id]), await archived(log, "T")
        forget(any_store)
        async with log_on(any_store) as straggling:
            await record_history(straggling, events[-1:])
        [partial] = await graphs_of(log, [task("T").task_id])
        importer = Importer(log)
        await importer.take(lines_of(data), source="archive")
        after = await graphs_of(log, [task("T").task_id])

    assert b"head_missing" in partial
    assert after == whole
    assert importer.report.frames >= 5


async def test_what_was_trimmed_is_still_known_to_be_missing(any_store: StoreUnderTest) -> None:
    async with log_on(any_store) as log:
        tasks = await record_history(log, history("T").published().attempt().status("sent").acked().events)
        any_store.admin.xtrim(log.keys.events(task("T")), maxlen=3, approximate=False)
        before, data = await graphs_of(log, tasks), await archived(log, "T")
        forget(any_store)
        await Importer(log).take(lines_of(data), source="archive")
        after = await graphs_of(log, tasks)

    assert b'"trimmed"' in before[0]
    assert after == before


async def test_what_cannot_be_read_comes_back_as_it_was(any_store: StoreUnderTest) -> None:
    async with log_on(any_store) as log:
        tasks = await record_history(log, history("T").published().attempt().acked().events)
        await log.append([Append(task("T"), b"\xc1 is no frame")])
        before, data = await graphs_of(log, tasks), await archived(log, "T")
        forget(any_store)
        await Importer(log).take(lines_of(data), source="archive")
        after = await graphs_of(log, tasks)

    assert b"corrupt" in before[0]
    assert after == before


async def test_events_of_a_programs_log_come_back_once(any_store: StoreUnderTest) -> None:
    events = history("T").published().attempt().acked().events
    said = [last_resort_line(hold(event, None, None), "closed", DEFAULT_TENANT) for event in events]  # type: ignore[arg-type]
    log_file = [f"2026-01-01 ERROR relayna.recorder {line}\n".encode() for line in said]
    async with log_on(any_store) as log:
        importer = Importer(log)
        noise = [b"something else\n", b"\xff\xfe\n", *log_file, log_file[0]]
        await importer.take(noise, source="worker.log")
        await importer.take(noise, source="worker.log")
        [page] = [await read_task(log, task("T"))]

    assert page is not None
    stored = [
        event.envelope.event_id
        for entry in page.entries
        for event in decode_frame(entry.payload, task_id=task("T").task_id, stream_id=START).events
    ]
    assert stored == [event.envelope.event_id for event in events]
    assert (importer.report.events, importer.report.unreadable) == (len(events), [])


async def test_lines_that_cannot_be_read_are_told_with_their_place(any_store: StoreUnderTest) -> None:
    bad = [
        b'{"relayna": "archived_frame", "task_id": 7}\n',
        b'{"relayna": "archived_task", "version": 99, "tenant": "default", "task_id": "T"}\n',
        b'{"relayna": "event_not_stored"\n',
        b'{"relayna": "archived_frame", "tenant": "default", "task_id": "T", "stream_id": "x", "frame": ""}\n',
    ]
    async with log_on(any_store) as log:
        importer = Importer(log)
        await importer.take(bad, source="f")

    assert [problem.split(" ")[0] for problem in importer.report.unreadable] == [
        "f:1:",
        "f:2:",
        "f:3:",
        "f:4:",
    ]


async def test_of_a_damaged_file_what_came_before_is_imported(any_store: StoreUnderTest) -> None:
    async with log_on(any_store) as log:
        await record_history(log, history("T").published().attempt().acked().events)
        await record_history(log, history("U").published().attempt().acked().events)
        data = await archived(log, "T", "U")
        forget(any_store)
        importer = Importer(log)
        cut = io.BufferedReader(io.BytesIO(data[:-20]))  # type: ignore[arg-type]
        await importer.take(plain_lines(cut), source="cut.gz")
        found = await read_task(log, task("T"))

    assert found is not None
    assert len(importer.report.unreadable) == 1
    assert importer.report.unreadable[0].startswith("cut.gz: ")


async def test_a_long_stream_comes_back_in_parts(any_store: StoreUnderTest) -> None:
    async with log_on(any_store) as log:
        await log.append([Append(task("long"), b"%d" % number) for number in range(1_234)])
        before = await read_task(log, task("long"))
        assert before is not None
        data = archive_bytes(before)
        forget(any_store)
        await Importer(log).take(lines_of(data), source="archive")
        after = await read_task(log, task("long"))

    assert after == before
    assert gzip.decompress(data).count(b"\n") == 1_235
