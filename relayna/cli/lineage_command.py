"""`relayna lineage`: move old records of runs to files, and back.

Owns the commands and their exit codes: 0 when all that was asked for is done, 1 when a file there cannot be read or
written, or some lines could not be read. A week is forgotten only when its file is safely on disk.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import anyio
import click

from relayna.cli.lineage_records import opened_records
from relayna.cli.options import store_options
from relayna.cli.progress import Progress
from relayna.cli.read_models import instant_given, run_retention
from relayna.errors import RelaynaError
from relayna.instants import Instant
from relayna.observability.archive import UnreadableArchive
from relayna.observability.archive.lines import plain_lines
from relayna.observability.run_archive import (
    ARCHIVE_SUFFIX,
    RunArchiveFolder,
    RunArchiver,
    RunImporter,
    RunImportReport,
    WeekArchived,
)
from relayna.observability.run_archive.lines import first_day
from relayna.settings import EffectiveSettings, Settings
from relayna.streams import checked_tenant

__all__ = ["command"]


@click.group("lineage")
def command() -> None:
    """Move old records of runs to files, and bring them back."""


@command.command("archive")
@click.option(
    "-o",
    "--to",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="The folder; one file a tenant and week.",
)
@click.option("--began-before", metavar="TIME", help="All that began before, as 2026-01-31T10:00:05Z.")
@click.option("--dry-run", is_flag=True, help="Only say what would be moved.")
@store_options
def archive(*, folder: Path, began_before: str | None, dry_run: bool, effective: EffectiveSettings) -> int:
    """Move runs that are older than the lineage retention into compressed JSON lines.

    The store forgets a week when all of it is safely on disk. Doing it again changes nothing; `relayna lineage import`
    brings files back. Run it every day: a store keeps records for 7 days longer than they say.
    """
    before = instant_given("began-before", began_before)
    return anyio.run(_archive, effective.settings, folder, before, dry_run)


@command.command("import")
@click.argument(
    "files", metavar="FILE...", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path)
)
@store_options
def import_(*, files: tuple[Path, ...], effective: EffectiveSettings) -> int:
    """Bring archived runs back from FILES, or folders of them; they are kept for the lineage retention from now on.

    What is there already, or newer, stays. Lines that are damaged are told, and the rest is imported.
    """
    report = anyio.run(_import, effective.settings, files)
    for problem in report.problems:
        click.echo(f"relayna: {problem}", err=True)
    click.echo(
        f"relayna: runs brought back: {report.runs}, there already: {report.known}, "
        f"lines that could not be read: {report.unreadable}",
        err=True,
    )
    return 1 if report.unreadable else 0


async def _archive(settings: Settings, folder: Path, before: Instant | None, dry_run: bool) -> int:
    failed = False
    async with opened_records(settings) as records:
        archiver = RunArchiver(
            records,
            RunArchiveFolder(folder),
            tenant=checked_tenant(settings.tenant),
            retention=run_retention(settings),
            began_before=before,
        )
        weeks = await archiver.weeks()
        with Progress("weeks") as progress:
            for week in weeks:
                try:
                    _say(await archiver.archive(week, dry_run=dry_run), dry_run=dry_run)
                except UnreadableArchive as error:
                    failed = True
                    click.echo(f"relayna: week of {first_day(week)}: {error}", err=True)
                except OSError as error:
                    raise RelaynaError(
                        f"Cannot write to the folder {str(folder)!r}: {error.strerror}."
                    ) from error
                progress.step()
    if not weeks:
        click.echo("relayna: no run is old enough", err=True)
    return 1 if failed else 0


def _say(told: WeekArchived, *, dry_run: bool) -> None:
    file = "not written" if told.result is None else told.result.value
    younger = f", younger ones: {told.younger}" if told.younger else ""
    ends = "the store forgot them" if told.forgotten else "the week stays in the store"
    ends = "nothing was done" if dry_run else ends
    click.echo(
        f"relayna: week of {told.first_day}: runs: {told.runs}{younger}, file: {file}; {ends}", err=True
    )


async def _import(settings: Settings, files: tuple[Path, ...]) -> RunImportReport:
    async with opened_records(settings) as records:
        importer = RunImporter(records, retention=run_retention(settings))
        with Progress("files") as progress:
            for path in _each(files):
                try:
                    with path.open("rb") as file:
                        await importer.take(plain_lines(file), source=str(path))
                except OSError as error:
                    importer.report.failed(f"{path}: {error.strerror}")
                progress.step()
    return importer.report


def _each(paths: tuple[Path, ...]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(path.rglob(f"*{ARCHIVE_SUFFIX}"))
        else:
            yield path
