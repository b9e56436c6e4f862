"""Where a recorder, its spool and its log report, and what is read of them when somebody looks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
from streams.faulty_log import FaultyLog
from streams.recording_steps import make_recorder, sampled, status

from relayna.observability.metrics import PrometheusMeasures
from relayna.streams import MemoryLog
from relayna.streams.redis import RedisLog
from relayna.streams.spool import Spool

pytestmark = pytest.mark.anyio


def value(measures: PrometheusMeasures, name: str, **labels: str) -> float | None:
    found = measures.registry.get_sample_value(name, labels)
    return None if found is None else float(found)


async def until(condition: Callable[[], bool]) -> None:
    """Look again whenever the recorder had a turn."""
    with anyio.fail_after(10):
        while not condition():
            await anyio.lowlevel.checkpoint()


async def test_what_waits_is_read_when_somebody_looks() -> None:
    measures = PrometheusMeasures()
    recorder = make_recorder(MemoryLog())
    recorder.report_to(measures)
    assert value(measures, "relayna_record_buffer_events") == 0
    assert value(measures, "relayna_store_up") is None  # nobody has asked it yet
    async with recorder:
        recorder.record(sampled(0))
        recorder.record(sampled(1))
        assert value(measures, "relayna_record_buffer_events") == 2
        await recorder.durable()
        assert value(measures, "relayna_record_buffer_events") == 0
        assert value(measures, "relayna_store_up") == 1
        assert value(measures, "relayna_append_duration_seconds_count") == 1
        assert value(measures, "relayna_records_total", source="observation", outcome="stored") == 2


async def test_a_store_that_is_away_shows() -> None:
    measures, log = PrometheusMeasures(), FaultyLog()
    log.unreachable = True
    async with make_recorder(log, counters=measures) as recorder:
        recorder.record(status("sent"))
        await recorder.durable(budget_seconds=0)
        await until(lambda: value(measures, "relayna_store_up") == 0)
        log.unreachable = False
        await until(lambda: value(measures, "relayna_store_up") == 1)


async def test_what_is_on_disk_is_read_too(tmp_path: Path) -> None:
    measures, log = PrometheusMeasures(), FaultyLog()
    log.unreachable = True
    recorder = make_recorder(log, spool=Spool(tmp_path), close_deadline=0)
    recorder.report_to(measures)
    async with recorder:
        recorder.record(status("sent"))
        await recorder.durable(budget_seconds=5)
        assert (value(measures, "relayna_spool_bytes") or 0) > 0
        assert value(measures, "relayna_records_total", source="status", outcome="spooled") == 1
        assert value(measures, "relayna_spool_frames_total", outcome="written") == 1


async def test_what_is_never_stored_is_an_emission_that_failed() -> None:
    measures = PrometheusMeasures()
    recorder = make_recorder(FaultyLog(), counters=measures, max_events=1)
    for seq in range(3):
        recorder.record(sampled(seq))
    assert value(measures, "relayna_emission_failures_total", reason="buffer_full") == 2
    assert value(measures, "relayna_records_dropped_total", reason="buffer_full") == 2
    recorder._losses.count(str, "failover")
    assert value(measures, "relayna_records_dropped_total", reason="failover") == 1
    assert value(measures, "relayna_emission_failures_total", reason="failover") is None


async def test_each_part_that_was_told_where_reports_there(tmp_path: Path) -> None:
    own, others = PrometheusMeasures(), PrometheusMeasures()
    spool, log = Spool(tmp_path, counters=own), RedisLog("redis://127.0.0.1:1", counters=own)
    recorder = make_recorder(log, spool=spool)
    recorder.report_to(others)
    assert value(own, "relayna_spool_bytes") == 0
    assert value(others, "relayna_spool_bytes") is None
    assert value(others, "relayna_record_buffer_events") == 0
    log._counters.increment("relayna_feed_references_missed_total")
    assert value(own, "relayna_feed_references_missed_total") == 1
