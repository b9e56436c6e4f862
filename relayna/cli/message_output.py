"""How commands write messages: as tables and as JSON.

Owns their looks, and the service that they ask. Ids and names come from messages: they are written without control
characters.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Final

import click

from relayna.cli.lineage_records import known_runs
from relayna.cli.message_tree import message_lines
from relayna.cli.painting import paint_lineage
from relayna.cli.read_models import log_and_models, say_age
from relayna.cli.tables import UNBOUND, line_width, printed, time_cell, write_table
from relayna.errors import ExecutionNotFound
from relayna.instants import parse_instant
from relayna.observability.message_service import MessageLineageService, MessageNotFound
from relayna.observability.message_told import ChainTold, MessageStatistics, MessageTold
from relayna.observability.read_models import ExecutionLists, ReadModelProgress
from relayna.observability.short_ids import ShortIds
from relayna.settings import Settings
from relayna.streams import checked_tenant

__all__ = [
    "MessageIds",
    "asking_messages",
    "say_what_is_missing",
    "write_chain",
    "write_counts",
    "write_message",
    "write_messages",
]

_HEADS: Final = ("MESSAGE", "TASK", "ROUTE", "HANDLER", "STATUS", "TRIES")
_STATUS: Final = 4
_SHOWN_OF_ID: Final = 12
"""As much of a message's id as tells it apart; commands take the beginning of one."""
_WIDE: Final = 120
_NARROW_ID: Final = 9
_LONGEST_ID: Final = 20
_WORDS: Final = {
    "older_tasks": "only the tasks that started last were looked at; name a session (--session)",
    "trimmed": "some histories have lost their beginning",
    "expired": "some histories have expired",
    "limit_reached": "some histories are too long to be read whole",
    "reported_loss": "workers say that they could not record everything",
    "corrupt": "some records cannot be read",
    "unknown_type": "some records are of a type that this release does not know",
}


@asynccontextmanager
async def asking_messages(
    settings: Settings, *, of_recent_tasks: bool
) -> AsyncIterator[MessageLineageService]:
    """Open what answers, and say how old the lists are that answers came from, or that missed what was asked for.

    Raises `StoreError` and `InvalidSetting`.
    """
    log, models = log_and_models(settings)
    tenant = checked_tenant(settings.tenant)
    async with log:
        progress = ReadModelProgress(log=log, read_models=models)
        lists = ExecutionLists(read_models=models, progress=progress, tenant=tenant)
        service = MessageLineageService(
            log=log,
            tenant=tenant,
            lists=lists,
            retention_seconds=settings.retention_seconds,
            runs=known_runs(log, settings),
        )
        try:
            yield service
        except ExecutionNotFound as error:
            if not (isinstance(error, MessageNotFound) and error.is_named):
                say_age(await progress.as_of())
            raise
        if of_recent_tasks:
            say_age(await progress.as_of())


def write_messages(messages: Iterable[MessageTold], *, failed: bool = False) -> None:
    """A line for each, with when it was handled first, or with what it raised."""
    messages = list(messages)
    ids = MessageIds(message.task_id for message in messages)
    if failed:  # as all of them did: that needs no column
        rows = [
            (*_row(message, ids)[:4], str(message.attempts), _error(message) or "-") for message in messages
        ]
        write_table((*_HEADS[:4], "TRIES", "ERROR"), rows, elastic=(2, 3, 5), room=line_width())
        return
    rows = [(*_row(message, ids), _started(message)) for message in messages]
    paint = paint_lineage(status=_STATUS)
    write_table((*_HEADS, "STARTED"), rows, elastic=(2, 3), paint=paint, room=line_width())


def write_chain(chain: ChainTold) -> None:
    """From the root down; each once, below the message that it came from, and the message itself with a mark."""
    lines = list(message_lines(chain))
    ids = MessageIds(message.task_id for _, message in lines)
    rows = []
    for guides, message in lines:
        mark = " *" if message.id == chain.message.id else ""
        first, *others = _row(message, ids)
        rows.append((f"{guides}{first}{mark}", *others, _error(message) or "-"))
    paint = paint_lineage(status=_STATUS, tree=0)
    write_table((*_HEADS, "ERROR"), rows, elastic=(2, 3, 6), paint=paint, room=line_width())


def write_message(message: MessageTold) -> None:
    """All that is known of one, a line each, then what it raised."""
    told = {
        "message": message.id, "task": message.task_id, "session": message.session_id, "parent": message.parent_id,
        "route": message.route, "handler": message.handler, "status": message.status, "attempts": message.attempts,
        "started": message.started_at, "completed": message.completed_at, "batch": message.batch_id,
        "input hash": message.input_hash, "output hash": message.output_hash,
        "pending children": message.pending_children, "done": "yes" if message.done else "no",
        "subtree done": "yes" if message.subtree_done else "no",
        **{name.replace("_", " "): value for name, value in message.metadata.items()},
    }  # fmt: skip
    width = max(map(len, told))
    for name, value in told.items():
        if value is not None:
            click.echo(f"{name:<{width}}  {printed(str(value))}")
    error = message.error
    if error is not None:
        click.echo(f"{'error':<{width}}  {printed(_error(message))}")
        for line in (error.traceback or "").splitlines():
            click.echo(f"  {printed(line)}")


def write_counts(statistics: MessageStatistics) -> None:
    """A line for each route and handler."""
    heads = ("ROUTE", "HANDLER", "COUNT", "COMPLETED", "FAILED", "PENDING", "CANCELLED")
    rows = [
        (
            one.route or "-",
            one.handler or "-",
            *(f"{number:,}" for number in (one.count, one.completed, one.failed, one.pending, one.cancelled)),
        )
        for one in statistics.handlers
    ]
    write_table(heads, rows, elastic=(0, 1), room=line_width())


def say_what_is_missing(missing: Iterable[str]) -> None:
    """On stderr, what the answer lacks."""
    for name in missing:
        click.echo(f"relayna: {_WORDS.get(name, name)}", err=True)


class MessageIds:
    """How ids of messages and their tasks are written: short on a terminal, whole in a pipe."""

    def __init__(self, task_ids: Iterable[str]) -> None:
        """`task_ids` are those of all tasks that are written."""
        room = line_width()
        is_whole = room >= UNBOUND
        longest = _NARROW_ID if room < _WIDE else _LONGEST_ID
        self._tasks = ShortIds(() if is_whole else task_ids, longest=longest)
        self._shown = UNBOUND if is_whole else _SHOWN_OF_ID

    def task(self, task_id: str) -> str:
        return self._tasks.of(task_id)

    def message(self, message_id: str) -> str:
        return message_id[: self._shown]


def _row(message: MessageTold, ids: MessageIds) -> tuple[str, ...]:
    return (
        ids.message(message.id),
        ids.task(message.task_id),
        message.route or "-",
        message.handler or "-",
        message.status,
        str(message.attempts),
    )


def _started(message: MessageTold) -> str:
    return time_cell(None if message.started_at is None else parse_instant(message.started_at))


def _error(message: MessageTold) -> str:
    error = message.error
    return "" if error is None else ": ".join(one for one in (error.exception_class, error.message) if one)
