"""How commands write graphs: the four formats, and a console that knows what it writes to."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import click

from relayna.observability.mermaid import execution_graph_mermaid
from relayna.observability.terminal import print_graph_table, print_graph_tree
from relayna.projections.graph import ExecutionGraph, encode_graph
from relayna.settings import wants_colour

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["GRAPH_FORMATS", "GraphFormat", "console", "write_graph"]

GraphFormat: TypeAlias = Literal["tree", "table", "mermaid", "json"]
GRAPH_FORMATS: Final = ("tree", "table", "mermaid", "json")


def console() -> Console:
    """A console on stdout. Without colour when it is no terminal, or with NO_COLOR or TERM=dumb."""
    try:
        from rich.console import Console
    except ImportError as error:
        raise click.ClickException(
            "Drawing in the terminal needs rich: pip install 'relayna[cli]', or use --format json or mermaid."
        ) from error

    class QuietConsole(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # rich would end with exit code 1; relayna.cli.main ends quietly

    return QuietConsole(
        file=sys.stdout,
        highlight=False,
        emoji=False,
        markup=False,
        color_system="auto" if wants_colour() else None,
    )


def write_graph(graph: ExecutionGraph, style: GraphFormat) -> None:
    """Write the graph to stdout."""
    match style:
        case "json":
            sys.stdout.buffer.write(encode_graph(graph) + b"\n")
        case "mermaid":
            sys.stdout.buffer.write(execution_graph_mermaid(graph).encode() + b"\n")
        case "tree":
            print_graph_tree(graph, console())
        case "table":
            print_graph_table(graph, console())
