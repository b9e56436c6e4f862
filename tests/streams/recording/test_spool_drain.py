"""Draining a spool once, without a recorder."""

from __future__ import annotations

from pathlib import Path

import pytest
from streams.faulty_log import FaultyLog
from streams.recording_steps import segments_in
from streams.spool.spool_steps import append_of

from relayna.errors import StoreUnreachable
from relayna.streams.keys import TaskAddress
from relayna.streams.log import Append, StreamRange
from relayna.streams.recording.spool_drain import SpoolReport, count_spool, drain_spool
from relayna.streams.spool import Spool, Synced, Written

pytestmark = pytest.mark.anyio


def leave(directory: Path, appends: list[Append]) -> None:
    spool = Spool(directory)
    assert isinstance(spool.put(appends), Written)
    assert spool.close() == Synced()


async def payloads(log: FaultyLog, address: TaskAddress) -> list[bytes]:
    [page] = await log.read([StreamRange(address=address)])
    return [entry.payload for entry in page.entries]


async def test_a_task_keeps_its_order_and_everybody_their_tenant(tmp_path: Path) -> None:
    log = FaultyLog()
    mine, theirs = append_of(1).address, append_of(1, tenant="theirs").address
    leave(tmp_path, [Append(mine, b"a"), Append(theirs, b"x"), Append(mine, b"b"), Append(mine, b"c")])
    leave(tmp_path, [Append(mine, b"d")])
    looking = Spool(tmp_path)
    assert count_spool(looking) == SpoolReport(segments=2, frames=5)
    looking.close()
    assert await drain_spool(Spool(tmp_path), log) == SpoolReport(segments=2, frames=5)
    assert (await payloads(log, mine), await payloads(log, theirs)) == ([b"a", b"b", b"c", b"d"], [b"x"])
    assert all(len(set(call)) <= 2 for call in log.calls)
    assert segments_in(tmp_path) == []


async def test_what_is_refused_is_left_in_order_and_the_rest_is_drained(tmp_path: Path) -> None:
    log = FaultyLog()
    bad, good = append_of(1).address, append_of(2).address
    leave(tmp_path, [Append(bad, b"a"), Append(good, b"x"), Append(bad, b"b")])
    leave(tmp_path, [Append(good, b"y")])
    log.no_streams = {bad.task_id}
    spool = Spool(tmp_path)
    assert await drain_spool(spool, log) == SpoolReport(segments=2, frames=2, refused=2)
    spool.close()
    assert await payloads(log, good) == [b"x", b"y"]
    log.no_streams.clear()
    assert await drain_spool(Spool(tmp_path), log) == SpoolReport(segments=1, frames=2)
    assert await payloads(log, bad) == [b"a", b"b"]


async def test_a_store_that_fails_leaves_everything(tmp_path: Path) -> None:
    log = FaultyLog()
    leave(tmp_path, [append_of(1), append_of(2)])
    log.unreachable = True
    spool = Spool(tmp_path)
    with pytest.raises(StoreUnreachable):
        await drain_spool(spool, log)
    spool.close()
    assert count_spool(Spool(tmp_path)).frames == 2
