"""Brings archives, and events of the last resort, back into a log. Adds what is not there; takes nothing away.

Owns what counts as being there already: a frame by its bytes, an event of a program's log by its id. Reads no
files.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
from msgspec import Struct

from relayna.events import decode_frame
from relayna.observability.archive.archived_task import ArchivedTask, read_task
from relayna.observability.archive.lines import (
    ArchivedFrame,
    ArchivedHead,
    UnreadableArchive,
    archived_line,
)
from relayna.streams.keys import TaskAddress
from relayna.streams.log import DEFAULT_RETENTION_SECONDS, START, Append, Entry, NotAppended
from relayna.streams.recording.last_resort import UnreadableLine, read_last_resort_line
from relayna.streams.redis.log import RedisLog
from relayna.streams.redis.restoring import restore_stream

__all__ = ["ImportReport", "Importer"]

_EVENTS_AT_ONCE: Final = 200


class ImportReport(Struct, kw_only=True):
    """What was done so far."""

    tasks: int = 0
    """Archived tasks that were looked at."""
    frames: int = 0
    """Archived frames that were added."""
    events: int = 0
    """Events of a program's log that were added."""
    known: int = 0
    """Frames and events that were there already."""
    unreadable: list[str] = msgspec.field(default_factory=list)
    """What is wrong with lines that could not be imported, each with its place."""


class Importer:
    """Takes lines in, one file after the other. The log must be open (`async with log`)."""

    def __init__(self, log: RedisLog, *, retention_seconds: int = DEFAULT_RETENTION_SECONDS) -> None:
        """Streams that are brought back are kept for `retention_seconds` from now on."""
        self._log = log
        self._retention_seconds = retention_seconds
        self._task: ArchivedTask | None = None
        self._events: list[Append] = []
        self.report = ImportReport()

    async def take(self, lines: Iterable[bytes], *, source: str) -> None:
        """Import what these lines hold; lines of other things are passed over. Raises `StoreError`."""
        try:
            for number, line in enumerate(lines, 1):
                if b'"relayna"' in line:
                    await self._take_line(line, f"{source}:{number}")
        except UnreadableArchive as error:  # a damaged file: what came before is good
            self.report.unreadable.append(f"{source}: {error.problem}")
        await self._finish_task()
        await self._finish_events()

    async def take_task(self, task: ArchivedTask) -> None:
        """Import one task that was read elsewhere. Raises `StoreError`."""
        await self._finish_task()
        self._task = task
        await self._finish_task()

    async def _take_line(self, line: bytes, place: str) -> None:
        try:
            if b'"archived_' not in line:
                await self._take_event(line)
                return
            told = archived_line(line)
        except (UnreadableArchive, UnreadableLine) as error:
            self.report.unreadable.append(f"{place}: {error.problem}")
            return
        match told:
            case ArchivedHead(address=address, missing=missing):
                await self._finish_task()
                self._task = ArchivedTask(address=address, entries=[], missing=missing)
            case ArchivedFrame(address=address, entry=entry):
                if self._task is None or self._task.address != address:
                    await self._finish_task()
                    self._task = ArchivedTask(address=address, entries=[])
                self._task.entries.append(entry)

    async def _finish_task(self) -> None:
        task, self._task = self._task, None
        if task is None:
            return
        self.report.tasks += 1
        there = await read_task(self._log, task.address)
        entries: Sequence[Entry] = task.entries
        brought = 0
        if there is None:
            brought = await restore_stream(
                self._log,
                task.address,
                entries,
                missing=task.missing,
                retention_seconds=self._retention_seconds,
            )
            self.report.frames += brought
            if brought == len(entries):
                return
            there = await read_task(self._log, task.address)
        payloads = {entry.payload for entry in there.entries} if there else set()
        absent = [entry for entry in entries if entry.payload not in payloads]
        self.report.known += len(entries) - len(absent) - brought
        await self._append([Append(task.address, entry.payload) for entry in absent])
        self.report.frames += len(absent)

    async def _take_event(self, line: bytes) -> None:
        self._events.append(read_last_resort_line(line.decode(errors="replace")))
        if len(self._events) >= _EVENTS_AT_ONCE:
            await self._finish_events()

    async def _finish_events(self) -> None:
        events, self._events = self._events, []
        known: dict[TaskAddress, set[str]] = {}
        absent: list[Append] = []
        for append in events:
            if append.address not in known:
                known[append.address] = await self._ids_in(append.address)
            ids = _ids(append)
            if not ids <= known[append.address]:
                known[append.address] |= ids
                absent.append(append)
        self.report.known += len(events) - len(absent)
        await self._append(absent)
        self.report.events += len(absent)

    async def _ids_in(self, address: TaskAddress) -> set[str]:
        there = await read_task(self._log, address)
        return {event.envelope.event_id for event in there.events()} if there else set()

    async def _append(self, appends: Sequence[Append]) -> None:
        for start in range(0, len(appends), _EVENTS_AT_ONCE):
            for result in await self._log.append(appends[start : start + _EVENTS_AT_ONCE]):
                if isinstance(result, NotAppended):
                    raise result.error


def _ids(append: Append) -> set[str]:
    frame = decode_frame(append.payload, task_id=append.address.task_id, stream_id=START)
    return {event.envelope.event_id for event in frame.events}
