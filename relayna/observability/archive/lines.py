"""The lines of an archive, in both directions: JSON, compressed with gzip, one line a frame.

    {"relayna": "archived_task", "version": 1, "tenant", "task_id", "frames", "missing"}
    {"relayna": "archived_frame", "tenant", "task_id", "stream_id", "frame", "events"}

`frame` is the stream's entry itself, in base64, so that what comes back is what was stored, whatever version
of relayna wrote or reads it. `events` says the same for people and other programs, as plain records
(docs/events.md), and is not read back. The same task gives the same bytes.
"""

from __future__ import annotations

import base64
import gzip
import io
import zlib
from collections.abc import Iterable, Iterator
from typing import IO, Any, Final

import msgspec
from msgspec import Struct

from relayna.errors import InvalidSetting, RelaynaError
from relayna.events import Opaque, decode_frame, to_plain
from relayna.ids import StreamId, TaskId
from relayna.observability.archive.archived_task import ArchivedTask
from relayna.streams.keys import TaskAddress, checked_tenant
from relayna.streams.log import Entry

__all__ = ["UnreadableArchive", "archive_bytes", "archived_line", "plain_lines", "read_archive"]

_VERSION: Final = 1
_GZIP: Final = b"\x1f\x8b"


class UnreadableArchive(RelaynaError):
    """An archive, or a line of it, cannot be read because of `problem`."""

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(
            f"This is no archive that can be read: {problem}. Use the relayna that wrote it, or a newer one, "
            "and check that the file is whole."
        )


class ArchivedHead(Struct, frozen=True):
    """The line that begins a task."""

    address: TaskAddress
    missing: int


class ArchivedFrame(Struct, frozen=True):
    """The line of one frame."""

    address: TaskAddress
    entry: Entry


def archive_bytes(task: ArchivedTask) -> bytes:
    """The task's lines, compressed. Equal tasks give equal bytes."""
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=buffer, mtime=0) as compressed:
        for line in _lines(task):
            compressed.write(msgspec.json.encode(line) + b"\n")
    return buffer.getvalue()


def plain_lines(file: IO[bytes]) -> Iterator[bytes]:
    """A file's lines, decompressed when it is compressed. Raises `UnreadableArchive` where it is damaged."""
    buffered = io.BufferedReader(file) if isinstance(file, io.RawIOBase) else file
    begin = buffered.peek(2)[:2] if isinstance(buffered, io.BufferedReader) else b""
    try:
        yield from gzip.GzipFile(fileobj=buffered, mode="rb") if begin == _GZIP else buffered
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise UnreadableArchive(f"its compression ends early or is damaged ({error})") from None


def read_archive(data: bytes) -> ArchivedTask | None:
    """The task of which `archive_bytes` made this; nothing when it holds none. Raises `UnreadableArchive`."""
    task: ArchivedTask | None = None
    for line in plain_lines(io.BufferedReader(io.BytesIO(data))):
        match archived_line(line):
            case ArchivedHead(address=address, missing=missing):
                task = ArchivedTask(address=address, entries=[], missing=missing)
            case ArchivedFrame(entry=entry) if task is not None:
                task.entries.append(entry)
    return task


def archived_line(line: bytes) -> ArchivedHead | ArchivedFrame:
    """What a line of an archive says. Raises `UnreadableArchive`."""
    try:
        told = msgspec.json.decode(line)
        kind, address = told["relayna"], _address(told)
        if kind == "archived_task":
            if told["version"] > _VERSION:
                raise UnreadableArchive(f"its version is {told['version']}")
            return ArchivedHead(address, max(0, int(told["missing"])))
        if kind == "archived_frame":
            frame = base64.b64decode(told["frame"], validate=True)
            return ArchivedFrame(address, Entry(_stream_id(told["stream_id"]), frame))
    except (msgspec.DecodeError, LookupError, TypeError, ValueError, RecursionError) as error:
        raise UnreadableArchive(f"a line is damaged ({type(error).__name__}: {error})") from None
    except InvalidSetting as error:
        raise UnreadableArchive(error.problem) from None
    raise UnreadableArchive(f"a line is of the unknown kind {kind!r}")


def _lines(task: ArchivedTask) -> Iterable[dict[str, Any]]:  # Any: JSON values
    whose = {"tenant": task.address.tenant, "task_id": task.address.task_id}
    yield {
        "relayna": "archived_task",
        "version": _VERSION,
        **whose,
        "frames": len(task.entries),
        "missing": task.missing,
    }
    for entry in task.entries:
        frame = decode_frame(entry.payload, task_id=task.address.task_id, stream_id=entry.stream_id)
        yield {
            "relayna": "archived_frame",
            **whose,
            "stream_id": entry.stream_id,
            "frame": base64.b64encode(entry.payload).decode(),
            "events": [to_plain(event) for event in frame.events if not isinstance(event.body, Opaque)],
        }


def _address(told: dict[str, Any]) -> TaskAddress:  # Any: JSON values
    task_id, tenant = told["task_id"], told["tenant"]
    if not isinstance(task_id, str) or not isinstance(tenant, str):
        raise TypeError("task_id and tenant are text")
    return TaskAddress(TaskId(task_id), checked_tenant(tenant))


def _stream_id(told: object) -> StreamId:
    milliseconds, dash, counter = str(told).partition("-")
    if not (dash and milliseconds.isdecimal() and counter.isdecimal() and len(str(told)) <= 41):
        raise ValueError(f"{told!r:.60} is no stream id")
    return StreamId(str(told))
