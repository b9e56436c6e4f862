"""The command line: `relayna`. Owns exit codes and what is said when something goes wrong.

Each command is a module of its own, imported only when it is called: `relayna --help` is quick.

Data goes to stdout, talk to stderr. Exit codes: 0 ok, 1 error, 2 usage, 3 not found, 4 store unreachable,
5 partial with --require-full, 6 findings, 130 on Ctrl-C; a closed pipe is quiet.
"""

from __future__ import annotations

import difflib
import importlib
import os
import sys
from typing import Final

import click

from relayna.errors import (
    ConfigurationError,
    DeadLetterNotFound,
    ExecutionNotFound,
    InvalidQuery,
    RelaynaError,
    StoreError,
)

__all__ = ["cli", "main"]

_COMMANDS: Final = {
    "agents": "Say how often the runs of each agent end well.",
    "archive": "Write tasks' streams to files that outlive their retention.",
    "check": "Say whether the store is set up as relayna needs it.",
    "config": "Show each effective setting and where it came from.",
    "demo": "Play all topologies, draw one failing run and serve the API.",
    "diff": "Compare what came of two runs.",
    "dlq": "List, show and replay the dead letters of a task.",
    "downstream": "Show what came of a run, edge by edge.",
    "drain": "Bring what dead processes left in a spool into the store.",
    "export": "Write what is recorded of a task to one file, redacted.",
    "failures": "List failed attempts of all tasks, newest first.",
    "graph": "Draw what happened to a task.",
    "import": "Bring archives, and events from a program's log, into the store.",
    "lineage": "Move old records of runs to files, and back.",
    "list": "List tasks by what they have in common.",
    "mcp": "Answer a language model's questions about tasks.",
    "messages": "Say how messages were handled, from whom they came and what came of them.",
    "open": "Draw an incident that was exported.",
    "reindex": "Make lists and statistics anew from the streams.",
    "replay": "Send what a stage was given again, as a new session.",
    "reshard": "Bring all streams under a new prefix with another number of shards.",
    "seal": "Give back memory that finished tasks hold.",
    "serve": "Serve the HTTP API.",
    "session": "Show all runs of a session and what led to them.",
    "stats": "Say how attempts went, by queue, stage and handler.",
    "status": "Say where a task stands: what runs, what it waits for.",
    "storage": "Read what is stored of messages.",
    "token": "Make a token for the HTTP API.",
    "trace": "Say where a session's time went; fetch and export its spans.",
    "upstream": "Show what a run came from, back to its origin.",
    "why": "Say why a task failed, or what it waits for.",
}
_EXIT_CODES: Final[tuple[tuple[type[RelaynaError], int], ...]] = (
    (ExecutionNotFound, 3),
    (DeadLetterNotFound, 3),
    (StoreError, 4),
    (ConfigurationError, 2),
    (InvalidQuery, 2),
    (RelaynaError, 1),
)


class _LazyGroup(click.Group):
    """Knows its commands by name and imports one when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command = importlib.import_module(f"relayna.cli.{cmd_name}_command").command
        if not isinstance(command, click.Command):
            raise TypeError(f"relayna.cli.{cmd_name}_command.command is no command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            likely = difflib.get_close_matches(args[0], _COMMANDS, n=1)
            if not likely:
                raise
            raise click.UsageError(f"{error.message} Did you mean {likely[0]!r}?", ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        # From the table, so that asking for help imports none of the commands.
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="relayna")
def cli() -> None:
    """What happened to this task, what caused what, and why is it slow, stuck or dead?"""


def main() -> None:
    """Run the command line and exit with its code."""
    sys.exit(_run())


def _run() -> int:
    try:
        # Not click's own main(): that one turns a closed pipe into exit code 1.
        with cli.make_context("relayna", sys.argv[1:]) as context:
            result = cli.invoke(context)
        sys.stdout.flush()
    except click.exceptions.Exit as request:
        return request.exit_code
    except (click.exceptions.Abort, KeyboardInterrupt):
        return 130
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except BrokenPipeError:
        # Whoever read us has gone; the interpreter must not complain of that at its own exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except RelaynaError as error:
        click.echo(f"relayna: {error}", err=True)
        return next(code for kind, code in _EXIT_CODES if isinstance(error, kind))
    return result if isinstance(result, int) else 0


if __name__ == "__main__":
    main()
