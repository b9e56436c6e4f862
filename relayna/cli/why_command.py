"""`relayna why TASK`: the first cause of a failure, or what a task waits for. Owns the look of the answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import anyio
import click

from relayna.cli.options import required_redis_url, store_options
from relayna.cli.tables import printed, write_json
from relayna.observability.graph_service import ExecutionGraphService
from relayna.projections.execution import DEFAULT_DEPTH
from relayna.projections.failure import explain_failure
from relayna.projections.graph import ExecutionGraph
from relayna.projections.task_why import Awaited, Cause, Failure, TaskWhy
from relayna.settings import EffectiveSettings, Settings
from relayna.streams import checked_tenant
from relayna.streams.redis import RedisLog

__all__ = ["command"]

_FOUND = 6
_SHOWN = 10


@click.command("why")
@click.argument("task_id", metavar="TASK")
@click.option("--at", metavar="TIME", help="As far as had happened by then, as 2026-01-31T10:00:05Z.")
@click.option("--depth", type=int, default=DEFAULT_DEPTH, show_default=True, help="Generations of children.")
@click.option("--format", "style", type=click.Choice(["text", "json"]), default="text", show_default=True)
@store_options
def command(*, task_id: str, at: str | None, depth: int, style: str, effective: EffectiveSettings) -> int:
    """Say why TASK failed, or what it waits for. Exits with 6 when something failed for good.

    Events are named by their ids, as the graph's `ref`. A task id that begins with a dash goes after "--".
    """
    why = explain_failure(anyio.run(_get_graph, effective.settings, task_id, at, depth))
    if style == "json":
        write_json(why)
    else:
        for line in _lines(why):
            click.echo(printed(line))
    return _FOUND if why.found_failure else 0


async def _get_graph(settings: Settings, task_id: str, at: str | None, depth: int) -> ExecutionGraph:
    log = RedisLog(required_redis_url(settings), prefix=settings.prefix, shard_count=settings.shard_count)
    async with log:
        service = ExecutionGraphService(
            log=log, tenant=checked_tenant(settings.tenant), retention_seconds=settings.retention_seconds
        )
        return await service.get_graph(task_id, at=at, depth=depth)


def _lines(why: TaskWhy) -> Iterator[str]:
    yield why.sentence
    for head, causes in (
        ("Led to the end:", why.causes),
        ("Failed beside it:", why.bystanders),
        ("Failed, and worked when tried again:", why.recovered),
    ):
        yield from _section(head, causes)
    if why.waits_for:
        yield ""
        yield "Waits for:"
        yield from _cut(map(_awaited, why.waits_for), len(why.waits_for))


def _section(head: str, causes: list[Cause]) -> Iterator[str]:
    if not causes:
        return
    yield ""
    yield head
    for cause in causes[:_SHOWN]:
        yield f"  {_failure(cause.failure)}"
        yield from _cut((f"  took down {_failure(one)}" for one in cause.took_down), len(cause.took_down))
    if len(causes) > _SHOWN:
        yield f"  and {len(causes) - _SHOWN} more (--format json lists all)"


def _cut(lines: Iterable[str], count: int) -> Iterator[str]:
    for _, line in zip(range(_SHOWN), lines, strict=False):
        yield f"  {line}"
    if count > _SHOWN:
        yield f"    and {count - _SHOWN} more (--format json lists all)"


def _failure(failure: Failure) -> str:
    said = f"{failure.label}  {failure.outcome or failure.kind}  [{failure.event_id}]"
    if failure.exception_type is not None:
        said += f"  {failure.exception_type}: {failure.exception_message or ''}"
    return said


def _awaited(awaited: Awaited) -> str:
    said = f"{awaited.kind} {awaited.label}  [{awaited.event_id}]"
    if awaited.since is not None:
        said += f"  since {awaited.since}"
    if awaited.due_at is not None:
        said += f"  due at {awaited.due_at}"
    return said
