"""`relayna agents`: how often the runs of each agent end well. Owns the command and the look of its table."""

from __future__ import annotations

from typing import Final

import anyio
import click

from relayna.cli.options import store_options
from relayna.cli.painting import paint_counts
from relayna.cli.read_models import log_and_models, say_age
from relayna.cli.tables import line_width, write_json, write_table
from relayna.observability.read_models import AsOf, ReadModelProgress
from relayna.observability.reliability_service import DEFAULT_WINDOW, ReliabilityService
from relayna.observability.reliability_told import AgentsReliability
from relayna.projections.lineage.reliability import AgentReliability
from relayna.settings import EffectiveSettings, Settings
from relayna.streams import checked_tenant
from relayna.streams.redis.run_records import RedisRunRecords

__all__ = ["command"]

_HEADS = ("AGENT", "SUCCESS", "OK", "FAILED", "DEAD", "RUNNING", "CANCELLED", "EDGES")
_COLOURS: Final = {2: "green", 3: "red", 4: "red", 5: "yellow", 6: "magenta"}


@click.command("agents")
@click.option(
    "--window",
    metavar="TIME",
    default=DEFAULT_WINDOW,
    show_default=True,
    help="Runs that began in the last so much time, as 30m, 24h or 7d.",
)
@click.option("--format", "style", type=click.Choice(["table", "json"]), default="table", show_default=True)
@store_options
def command(*, window: str, style: str, effective: EffectiveSettings) -> int:
    """Say how often the runs of each agent end well: a consumer by its given name, else a stage or queue.

    A run counts for the agent of its last attempt. Counted are run records: stderr says when they are behind.

    Success is what completed among what completed, failed or was dead-lettered; there is none where nothing ended.
    """
    told, as_of = anyio.run(_agents, effective.settings, window)
    if style == "json":
        write_json(told)
        say_age(as_of, kept="run records")
        return 0
    if not told.agents:
        click.echo("relayna: no record tells of a run that began in this time", err=True)
    write_table(
        _HEADS,
        [_row(agent) for agent in told.agents],
        elastic=(0, 7),
        paint=paint_counts(_COLOURS),
        room=line_width(),
    )
    _say_what_lacks(told)
    say_age(as_of, kept="run records")
    return 0


async def _agents(settings: Settings, window: str) -> tuple[AgentsReliability, AsOf]:
    log, models = log_and_models(settings)
    async with log:
        service = ReliabilityService(records=RedisRunRecords(log), tenant=checked_tenant(settings.tenant))
        as_of = await ReadModelProgress(log=log, read_models=models).as_of()
        return await service.agents(window), as_of


def _row(agent: AgentReliability) -> tuple[str, ...]:
    return (
        agent.agent,
        "-" if agent.success is None else f"{agent.success:.1%}",
        *(
            f"{count:,}"
            for count in (
                agent.completed, agent.failed, agent.dead_lettered, agent.running, agent.cancelled,
            )
        ),
        ", ".join(f"{kind} {count:,}" for kind, count in agent.by_kind.items()) or "-",
    )  # fmt: skip


def _say_what_lacks(told: AgentsReliability) -> None:
    if told.left_out:
        click.echo(f"relayna: {told.left_out:,} runs of further agents are left out", err=True)
    if told.unreadable:
        click.echo(f"relayna: {told.unreadable:,} records could not be read", err=True)
