"""`relayna messages`: lists, chains, children, failures and counts of messages, and one in full. Owns the commands."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sized
from functools import partial
from typing import Literal, TypeAlias, TypeVar

import anyio
import click

from relayna.cli.message_output import (
    asking_messages,
    say_what_is_missing,
    write_chain,
    write_counts,
    write_message,
    write_messages,
)
from relayna.cli.options import store_options
from relayna.cli.read_models import instant_given
from relayna.cli.tables import write_json
from relayna.observability.message_service import MessageLineageService
from relayna.observability.message_told import (
    DEFAULT_MESSAGES,
    MESSAGE_SORTS,
    MOST_MESSAGES,
    MessagesFound,
    MessagesWanted,
)
from relayna.projections.messages.message_row import MESSAGE_STATUSES
from relayna.settings import EffectiveSettings, Settings

__all__ = ["command"]

_Style: TypeAlias = Literal["table", "json"]
AnswerT = TypeVar("AnswerT")

_message = click.argument("message_id", metavar="MESSAGE")
_session = click.option(
    "--session", metavar="ID", help="Of this session; without it, of the tasks that started last."
)
_task = click.option(
    "--task", "task_id", metavar="ID", help="The message's task, where its session is not named."
)
_limit = click.option(
    "--limit", type=click.IntRange(1, MOST_MESSAGES), default=DEFAULT_MESSAGES, show_default=True
)
_style = click.option(
    "--format", "style", type=click.Choice(["table", "json"]), default="table", show_default=True
)


@click.group("messages")
def command() -> None:
    """Say how messages were handled, from whom they came and what came of them.

    A MESSAGE is named by its id or how that begins.
    """


@command.command("list")
@_session
@click.option("--route", metavar="NAME", help="The stage or queue.")
@click.option("--status", type=click.Choice(MESSAGE_STATUSES))
@click.option("--handler", metavar="NAME", help="Its own name, or its consumer's.")
@click.option("--roots", is_flag=True, help="Only those that were published from outside.")
@click.option("--since", metavar="TIME", help="Handled first then or later, as 2026-01-31T10:00:05Z.")
@click.option("--until", metavar="TIME", help="Handled first before.")
@click.option("--sort", type=click.Choice(MESSAGE_SORTS), default=MESSAGE_SORTS[0], show_default=True)
@click.option("--oldest-first", is_flag=True, help="Instead of the newest first.")
@_limit
@click.option("--cursor", help="Go on where a list with the same options ended.")
@_style
@store_options
def list_command(
    *,
    roots: bool,
    since: str | None,
    until: str | None,
    sort: str,
    oldest_first: bool,
    limit: int,
    style: _Style,
    effective: EffectiveSettings,
    **filters: str | None,
) -> None:
    """List messages, newest first. Times are UTC."""
    wanted = MessagesWanted(
        is_root=True if roots else None,
        started_after=instant_given("since", since),
        started_before=instant_given("until", until),
        sort=sort,
        newest_first=not oldest_first,
        limit=limit,
        **filters,
    )
    recent = wanted.session is None
    found = _asked(effective.settings, lambda service: service.messages(wanted), recent=recent)
    if style == "json":
        write_json(found)
    else:
        write_messages(found.messages)
        _say_when_empty(found.messages, "no message fits")
        if found.next is not None:
            click.echo(f"relayna: {found.total:,} in all: --cursor {found.next}", err=True)
    say_what_is_missing(found.missing)


@command.command("show")
@_message
@_session
@_task
@_style
@store_options
def show_command(
    *, message_id: str, session: str | None, task_id: str | None, style: _Style, effective: EffectiveSettings
) -> None:
    """Show all that is known of one message: its hashes, where its input is stored, what it raised."""
    ask = partial(
        MessageLineageService.message, message_id=message_id, session=session, task_id=task_id, beginning=True
    )
    found = _asked(effective.settings, ask)
    write_json(found) if style == "json" else write_message(found.message)
    say_what_is_missing(found.missing)


@command.command("chain")
@_message
@_session
@_task
@_style
@store_options
def chain_command(
    *, message_id: str, session: str | None, task_id: str | None, style: _Style, effective: EffectiveSettings
) -> None:
    """Show from whom MESSAGE came, from the root, and all that came of it."""
    ask = partial(
        MessageLineageService.chain, message_id=message_id, session=session, task_id=task_id, beginning=True
    )
    found = _asked(effective.settings, ask)
    write_json(found) if style == "json" else write_chain(found)
    say_what_is_missing(found.missing)


@command.command("children")
@_message
@_session
@_task
@_style
@store_options
def children_command(
    *, message_id: str, session: str | None, task_id: str | None, style: _Style, effective: EffectiveSettings
) -> None:
    """List the messages that were published in the handling of MESSAGE."""
    ask = partial(
        MessageLineageService.children,
        message_id=message_id,
        session=session,
        task_id=task_id,
        beginning=True,
    )
    _write_found(_asked(effective.settings, ask), style, otherwise="nothing was published in its handling")


@command.command("failures")
@_session
@_limit
@_style
@store_options
def failures_command(*, session: str | None, limit: int, style: _Style, effective: EffectiveSettings) -> None:
    """List messages that failed, newest failure first."""
    ask = partial(MessageLineageService.failures, session=session, limit=limit)
    found = _asked(effective.settings, ask, recent=session is None)
    _write_found(found, style, otherwise="no message failed", failed=True)


@command.command("stats")
@_session
@_style
@store_options
def stats_command(*, session: str | None, style: _Style, effective: EffectiveSettings) -> None:
    """Say how messages stand, by route and handler."""
    ask = partial(MessageLineageService.statistics, session=session)
    found = _asked(effective.settings, ask, recent=session is None)
    if style == "json":
        write_json(found)
    else:
        write_counts(found)
        _say_when_empty(found.handlers, "no message fits")
    say_what_is_missing(found.missing)


def _write_found(found: MessagesFound, style: _Style, *, otherwise: str, failed: bool = False) -> None:
    if style == "json":
        write_json(found)
    else:
        write_messages(found.messages, failed=failed)
        _say_when_empty(found.messages, otherwise)
    say_what_is_missing(found.missing)


def _say_when_empty(found: Sized, words: str) -> None:
    if not found:
        click.echo(f"relayna: {words}", err=True)


def _asked(
    settings: Settings,
    ask: Callable[[MessageLineageService], Awaitable[AnswerT]],
    *,
    recent: bool = False,
) -> AnswerT:
    """The answer; with `recent`, one from the tasks that started last."""

    async def answer() -> AnswerT:
        async with asking_messages(settings, of_recent_tasks=recent) as service:
            return await ask(service)

    return anyio.run(answer)
