"""What the spool's tests share: small frames, damage, and processes that spool."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from relayna.ids import TaskId, Tenant
from relayna.streams.keys import TaskAddress
from relayna.streams.log import Append
from relayna.streams.spool import NotSynced, NotWritten, Spool, SpoolBatch, Synced, Written

__all__ = [
    "append_of",
    "appends_of",
    "damaged_files",
    "drained",
    "flipped",
    "batches",
    "not_synced",
    "put",
    "refused",
    "says",
    "segment_paths",
    "spooling",
    "synced",
]

ROOT = Path(__file__).parent.parent.parent.parent


def append_of(number: int, size: int = 40, tenant: str = "default") -> Append:
    """A frame that says its number."""
    return Append(
        TaskAddress(TaskId(f"task-{number}"), Tenant(tenant)), f"frame {number}".encode().ljust(size)
    )


def appends_of(numbers: Iterable[int], size: int = 40) -> list[Append]:
    """One frame for each number."""
    return [append_of(number, size) for number in numbers]


def put(spool: Spool, *numbers: int, size: int = 40) -> Written:
    """Put frames that must be taken."""
    result = spool.put(appends_of(numbers, size))
    assert isinstance(result, Written), result
    return result


def refused(spool: Spool, *numbers: int, size: int = 40) -> NotWritten:
    """Put frames that must not be taken."""
    result = spool.put(appends_of(numbers, size))
    assert isinstance(result, NotWritten), result
    return result


def synced(spool: Spool) -> None:
    """The disk must confirm."""
    assert spool.sync() == Synced()


def not_synced(spool: Spool) -> NotSynced:
    """The disk must not confirm."""
    result = spool.sync()
    assert isinstance(result, NotSynced), result
    return result


def batches(spool: Spool) -> Iterator[SpoolBatch]:
    """Drain all there is."""
    while (batch := spool.drain()) is not None:
        yield batch
        spool.done(batch.token)


def drained(spool: Spool) -> list[Append]:
    """All there is, drained."""
    return [append for batch in batches(spool) for append in batch.appends]


def segment_paths(directory: Path) -> list[Path]:
    """Every segment in a spool's directory, oldest first."""
    return sorted(directory.glob("*/*.segment"), key=lambda path: path.name)


def damaged_files(directory: Path) -> list[Path]:
    """Those that are kept to be looked at."""
    return sorted(directory.glob("*.damaged"))


def flipped(data: bytes, bits: Iterable[int]) -> bytes:
    """The same bytes, these bits of them inverted."""
    changed = bytearray(data)
    for bit in set(bits):
        changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


@contextmanager
def spooling(directory: Path, *words: str, within: Sequence[str] = ()) -> Iterator[subprocess.Popen[str]]:
    """Another process that runs `spool_process.py`; it is killed at the end, if it is still there."""
    program = [sys.executable, os.fspath(Path(__file__).with_name("spool_process.py"))]
    process = subprocess.Popen(
        [*within, *program, os.fspath(directory), *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def says(process: subprocess.Popen[str]) -> str:
    """The next line that the process prints."""
    assert process.stdout is not None
    return process.stdout.readline().rstrip("\n")
