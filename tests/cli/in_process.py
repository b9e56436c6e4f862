"""Runs the command line in this process: quicker than one of its own, where nothing of a process is tested."""

from __future__ import annotations

import sys
from typing import NamedTuple
from unittest.mock import patch

from click.testing import CliRunner

from relayna.cli.main import _run

__all__ = ["Ran", "relayna_here"]


class Ran(NamedTuple):
    """What a command left."""

    code: int
    stdout: bytes
    stderr: str


def relayna_here(*arguments: str, **variables: str) -> Ran:
    """Run `relayna` with these arguments; it must not be called from within an event loop."""
    with (
        CliRunner().isolation(env=variables) as (out, err, _),
        patch.object(sys, "argv", ["relayna", *arguments]),
    ):
        code = _run()
        return Ran(code, out.getvalue(), err.getvalue().decode())
