"""`relayna archive`: write tasks' streams to files that outlive their retention.

Owns the command and its exit codes: 0 when all that was asked for is in the folder, 3 when a task has no stream,
1 when a file there cannot be read or written. Never touches a stream.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import anyio.to_thread
import click

from relayna.cli.options import required_redis_url, store_options
from relayna.cli.progress import Progress
from relayna.errors import InvalidQuery, RelaynaError
from relayna.instants import Instant, parse_instant
from relayna.observability.archive import ArchiveFolder, ArchiveResult, UnreadableArchive, read_task
from relayna.settings import EffectiveSettings, Settings
from relayna.streams import TaskAddress, checked_task_id, checked_tenant
from relayna.streams.redis import RedisLog
from relayna.streams.redis.scanning import stream_addresses

__all__ = ["command"]

_NOT_FOUND = 3


@click.command("archive")
@click.argument("task_ids", metavar="[TASK]...", nargs=-1)
@click.option(
    "--to",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="The folder; one file a task.",
)
@click.option("--all", "every_task", is_flag=True, help="Every task of every tenant under the prefix.")
@click.option("--ended-before", metavar="TIME", help="Only tasks that ended before, as 2026-01-31T10:00:05Z.")
@store_options
def command(
    *,
    task_ids: tuple[str, ...],
    folder: Path,
    every_task: bool,
    ended_before: str | None,
    effective: EffectiveSettings,
) -> int:
    """Write the streams of TASK..., or of all, to compressed JSON lines; what is there already stays.

    `relayna import` brings them back. Archiving again adds what is new.
    """
    if bool(task_ids) == every_task:
        raise click.UsageError("Name tasks, or ask for --all.")
    before = None if ended_before is None else _instant(ended_before)
    return anyio.run(_archive, effective.settings, task_ids, folder, before)


async def _archive(
    settings: Settings, task_ids: tuple[str, ...], folder: Path, ended_before: Instant | None
) -> int:
    log = RedisLog(required_redis_url(settings), prefix=settings.prefix, shard_count=settings.shard_count)
    counted: Counter[str] = Counter()
    async with log:
        archives = ArchiveFolder(folder, log.keys)
        with Progress("tasks") as progress:
            async for address in _wanted(log, settings, task_ids):
                counted[await _archive_task(log, archives, address, ended_before)] += 1
                progress.step()
    told = ", ".join(f"{counted[name]} {name}" for name in _TOLD if counted[name]) or "there is none"
    click.echo(f"relayna: tasks: {told}", err=True)
    if counted["unreadable"]:
        return 1
    return _NOT_FOUND if task_ids and counted["without a stream"] else 0


_TOLD = (*(result.value for result in ArchiveResult), "not ended by then", "without a stream", "unreadable")


async def _archive_task(
    log: RedisLog, archives: ArchiveFolder, address: TaskAddress | str, ended_before: Instant | None
) -> str:
    if isinstance(address, str):
        click.echo(f"relayna: {address!r} names no task that relayna recorded", err=True)
        return "unreadable"
    task = await read_task(log, address)
    if task is None:  # of a task that was named; one that was found may have expired since
        click.echo(f"relayna: nothing is recorded for task {address.task_id!r}", err=True)
        return "without a stream"
    if ended_before is not None:
        ended = task.ended_at()
        if ended is None or ended >= ended_before:
            return "not ended by then"
    try:
        return (await anyio.to_thread.run_sync(archives.put, task)).value
    except UnreadableArchive as error:
        click.echo(f"relayna: task {address.task_id!r}: {error}", err=True)
        return "unreadable"
    except OSError as error:
        raise RelaynaError(
            f"Cannot write to the folder {str(archives.folder)!r}: {error.strerror}."
        ) from error


async def _wanted(
    log: RedisLog, settings: Settings, task_ids: tuple[str, ...]
) -> AsyncIterator[TaskAddress | str]:
    for task_id in task_ids:
        yield TaskAddress(checked_task_id(task_id), checked_tenant(settings.tenant))
    if not task_ids:
        async for address in stream_addresses(log):
            yield address


def _instant(text: str) -> Instant:
    instant = parse_instant(text)
    if instant is None:
        raise InvalidQuery(
            "ended-before", f"{text[:80]!r} is no time; use ISO 8601, as in 2026-01-31T10:00:05Z"
        )
    return instant
