"""`relayna stats`: how attempts went, by queue, stage and handler. Owns the command and the look of its tables."""

from __future__ import annotations

from collections.abc import Sequence

import anyio
import click

from relayna.cli.options import store_options
from relayna.cli.read_models import reading, say_age
from relayna.cli.tables import duration_cell, table_width, write_json, write_table
from relayna.observability.read_models import AttemptStatistics, Durations, GroupOfAttempts
from relayna.observability.read_models.attempt_statistics import MOST_DAYS
from relayna.observability.read_models.told import statistics_told
from relayna.settings import EffectiveSettings, Settings

__all__ = ["command"]

_WIDE = 100


@click.command("stats")
@click.option(
    "--days", type=click.IntRange(1, MOST_DAYS), help="The last so many, today with them. [default: all]"
)
@click.option("--format", "style", type=click.Choice(["table", "json"]), default="table", show_default=True)
@store_options
def command(*, days: int | None, style: str, effective: EffectiveSettings) -> int:
    """Say how attempts went, how long they waited and how long they took, by queue, stage and handler.

    Attempts count on the day, UTC, on which they began. Waits and durations are upper bounds, at most a quarter
    above what they were: half of all, nine in ten, 99 in a hundred lie below.
    """
    statistics = anyio.run(_statistics, effective.settings, days)
    if style == "json":
        write_json(statistics_told(statistics))
    else:
        _write_tables(statistics)
    say_age(statistics.as_of)
    return 0


async def _statistics(settings: Settings, days: int | None) -> AttemptStatistics:
    async with reading(settings) as opened:
        return await opened.statistics.statistics(days=days)


def _write_tables(statistics: AttemptStatistics) -> None:
    if not statistics.total.attempts:
        click.echo("relayna: no attempt began on these days", err=True)
        return
    tables = (("QUEUE", statistics.queues), ("STAGE", statistics.stages), ("HANDLER", statistics.handlers))
    for number, (head, groups) in enumerate((head, groups) for head, groups in tables if groups):
        if number:
            click.echo()
        _write_table(head, groups)
    if statistics.groups_left_out:
        click.echo(f"relayna: {statistics.groups_left_out} groups with fewer attempts are left out", err=True)


def _write_table(head: str, groups: Sequence[GroupOfAttempts]) -> None:
    heads = (head, "TRIES", "OK", "RETRIED", "DEAD", "WAIT 90%", "TOOK 90%", "TOOK 99%", "TOOK 50%")
    # Where it is narrow, names that can be told apart are worth more than the median.
    shown = len(heads) if table_width() >= _WIDE else len(heads) - 1
    write_table(heads[:shown], [_row(group)[:shown] for group in groups], elastic=(0,))


def _row(group: GroupOfAttempts) -> tuple[str, ...]:
    took, waited = group.duration_ms, group.wait_ms
    return (
        group.name or "-",
        str(group.attempts),
        "-" if group.success_rate is None else f"{group.success_rate:.1%}",
        str(group.retried),
        str(group.dead_lettered),
        *(_bound(durations, name) for durations, name in (
            (waited, "p90_at_most"), (took, "p90_at_most"), (took, "p99_at_most"), (took, "p50_at_most"),
        )),
    )  # fmt: skip


def _bound(durations: Durations | None, name: str) -> str:
    return duration_cell(None if durations is None else getattr(durations, name))
