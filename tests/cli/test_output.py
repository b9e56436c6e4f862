"""What commands tell people to type works where they are."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from relayna.cli.output import called


@pytest.fixture
def command(tmp_path: Path) -> Path:
    """The installed command."""
    command = tmp_path / "relayna"
    command.write_text("#!/bin/sh\n", encoding="utf-8")
    command.chmod(0o755)
    return command


def test_its_name_is_enough_where_it_leads_to_this_one(
    command: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(command.parent))
    monkeypatch.setattr(sys, "argv", [str(command)])
    assert called() == "relayna"


def test_elsewhere_it_is_called_as_it_was(
    command: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    monkeypatch.setattr(sys, "argv", [str(command)])
    assert called() == str(command)


def test_as_a_module_it_is_called_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["main.py"])
    assert called() == f"{sys.executable} -m relayna.cli.main"
