"""`relayna agents`: how often the runs of each agent end well. Owns the command and the look of its table."""

from __future__ import annotations

import anyio
import click

from relayna.cli.lineage_records import opened_records
from relayna.cli.options import store_options
from relayna.cli.tables import write_json, write_table
from relayna.observability.reliability_service import DEFAULT_WINDOW, ReliabilityService
from relayna.observability.reliability_told import AgentsReliability
from relayna.projections.lineage.reliability import AgentReliability
from relayna.settings import EffectiveSettings, Settings
from relayna.streams import checked_tenant

__all__ = ["command"]

_HEADS = ("AGENT", "SUCCESS", "OK", "FAILED", "DEAD", "RUNNING", "CANCELLED", "EDGES")


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
    """Say how often the runs of each agent end well. An agent is a handler, else a queue or stage.

    Success is what completed among what completed, failed or was dead-lettered; there is none where nothing ended.
    """
    told = anyio.run(_agents, effective.settings, window)
    if style == "json":
        write_json(told)
        return 0
    if not told.agents:
        click.echo("relayna: no run began in this time", err=True)
    write_table(_HEADS, [_row(agent) for agent in told.agents], elastic=(0, 7))
    _say_what_lacks(told)
    return 0


async def _agents(settings: Settings, window: str) -> AgentsReliability:
    async with opened_records(settings) as records:
        service = ReliabilityService(records=records, tenant=checked_tenant(settings.tenant))
        return await service.agents(window)


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
