"""Calls the command in this process, as `relayna` does in its own."""

from __future__ import annotations

import sys
from typing import NamedTuple

import pytest

from relayna.cli import main

__all__ = ["Called", "call"]


class Called(NamedTuple):
    """How a call ended, and what it wrote."""

    code: int
    out: str
    err: str


def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> Called:
    """Call `relayna` with these arguments."""
    monkeypatch.setattr(sys, "argv", ["relayna", *arguments])
    capsys.readouterr()
    code = main._run()
    written = capsys.readouterr()
    return Called(code, written.out, written.err)
