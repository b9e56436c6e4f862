"""A folder of archived runs: one file a tenant and week, `TENANT~FIRST_DAY.runs.jsonl.gz`.

Owns what is in a file that is there already: archiving again adds what is new, and takes nothing away. A file is
whole, on disk and under its name, or it is not there. However many runs a week has, few of them are in memory.
"""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from relayna.ids import Tenant
from relayna.observability.archive import ArchiveResult
from relayna.observability.run_archive.lines import archived_run, first_day, read_lines, run_line, write_lines
from relayna.streams.run_records import StoredRun

__all__ = ["ARCHIVE_SUFFIX", "RunArchiveFolder", "WeekFile"]

ARCHIVE_SUFFIX: Final = ".runs.jsonl.gz"


class RunArchiveFolder:
    """Files in `folder`, which is made when it is not there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path_of(self, tenant: Tenant, week: int) -> Path:
        """Where a week's archive is, or would be."""
        return self.folder / f"{tenant}~{first_day(week)}{ARCHIVE_SUFFIX}"

    def begin(self, tenant: Tenant, week: int) -> WeekFile:
        """Begin to archive a week. Raises `OSError`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return WeekFile(self.path_of(tenant, week), tenant, week)


class WeekFile:
    """A week's records on their way into its file: `add` them, then `finish`, and `close` in any case.

    Its methods block: call them in a thread. All raise `OSError`.
    """

    def __init__(self, path: Path, tenant: Tenant, week: int) -> None:
        self._path = path
        self._tenant = tenant
        self._week = week
        self._aside = TemporaryDirectory(prefix=".archiving-", dir=path.parent)
        self._parts: list[Path] = []

    def add(self, runs: Sequence[StoredRun]) -> None:
        """Take these records, which may come in any order."""
        part = Path(self._aside.name) / f"{len(self._parts)}.part"
        with part.open("wb") as file:
            file.writelines(run_line(run) + b"\n" for run in sorted(runs, key=_key))
        self._parts.append(part)

    def finish(self) -> ArchiveResult:
        """Bring what was added, and what is there, into one file. Raises `UnreadableArchive` for a damaged one."""
        is_there = self._path.exists()
        former = read_lines(self._path) if is_there else ()
        merge = _Merge(former, self._read_parts())
        beside = Path(self._aside.name) / "whole"
        with beside.open("wb") as file:
            write_lines(file, self._tenant, self._week, merge)
            file.flush()
            os.fsync(file.fileno())
        if is_there and not merge.found_new:
            return ArchiveResult.UNCHANGED
        beside.replace(self._path)
        _sync_folder(self._path.parent)
        return ArchiveResult.EXTENDED if is_there else ArchiveResult.WRITTEN

    def close(self) -> None:
        """Remove what is left of the work."""
        self._aside.cleanup()

    def _read_parts(self) -> Iterator[StoredRun]:
        return heapq.merge(*map(_read_part, self._parts), key=_key)


class _Merge:
    """Iterates over both, in order and each record once; afterwards it knows whether anything is new."""

    def __init__(self, former: Iterable[StoredRun], added: Iterable[StoredRun]) -> None:
        both = heapq.merge(
            ((run, True) for run in former), ((run, False) for run in added), key=_key_of_either
        )
        self._same = groupby(both, key=_key_of_either)
        self.found_new = False

    def __iter__(self) -> Iterator[StoredRun]:
        for _, some in self._same:
            choices = list(some)
            newest = max((run for run, _ in choices), key=_newness)
            there = next((run for run, was_there in choices if was_there), None)
            if there is not None and there.data == newest.data:
                yield there  # one that was brought back says another time
            else:
                self.found_new = True
                yield newest


def _read_part(part: Path) -> Iterator[StoredRun]:
    with part.open("rb") as file:
        yield from map(archived_run, file)


def _newness(run: StoredRun) -> tuple[int, bytes, int, int]:
    return run.expires_at, run.data, run.began, run.heading


def _key(run: StoredRun) -> tuple[str, str]:
    return run.session_id, run.address.task_id


def _key_of_either(numbered: tuple[StoredRun, bool]) -> tuple[str, str]:
    return _key(numbered[0])


def _sync_folder(folder: Path) -> None:
    """What was renamed in it stays so when the machine dies."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
