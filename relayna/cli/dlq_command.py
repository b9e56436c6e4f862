"""`relayna dlq`: the dead letters of a task: list them, show one, plan its replay, replay it.

Owns the commands and their exit codes: 0 also for a plan that allows the replay, 1 when the plan refuses, when
the broker refuses and when it does not confirm, 3 for an unknown task or letter, 4 when the store does not answer,
though the message may be published by then. Looking reads the log and never touches a queue.
"""

from __future__ import annotations

import getpass
from typing import Any, Literal, TypeAlias

import anyio
import click

from relayna.cli.amqp import connecting_quietly, url_given_as
from relayna.cli.dead_letters import write_letter, write_letters, write_plan
from relayna.cli.options import required_amqp_url, required_redis_url, store_options
from relayna.consumer.rabbitmq import RabbitMQBroker
from relayna.errors import DeadLetterNotFound, ExecutionNotFound
from relayna.events import redaction_of
from relayna.observability.dead_letter_replayer import ReplayOutcome, ReplayResult
from relayna.observability.dead_letter_service import DLQService
from relayna.observability.dead_letter_store import RedisDLQStore
from relayna.observability.stores import PlainRecord
from relayna.projections.replay_plan import ReplayPlan
from relayna.settings import EffectiveSettings, Settings

__all__ = ["command"]

_CONNECT_SECONDS = 10.0
_REFUSED = 1
_AGAIN = "Replay it again in a minute, when its claim has run out: that repeats the same copy, which is handled once."
_EXIT_CODES = {
    ReplayOutcome.REPLAYED: 0,
    ReplayOutcome.REFUSED: _REFUSED,
    ReplayOutcome.UNKNOWN: 1,
    ReplayOutcome.UNMARKED: 4,
}

_Style: TypeAlias = Literal["table", "json"]

_task = click.argument("task_id", metavar="TASK")
_letter = click.argument("dead_letter_id", metavar="LETTER")
_force = click.option(
    "--force", is_flag=True, help="Leave out the guards against second copies and against loops."
)
_style = click.option(
    "--format", "style", type=click.Choice(["table", "json"]), default="table", show_default=True
)


@click.group("dlq")
def command() -> None:
    """List, show and replay the dead letters of a task."""


@command.command("list")
@_task
@_style
@store_options
def list_command(*, task_id: str, style: _Style, effective: EffectiveSettings) -> int:
    """List the dead letters of TASK, oldest first."""
    letters = anyio.run(_letters, effective.settings, task_id)
    write_letters(letters, style)
    if not letters:
        click.echo(f"relayna: task {task_id!r} has no dead letters", err=True)
    return 0


@command.command("show")
@_task
@_letter
@_style
@store_options
def show_command(*, task_id: str, dead_letter_id: str, style: _Style, effective: EffectiveSettings) -> int:
    """Show one dead letter of TASK, named by its id or how that begins, with its headers and body."""
    write_letter(anyio.run(_letter_of, effective.settings, task_id, dead_letter_id), style)
    return 0


@command.command("plan")
@_task
@_letter
@_force
@_style
@store_options
def plan_command(
    *, task_id: str, dead_letter_id: str, force: bool, style: _Style, effective: EffectiveSettings
) -> int:
    """Say what a replay of LETTER, an id or its beginning, would do; exit with 1 when it would be refused."""
    plan = anyio.run(_plan, effective.settings, task_id, dead_letter_id, force)
    write_plan(plan, style)
    return 0 if plan.allowed else _REFUSED


@command.command("replay")
@_task
@_letter
@click.option("--yes", is_flag=True, help="Publish it; without this, only the plan is shown.")
@_force
@click.option("--reason", metavar="TEXT", help="Why, for those who read the task's history later.")
@click.option("--amqp-url", metavar="URL", help="Where the broker is. [env: RELAYNA_AMQP_URL]")
@_style
@store_options
def replay_command(
    *,
    task_id: str,
    dead_letter_id: str,
    yes: bool,
    force: bool,
    reason: str | None,
    style: _Style,
    effective: EffectiveSettings,
) -> int:
    """Publish LETTER of TASK again, to the queue that it came from, after showing the plan.

    Who asked, why and how it ended is recorded in the task's history.
    """
    if not yes:
        plan = anyio.run(_plan, effective.settings, task_id, dead_letter_id, force)
        write_plan(plan, style)
        if plan.allowed:
            click.echo("relayna: nothing was published; add --yes to do it", err=True)
        return 0 if plan.allowed else _REFUSED
    result = anyio.run(_replay, effective, task_id, dead_letter_id, force, reason)
    write_plan(result.plan, style, outcome=result.outcome.value)
    if result.outcome is not ReplayOutcome.REPLAYED:
        click.echo(f"relayna: {_said(result)}", err=True)
    return _EXIT_CODES[result.outcome]


async def _letters(settings: Settings, task_id: str) -> list[PlainRecord]:
    store = _store(settings)
    letters = await DLQService(store=store).list_dead_letters(task_id)
    if not letters and not await store.get_events(task_id):
        raise ExecutionNotFound(task_id)
    return letters


async def _letter_of(settings: Settings, task_id: str, beginning: str) -> PlainRecord:
    service = _service(settings)
    return await service.get_dead_letter(task_id, await service.full_id(task_id, beginning))


async def _plan(settings: Settings, task_id: str, beginning: str, force: bool) -> ReplayPlan:
    service = _service(settings)
    dead_letter_id = await service.full_id(task_id, beginning)
    return _known(await service.plan(task_id, dead_letter_id, force=force))


async def _replay(
    effective: EffectiveSettings, task_id: str, beginning: str, force: bool, reason: str | None
) -> ReplayResult:
    url, source = required_amqp_url(effective.settings), effective.sources["amqp_url"]
    with url_given_as("--amqp-url" if source == "argument" else f"amqp_url ({source})"):
        broker = RabbitMQBroker(url, connect_timeout=_CONNECT_SECONDS)
    service = _service(effective.settings, broker=broker)
    dead_letter_id = await service.full_id(task_id, beginning)
    with connecting_quietly():
        result = await service.replay(
            task_id, dead_letter_id, force=force, replayed_by=_user(), via="command_line", reason=reason
        )
    _known(result.plan)
    return result


def _known(plan: ReplayPlan) -> ReplayPlan:
    if any(note.code == "not_found" for note in plan.reasons):
        raise DeadLetterNotFound(plan.task_id, plan.dead_letter_id)
    return plan


def _service(settings: Settings, **options: Any) -> DLQService:  # Any: checked there
    return DLQService(store=_store(settings), **options)


def _store(settings: Settings) -> RedisDLQStore:
    return RedisDLQStore(
        required_redis_url(settings),
        prefix=settings.prefix,
        tenant=settings.tenant,
        shard_count=settings.shard_count,
        ttl_seconds=settings.retention_seconds,
        redact=redaction_of(settings.redact_keys),
    )


def _user() -> str | None:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container without a name for its user
        return None


def _said(result: ReplayResult) -> str:
    match result.outcome:
        case ReplayOutcome.UNKNOWN:
            return f"it may be published: {result.problem} {_AGAIN}"
        case ReplayOutcome.UNMARKED:
            return f"it is published, and that could not be recorded: {result.problem} {_AGAIN}"
        case _:
            return f"refused: {result.problem}"
