"""`relayna replay SESSION --from-stage STAGE`: what a stage was given, again. Owns the command.

Exit codes: 0 also for a plan, 1 when inputs are missing or the broker refuses, 2 for an unknown stage, 3 for an
unknown session. Nothing is published before everything is at hand.
"""

from __future__ import annotations

import getpass

import anyio
import click

from relayna.cli.amqp import connecting_quietly, url_given_as
from relayna.cli.lineage_records import known_runs
from relayna.cli.message_output import MessageIds, say_what_is_missing
from relayna.cli.options import (
    required_amqp_url,
    required_redis_url,
    required_storage_url,
    store_options,
)
from relayna.cli.tables import line_width, printed, write_json, write_table
from relayna.consumer.rabbitmq import RabbitMQBroker
from relayna.events import redaction_of
from relayna.observability.message_reading import MessageReader
from relayna.observability.session_replay import SessionReplay, SessionReplayed
from relayna.settings import EffectiveSettings
from relayna.storage import storage_at
from relayna.streams import Recorder, checked_tenant
from relayna.streams.redis import RedisLog

__all__ = ["command"]

_CONNECT_SECONDS = 10.0
_SHOWN = 5


@click.command("replay")
@click.argument("session_id", metavar="SESSION")
@click.option(
    "--from-stage",
    "stage",
    required=True,
    metavar="STAGE",
    help="The stage, or the queue where there are none.",
)
@click.option(
    "--dry-run", is_flag=True, help="Look for all inputs, say what would be sent, and send nothing."
)
@click.option("--reason", metavar="TEXT", help="Why, for those who read the new session's history later.")
@click.option("--amqp-url", metavar="URL", help="Where the broker is. [env: RELAYNA_AMQP_URL]")
@click.option(
    "--storage-url", metavar="URL", help="A directory, or an fsspec URL. [env: RELAYNA_STORAGE_URL]"
)
@click.option("--format", "style", type=click.Choice(["table", "json"]), default="table", show_default=True)
@store_options
def command(
    *,
    session_id: str,
    stage: str,
    dry_run: bool,
    reason: str | None,
    style: str,
    effective: EffectiveSettings,
) -> int:
    """Send what STAGE was given in SESSION again, from stored inputs, as a new session.

    Messages go to the queues that the originals were taken from, with fresh ids and one batch id. The original
    stays as it is; edges of kind replayed_from lead from its runs to the new ones.
    """
    told = anyio.run(_replayed, effective, session_id, stage, dry_run, reason)
    if style == "json":
        write_json(told)
    else:
        _write(told)
        say_what_is_missing(told.missing)
    _warn_of_fixed_ids(told.fixed_ids)
    if not told.recorded:
        click.echo("relayna: it is published, and could not be recorded in time", err=True)
    return 0


async def _replayed(
    effective: EffectiveSettings, session_id: str, stage: str, dry_run: bool, reason: str | None
) -> SessionReplayed:
    settings = effective.settings
    tenant = checked_tenant(settings.tenant)
    storage = storage_at(required_storage_url(settings), tenant=tenant)
    log = RedisLog(required_redis_url(settings), prefix=settings.prefix, shard_count=settings.shard_count)
    runs = known_runs(log, settings)
    reader = MessageReader(log=log, tenant=tenant, retention_seconds=settings.retention_seconds, runs=runs)
    async with log:
        if dry_run:
            return await SessionReplay(reader=reader, storage=storage).plan(session_id, stage)
        recorder = Recorder(log, tenant=tenant, redact=redaction_of(settings.redact_keys))
        replay = SessionReplay(reader=reader, storage=storage, broker=_broker(effective), sink=recorder)
        with connecting_quietly():
            return await replay.replay(
                session_id, stage, replayed_by=_user(), via="command_line", reason=reason
            )


def _broker(effective: EffectiveSettings) -> RabbitMQBroker:
    url, source = required_amqp_url(effective.settings), effective.sources["amqp_url"]
    with url_given_as("--amqp-url" if source == "argument" else f"amqp_url ({source})"):
        return RabbitMQBroker(url, connect_timeout=_CONNECT_SECONDS)


def _write(told: SessionReplayed) -> None:
    """A line for each message, then what is made of them."""
    ids = MessageIds(one.source_task_id for one in told.messages)
    rows = [
        (
            ids.message(one.source_message_id),
            ids.task(one.source_task_id),
            one.queue_name,
            f"{one.input_bytes:,}",
        )
        for one in told.messages
    ]
    write_table(("MESSAGE", "RUN", "ROUTE", "BYTES"), rows, elastic=(2,), right=(3,), room=line_width())
    count, runs = len(rows), len({one.source_task_id for one in told.messages})
    done = told.new_session_id is not None
    click.echo(
        f"{'sent' if done else 'would send'} {count:,} {_plural(count, 'message')} of {runs:,} {_plural(runs, 'run')} "
        f"of session {printed(told.session_id)}, as {runs:,} new {_plural(runs, 'run')}"
    )
    if done:
        click.echo(f"new session: {told.new_session_id}")
        click.echo(f"batch: {told.batch_id}")


def _warn_of_fixed_ids(fixed_ids: list[str]) -> None:
    if fixed_ids:
        more = ", …" if len(fixed_ids) > _SHOWN else ""
        click.echo(
            printed(
                f"relayna: {', '.join(fixed_ids[:_SHOWN])}{more}: named by a handler; if it names them so again, those "
                "very runs are made again, in their old session (leave ids to relayna, or derive them from "
                "context.task_id)"
            ),
            err=True,
        )


def _plural(count: int, noun: str) -> str:
    return noun if count == 1 else f"{noun}s"


def _user() -> str | None:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container without a name for its user
        return None
