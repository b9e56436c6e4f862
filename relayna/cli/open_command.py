"""`relayna open FILE`: read an incident that `relayna export` wrote, and draw it. Asks no store, and runs nothing of the file."""

from __future__ import annotations

from typing import BinaryIO

import click

from relayna.cli.output import GRAPH_FORMATS, GraphFormat, write_graph
from relayna.observability.incident import (
    FILE_LIMIT_BYTES,
    UnreadableIncident,
    graph_digest,
    open_page,
    own_name,
)

__all__ = ["command"]


@click.command("open")
@click.argument("file", metavar="FILE", type=click.File("rb"))
@click.option("--format", "style", type=click.Choice(GRAPH_FORMATS), default="tree", show_default=True)
def command(*, file: BinaryIO, style: GraphFormat) -> int:
    """Draw the incident in FILE, as `relayna graph` drew it where it was recorded; `-` is stdin."""
    page = file.read(FILE_LIMIT_BYTES + 1)
    if len(page) > FILE_LIMIT_BYTES:
        raise UnreadableIncident(f"it has more than {FILE_LIMIT_BYTES // 2**20} MiB")
    incident = open_page(page)
    graph = incident.graph()
    write_graph(graph, style)
    if graph_digest(graph) != incident.folded_as:
        click.echo(
            f"relayna: this graph is not the one that {incident.origin.made_by!r} saw: {own_name()} folds these "
            "events differently",
            err=True,
        )
    return 0
