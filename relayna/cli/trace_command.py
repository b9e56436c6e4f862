"""`relayna trace`: where a session's time went: its rows, its analysis, and its spans for a collector.

Owns the commands. What is drawn is in `relayna/observability/trace/terminal.py`.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TypeAlias

import anyio
import click

from relayna.cli.lineage_output import say_missing
from relayna.cli.lineage_records import known_runs
from relayna.cli.options import required_redis_url, store_options
from relayna.cli.output import console
from relayna.cli.tables import write_json
from relayna.observability.trace.otlp_exporter import OtlpExporter
from relayna.observability.trace.rows import ROW_TYPES, RowType, row_lines
from relayna.observability.trace.terminal import TRACE_VIEWS, TraceView, print_trace
from relayna.observability.trace.trace_service import SessionTrace, TraceService
from relayna.projections.trace.profile import analyse
from relayna.settings import EffectiveSettings, Settings
from relayna.streams import checked_tenant
from relayna.streams.redis import RedisLog

__all__ = ["command"]

_View: TypeAlias = TraceView | Literal["json"]

_session = click.argument("session_id", metavar="ID")


@click.group("trace")
def command() -> None:
    """Say where a session's time went. A session has the id of its first task; any of its tasks names it.

    An id that begins with a dash goes after "--".
    """


@command.command("fetch")
@click.argument("row_type", metavar="TYPE", type=click.Choice(ROW_TYPES))
@_session
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Instead of stdout.",
)
@store_options
def fetch_command(
    *, row_type: RowType, session_id: str, output: Path | None, effective: EffectiveSettings
) -> None:
    """Write the rows of a session, one JSON object a line: its spans, assets or lineage."""
    trace = _read(effective.settings, session_id)
    lines = row_lines(row_type, trace.rows, trace.history)
    if output is None:
        _write(lines, sys.stdout.buffer.write)
    else:
        with output.open("wb") as file:
            _write(lines, file.write)
    _say_lacks(trace)


@command.command("analyze")
@_session
@click.option(
    "-f", "--format", "view", type=click.Choice((*TRACE_VIEWS, "json")), default="rich", show_default=True
)
@store_options
def analyze_command(*, session_id: str, view: _View, effective: EffectiveSettings) -> None:
    """Say what took how long, who waited for whom, and which runs decided the end.

    A task that recorded no span is known by its attempts. Times are in seconds.
    """
    trace = _read(effective.settings, session_id)
    summary = analyse(trace.history)
    if view == "json":
        write_json(summary)
    else:
        print_trace(summary, console(), view)
    _say_lacks(trace)


@command.command("export")
@_session
@click.option("--endpoint", required=True, metavar="URL", help="As http://127.0.0.1:4318/v1/traces.")
@click.option(
    "--header", "headers", metavar="NAME=VALUE", multiple=True, help="Sent along; several times for several."
)
@store_options
def export_command(
    *, session_id: str, endpoint: str, headers: tuple[str, ...], effective: EffectiveSettings
) -> None:
    """Send the spans of a session to a collector, by OTLP over HTTP."""
    exporter = OtlpExporter(endpoint, headers=dict(map(_header, headers)))
    try:
        trace = _read(effective.settings, session_id)
        with _quiet(logging.getLogger("opentelemetry")):
            sent = exporter.export(trace.rows.spans, trace.session_id)
    finally:
        exporter.close()
    click.echo(f"relayna: sent {sent:,} spans of session {trace.session_id!r}", err=True)
    _say_lacks(trace)


@contextmanager
def _quiet(logger: logging.Logger) -> Iterator[None]:
    """The exporter logs each try that fails; `ExportFailed` says it once."""
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)


def _read(settings: Settings, session_id: str) -> SessionTrace:
    return anyio.run(_session_of, settings, session_id)


async def _session_of(settings: Settings, session_id: str) -> SessionTrace:
    log = RedisLog(required_redis_url(settings), prefix=settings.prefix, shard_count=settings.shard_count)
    async with log:
        service = TraceService(
            log=log,
            tenant=checked_tenant(settings.tenant),
            retention_seconds=settings.retention_seconds,
            runs=known_runs(log, settings),
        )
        return await service.session(session_id)


def _write(lines: Iterable[bytes], write: Callable[[bytes], object]) -> None:
    for line in lines:
        write(line + b"\n")


def _header(given: str) -> tuple[str, str]:
    name, separator, value = given.partition("=")
    if not separator or not name.strip():
        raise click.BadParameter(f"{given!r} is not NAME=VALUE.", param_hint="--header")
    return name.strip(), value.strip()


def _say_lacks(trace: SessionTrace) -> None:
    say_missing(trace.missing)
    if trace.rows.dropped:
        click.echo(f"relayna: left out {trace.rows.dropped:,} rows that are not sound", err=True)
