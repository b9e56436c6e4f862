"""`relayna export TASK`: give away what is recorded of a task, redacted, as one file.

Owns the command and its formats. The same events and options give the same bytes.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Final, TypedDict, Unpack

import anyio
import click
import msgspec

from relayna.cli.options import required_redis_url, store_options
from relayna.clock import SystemClock
from relayna.errors import InvalidQuery, RelaynaError
from relayna.events import redaction_of, to_plain
from relayna.instants import format_instant, parse_instant
from relayna.observability.incident import (
    DEFAULT_MAX_NODES,
    Incident,
    Origin,
    incident_page,
    own_name,
    read_incident,
)
from relayna.projections.execution import DEFAULT_DEPTH
from relayna.settings import EffectiveSettings, Settings
from relayna.store_url import masked_store_url
from relayna.streams.redis import RedisLog

__all__ = ["command"]

_FORMATS: Final = ("html", "jsonl", "mermaid", "dot", "otlp")


class _Wanted(TypedDict):
    """What is to be read, and how much of it may be told."""

    depth: int
    max_nodes: int
    with_payloads: bool
    redact: tuple[str, ...]
    made_at: str | None


@click.command("export")
@click.argument("task_id", metavar="TASK")
@click.option(
    "--output",
    "-o",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    default="-",
    help="The file to write; stdout by default.",
)
@click.option("--format", "style", type=click.Choice(_FORMATS), default="html", show_default=True)
@click.option("--depth", type=int, default=DEFAULT_DEPTH, show_default=True, help="Generations of children.")
@click.option(
    "--max-nodes",
    type=int,
    default=DEFAULT_MAX_NODES,
    show_default=True,
    help="Of the graph; bounds reading.",
)
@click.option("--with-payloads", is_flag=True, help="With headers and bodies of dead letters.")
@click.option("--redact", metavar="WORD", multiple=True, help="Hide values of such names, too; repeatable.")
@click.option("--made-at", metavar="TIME", help="Write down when it was made; `now` is a time.")
@store_options
def command(
    *, task_id: str, output: Path, style: str, effective: EffectiveSettings, **wanted: Unpack[_Wanted]
) -> int:
    """Write what is recorded of TASK and its children to one file, redacted.

    `html` is a page that any browser opens from disk and `relayna open` reads back; `jsonl` holds the events as
    plain records, `otlp` the attempts as OpenTelemetry traces. The file's SHA-256 is told on stderr.
    """
    incident = anyio.run(_read, effective.settings, task_id, wanted)
    data = _written(incident, style)
    _write(data, output)
    name = "stdout" if output == Path("-") else str(output)
    click.echo(f"relayna: {name}: {len(data):,} bytes, sha256 {hashlib.sha256(data).hexdigest()}", err=True)
    return 0


async def _read(settings: Settings, task_id: str, wanted: _Wanted) -> Incident:
    url = required_redis_url(settings)
    origin = Origin(
        made_by=own_name(),
        made_at=_moment(wanted["made_at"]),
        store=masked_store_url(url),
        prefix=settings.prefix,
        tenant=settings.tenant,
        with_payloads=wanted["with_payloads"],
    )
    log = RedisLog(url, prefix=settings.prefix, shard_count=settings.shard_count)
    async with log:
        return await read_incident(
            log,
            task_id,
            origin=origin,
            depth=wanted["depth"],
            max_nodes=wanted["max_nodes"],
            redaction=redaction_of((*settings.redact_keys, *wanted["redact"])),
            retention_seconds=settings.retention_seconds,
        )


def _written(incident: Incident, style: str) -> bytes:
    match style:
        case "jsonl":
            return b"".join(msgspec.json.encode(to_plain(event)) + b"\n" for event in incident.events())
        case "mermaid":
            from relayna.observability.mermaid import execution_graph_mermaid

            return execution_graph_mermaid(incident.graph()).encode() + b"\n"
        case "dot":
            from relayna.observability.dot import execution_graph_dot

            return execution_graph_dot(incident.graph()).encode()
        case "otlp":
            from relayna.observability.incident.otlp import otlp_json

            return otlp_json(incident)
        case _:
            return incident_page(incident)


def _write(data: bytes, output: Path) -> None:
    if output == Path("-"):
        sys.stdout.buffer.write(data)
        return
    try:
        output.write_bytes(data)
    except OSError as error:
        raise RelaynaError(f"Cannot write the file {str(output)!r}: {error.strerror}.") from error


def _moment(told: str | None) -> str | None:
    if told is None:
        return None
    instant = SystemClock().now() if told == "now" else parse_instant(told)
    if instant is None:
        raise InvalidQuery(
            "made-at", f"{told[:80]!r} is no time; use `now`, or ISO 8601 as in 2026-01-31T10:00:05Z"
        )
    return format_instant(instant)
