"""Tasks' streams in files that outlive their retention, and back into a store."""

from __future__ import annotations

from relayna.observability.archive.archive_folder import ArchiveFolder, ArchiveResult
from relayna.observability.archive.archived_task import ArchivedTask, read_task
from relayna.observability.archive.importer import Importer, ImportReport
from relayna.observability.archive.lines import UnreadableArchive, archive_bytes, read_archive

__all__ = [
    "ArchiveFolder", "ArchiveResult", "ArchivedTask", "ImportReport", "Importer", "UnreadableArchive",
    "archive_bytes", "read_archive", "read_task",
]  # fmt: skip
