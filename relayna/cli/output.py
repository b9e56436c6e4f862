"""How commands write graphs: the formats, a console that knows what it writes to, and how to call us again."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import click

from relayna.observability.dot import execution_graph_dot
from relayna.observability.mermaid import execution_graph_mermaid
from relayna.observability.terminal import print_graph_table, print_graph_tree
from relayna.projections.graph import ExecutionGraph, encode_graph
from relayna.settings import wants_colour

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["GRAPH_FORMATS", "GraphFormat", "called", "console", "write_graph"]

GraphFormat: TypeAlias = Literal["tree", "table", "mermaid", "dot", "json"]
GRAPH_FORMATS: Final = ("tree", "table", "mermaid", "dot", "json")


def called() -> str:
    """How to call the command from here: by its name when that leads to this one, else as it was called."""
    here = Path(sys.argv[0])
    if here.stem != "relayna":
        return f"{sys.executable} -m relayna.cli.main"
    found = shutil.which("relayna")
    return "relayna" if found is not None and Path(found).resolve() == here.resolve() else sys.argv[0]


def console() -> Console:
    """A console on stdout. Without colour when it is no terminal, or with NO_COLOR or TERM=dumb."""
    try:
        from rich.console import Console
    except ImportError as error:
        raise click.ClickException(
            "Drawing in the terminal needs rich: install relayna with its extra `cli`, "
            "or use another --format, as json."
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
        case "dot":
            sys.stdout.buffer.write(execution_graph_dot(graph).encode())
        case "tree":
            print_graph_tree(graph, console())
        case "table":
            print_graph_table(graph, console())
