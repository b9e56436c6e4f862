"""Runs in files that outlive their retention, and back into a store."""

from __future__ import annotations

from relayna.observability.run_archive.archiver import RunArchiver, WeekArchived
from relayna.observability.run_archive.folder import ARCHIVE_SUFFIX, RunArchiveFolder
from relayna.observability.run_archive.importer import RunImporter, RunImportReport

__all__ = [
    "ARCHIVE_SUFFIX",
    "RunArchiveFolder",
    "RunArchiver",
    "RunImportReport",
    "RunImporter",
    "WeekArchived",
]
