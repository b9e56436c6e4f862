"""`relayna check`: say whether the store is set up as relayna needs it.

Owns the command and its exit codes: 0 when there is nothing to do, 6 when there is, 4 when there is nobody to ask.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Literal

import anyio
import click
import msgspec

from relayna.cli.options import required_redis_url, store_options
from relayna.clock import SystemClock
from relayna.errors import StoreError
from relayna.ids import Tenant
from relayna.observability.checks import Check, judge
from relayna.observability.checks.births import check_births
from relayna.observability.checks.roles import ROLES, Role, judge_rights, probes
from relayna.observability.unborn_runs import find_unborn_runs, named_runs
from relayna.settings import EffectiveSettings, Settings
from relayna.streams import checked_tenant
from relayna.streams.redis import RedisLog
from relayna.streams.redis.inspection import inspect_store
from relayna.streams.redis.permissions import permitted
from relayna.streams.redis.run_records import RedisRunRecords
from relayna.streams.run_records import StoredRun

__all__ = ["command"]

_FINDINGS = 6


@click.command("check")
@click.option(
    "--acl",
    "role",
    type=click.Choice(["", *ROLES]),
    is_flag=False,
    flag_value="",
    metavar="[ROLE]",
    help=f"Say instead which rights our user lacks for a role, and which are more: {', '.join(ROLES)}. "
    "Without a role, for the largest that it can fill.",
)
@click.option("--format", "style", type=click.Choice(["table", "json"]), default="table", show_default=True)
@store_options
def command(*, role: Role | Literal[""] | None, style: str, effective: EffectiveSettings) -> int:
    """Check the store's settings, our rights on it, its clock, and that workers and readers mean the same keys.

    Exits with 6 when there is something to do. Changes nothing. docs/operations.md has more on each check.
    """
    if role is None:
        checks = anyio.run(_checks, effective.settings)
    else:
        checks = anyio.run(_rights, effective.settings, role or None)
    if style == "json":
        sys.stdout.buffer.write(msgspec.json.encode(checks) + b"\n")
    else:
        _write_table(checks)
    return _FINDINGS if any(check.state in ("warning", "failed") for check in checks) else 0


async def _checks(settings: Settings) -> list[Check]:
    log = RedisLog(required_redis_url(settings), prefix=settings.prefix, shard_count=settings.shard_count)
    tenant = checked_tenant(settings.tenant)
    inspection = await inspect_store(log, tenant=tenant)
    checks = judge(
        inspection,
        retention_seconds=settings.retention_seconds,
        open_retention_seconds=settings.open_retention_seconds,
    )
    # A log that is opened writes its number of shards down, and one that is laid out otherwise refuses.
    in_use = inspection.shard_count == str(log.keys.shard_count)
    return [*checks, await _check_births(log, tenant) if in_use else check_births(None)]


async def _check_births(log: RedisLog, tenant: Tenant) -> Check:
    unreadable: list[StoredRun] = []
    try:
        async with log:
            unborn = await find_unborn_runs(
                RedisRunRecords(log),
                tenant,
                now=SystemClock().now(),
                window_micros=86_400_000_000,
                settled_micros=10_000_000,
                unreadable=unreadable.append,
            )
    except StoreError as error:
        click.echo(f"relayna: births: {error}", err=True)
        return check_births(None)
    if unborn:
        click.echo(f"relayna: without a birth: {named_runs(unborn)}", err=True)
    return check_births(len(unborn), unreadable=len(unreadable))


async def _rights(settings: Settings, role: Role | None) -> list[Check]:
    log = RedisLog(required_redis_url(settings), prefix=settings.prefix, shard_count=settings.shard_count)
    asked = probes(log.keys, checked_tenant(settings.tenant))
    answers = await permitted(log, list(asked.values()))
    return judge_rights(dict(zip(asked, answers, strict=True)), role)


def _write_table(checks: Sequence[Check]) -> None:
    name_width = max(len(check.name) for check in checks)
    state_width = max(len(check.state) for check in checks)
    for check in checks:
        click.echo(f"{check.name:<{name_width}}  {check.state:<{state_width}}  {check.found}")
        if check.advice and check.state in ("warning", "failed"):
            click.echo(f"{'':<{name_width}}  {'':<{state_width}}  {check.advice}")
