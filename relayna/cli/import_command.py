"""`relayna import`: bring archives, and events that a program could only log, into the store.

Owns the command and its exit codes: 0 when every line is in the store, 1 when some could not be read. It only
adds, so it does so at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import anyio
import click

from relayna.cli.options import required_redis_url, store_options
from relayna.cli.progress import Progress
from relayna.observability.archive import Importer, ImportReport
from relayna.observability.archive.lines import plain_lines
from relayna.observability.run_archive import ARCHIVE_SUFFIX
from relayna.settings import EffectiveSettings, Settings
from relayna.streams.redis import RedisLog

__all__ = ["command"]

_UNREADABLE_SHOWN = 20


@click.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@store_options
def command(*, files: tuple[Path, ...], effective: EffectiveSettings) -> int:
    """Import what FILES hold: archives, folders of them, and logs of programs that relayna recorded for.

    What is there already is not added again. Of a log, the lines of the logger relayna.recorder are read.
    """
    report = anyio.run(_import, effective.settings, files)
    for problem in report.unreadable[:_UNREADABLE_SHOWN]:
        click.echo(f"relayna: {problem}", err=True)
    click.echo(
        f"relayna: {report.frames} frames of {report.tasks} tasks and {report.events} logged events added, "
        f"{report.known} were there already, {len(report.unreadable)} lines could not be read",
        err=True,
    )
    return 1 if report.unreadable else 0


async def _import(settings: Settings, files: tuple[Path, ...]) -> ImportReport:
    log = RedisLog(
        required_redis_url(settings),
        prefix=settings.prefix,
        shard_count=settings.shard_count,
        retention_seconds=settings.retention_seconds,
        open_retention_seconds=settings.open_retention_seconds,
    )
    async with log:
        importer = Importer(log, retention_seconds=settings.retention_seconds)
        with Progress("files") as progress:
            for path in _each(files):
                try:
                    with path.open("rb") as file:
                        await importer.take(plain_lines(file), source=str(path))
                except OSError as error:
                    importer.report.unreadable.append(f"{path}: {error.strerror}")
                progress.step()
    return importer.report


def _each(paths: tuple[Path, ...]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            found = sorted(path.rglob("*.jsonl.gz"))
            yield from (file for file in found if not file.name.endswith(ARCHIVE_SUFFIX))
        else:
            yield path
