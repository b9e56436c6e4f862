"""Drains what dead processes left in a spool, once, without a recorder.

Owns the order of things: oldest first, one frame of a task at a time, and what the log refuses goes back
into the spool. Needs an open log; touches the disk in threads.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence

import anyio.to_thread
from msgspec import Struct

from relayna.errors import SpoolError, StoreError
from relayna.streams.log import Append, Appended, Log, NotAppended
from relayna.streams.outcomes import Trouble
from relayna.streams.spool import NotSynced, NotWritten, Spool

__all__ = ["SpoolReport", "count_spool", "drain_spool"]

_AT_ONCE = 200


class SpoolReport(Struct):
    """What was there, and what became of it."""

    segments: int = 0
    frames: int = 0
    """Those that are in the log now; of a count, those that wait."""
    refused: int = 0
    """Frames that the log does not take; they are in the spool again."""
    damaged_bytes: int = 0
    unread: int = 0
    """Segments that could not be read, and lie there still."""
    problem: SpoolError | None = None
    """Why what was refused could not be put back, and stays in its segment."""


def count_spool(spool: Spool) -> SpoolReport:
    """What dead processes left. Changes nothing."""
    report = SpoolReport()
    for batch in spool.waiting():
        report.segments += 1
        report.frames += len(batch.appends)
        report.damaged_bytes += batch.damaged_bytes
    report.unread = spool.unread_segments
    return report


async def drain_spool(spool: Spool, log: Log) -> SpoolReport:
    """Append all that dead processes left, and leave the rest. Raises `StoreError` when the store fails.

    What was appended before it failed may be appended once more later: readers drop it by its event ids.
    """
    report = SpoolReport()
    put_back: set[Append] = set()
    while (batch := await anyio.to_thread.run_sync(spool.drain)) is not None:
        if put_back and put_back.issuperset(batch.appends):
            break  # what is left was refused already
        refused = await _append_all(log, batch.appends)
        report.segments += 1
        report.frames += len(batch.appends) - len(refused)
        report.refused += len(refused)
        report.damaged_bytes += batch.damaged_bytes
        if refused:
            report.problem = await anyio.to_thread.run_sync(functools.partial(_put_back, spool, refused))
            if report.problem is not None:
                break
            put_back |= set(refused)
        await anyio.to_thread.run_sync(spool.done, batch.token)
    report.unread = spool.unread_segments
    return report


async def _append_all(log: Log, appends: Sequence[Append]) -> list[Append]:
    refused: dict[int, Append] = {}
    stopped: set[object] = set()
    for round_ in _rounds(appends):
        due = [(index, append) for index, append in round_ if append.address not in stopped]
        results = await log.append([append for _, append in due]) if due else []
        for (_, append), result in zip(due, results, strict=True):
            if isinstance(result, NotAppended):
                _raise_for_the_store(result)
                stopped.add(append.address)  # nor may what comes after it overtake it
        taken = {
            index for (index, _), result in zip(due, results, strict=True) if isinstance(result, Appended)
        }
        refused.update((index, append) for index, append in round_ if index not in taken)
    return [append for _, append in sorted(refused.items(), key=lambda item: item[0])]


def _raise_for_the_store(result: NotAppended) -> None:
    if result.ruling.trouble is Trouble.STORE:
        error: StoreError = result.error
        raise error


def _rounds(appends: Sequence[Append]) -> Iterator[list[tuple[int, Append]]]:
    """Each append once, with its number, in order within a task and a task once in each round."""
    rest = list(enumerate(appends))
    while rest:
        now: list[tuple[int, Append]] = []
        later: list[tuple[int, Append]] = []
        seen: set[object] = set()
        for index, append in rest:
            if append.address in seen or len(now) >= _AT_ONCE:
                later.append((index, append))
            else:
                now.append((index, append))
            seen.add(append.address)
        yield now
        rest = later


def _put_back(spool: Spool, appends: Sequence[Append]) -> SpoolError | None:
    result = spool.put(appends)
    if isinstance(result, NotWritten):
        return result.error
    synced = spool.sync()
    return synced.error if isinstance(synced, NotSynced) else None
