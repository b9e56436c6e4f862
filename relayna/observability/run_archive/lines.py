"""The lines of an archive of runs, in both directions: JSON, compressed with gzip, one line a run.

    {"relayna": "archived_runs", "version": 1, "tenant", "week", "first_day"}
    {"relayna": "archived_run", "tenant", "session_id", "run_id", "began", "expires_at", "heading", "data", "run",
     "edges"}

`data` is the record itself, in base64, so that what comes back is what was stored, whatever version of relayna wrote
or reads it. `run` and `edges` say the same for people and other programs, and are not read back. Times are
microseconds since 1970. The same records give the same bytes.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Any, Final

import msgspec

from relayna.errors import InvalidSetting
from relayna.ids import TaskId, Tenant
from relayna.instants import Instant, format_instant
from relayna.observability.archive.lines import UnreadableArchive, plain_lines
from relayna.observability.run_records.encoding import decode_run
from relayna.streams.keys import TaskAddress, checked_tenant
from relayna.streams.run_records import WEEK_MICROS, StoredRun

__all__ = ["archived_run", "first_day", "is_head", "read_lines", "run_line", "write_lines"]

_VERSION: Final = 1
_HEAD: Final = b'{"relayna":"archived_runs"'
_TEXTS: Final = ("tenant", "session_id", "run_id", "data")
_NUMBERS: Final = ("began", "expires_at", "heading")
_BEYOND: Final = 2**62


def first_day(week: int) -> str:
    """The day, UTC, on which a week begins.

    >>> first_day(2922)
    '2026-01-01'
    """
    return format_instant(Instant(week * WEEK_MICROS))[:10]


def run_line(run: StoredRun) -> bytes:
    """A record's line, without its end. Equal records give equal lines."""
    told = {
        "relayna": "archived_run",
        "tenant": run.address.tenant,
        "session_id": run.session_id,
        "run_id": run.address.task_id,
        "began": run.began,
        "expires_at": run.expires_at,
        "heading": run.heading,
        "data": base64.b64encode(run.data).decode(),
        **_plain(run),
    }
    return _encoded(told)


def archived_run(line: bytes) -> StoredRun:
    """The record that a line holds. Raises `UnreadableArchive`."""
    try:
        told = json.loads(line)
        if told["relayna"] != "archived_run":
            raise UnreadableArchive(f"a line is of the unknown kind {told['relayna']!r:.60}")
        return _run(told)
    except (LookupError, TypeError, ValueError, RecursionError) as error:
        raise UnreadableArchive(f"a line is damaged ({type(error).__name__}: {error})") from None
    except InvalidSetting as error:
        raise UnreadableArchive(error.problem) from None


def is_head(line: bytes) -> bool:
    """Whether a line is the one that a file begins with. Raises `UnreadableArchive` for that of a newer version."""
    if not line.startswith(_HEAD):
        return False
    try:
        version = json.loads(line)["version"]
    except (LookupError, TypeError, ValueError, RecursionError) as error:
        raise UnreadableArchive(f"its first line is damaged ({type(error).__name__}: {error})") from None
    if version != _VERSION:
        raise UnreadableArchive(f"its version is {version!r:.60}")
    return True


def write_lines(file: IO[bytes], tenant: Tenant, week: int, runs: Iterable[StoredRun]) -> None:
    """Compress a week's records, which come in order, into the file."""
    with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as compressed:
        head = {
            "relayna": "archived_runs",
            "version": _VERSION,
            "tenant": tenant,
            "week": week,
            "first_day": first_day(week),
        }
        compressed.write(_encoded(head) + b"\n")
        for run in runs:
            compressed.write(run_line(run) + b"\n")


def read_lines(path: Path) -> Iterable[StoredRun]:
    """The records of a file that must be whole. Raises `UnreadableArchive`, and `OSError`."""
    with path.open("rb") as file:
        for number, line in enumerate(plain_lines(file)):
            if number or not is_head(line):
                yield archived_run(line)


def _plain(stored: StoredRun) -> dict[str, Any]:  # Any: JSON values
    kept = decode_run(stored)
    if kept is None:
        return {"run": None, "edges": None}
    return {"run": msgspec.to_builtins(kept.run), "edges": msgspec.to_builtins(kept.edges)}


def _encoded(told: Mapping[str, Any]) -> bytes:  # Any: JSON values
    # In ASCII, which also holds the halves of characters that an id may be made of.
    return json.dumps(told, separators=(",", ":")).encode()


def _run(told: dict[str, Any]) -> StoredRun:  # Any: JSON values
    if not all(isinstance(told[name], str) for name in _TEXTS):
        raise TypeError(f"{', '.join(_TEXTS)} are text")
    if not all(type(told[name]) is int and abs(told[name]) < _BEYOND for name in _NUMBERS):
        raise TypeError(f"{', '.join(_NUMBERS)} are whole numbers of 63 bits")
    data = base64.b64decode(told["data"], validate=True)
    if not told["run_id"] or not 0 <= told["heading"] <= len(data):
        raise ValueError("its run has no id, or its heading is longer than its data")
    return StoredRun(
        address=TaskAddress(TaskId(told["run_id"]), checked_tenant(told["tenant"])),
        session_id=told["session_id"],
        began=Instant(told["began"]),
        expires_at=Instant(told["expires_at"]),
        data=data,
        heading=told["heading"],
    )
