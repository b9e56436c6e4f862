"""Imports point one way. The contracts are in pyproject.toml, under [tool.importlinter]."""

from __future__ import annotations

import os

import pytest
from house.project_files import ROOT
from importlinter.cli import lint_imports


def test_the_contracts_hold(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    # It would switch off every logger that there is, and other tests listen to some.
    monkeypatch.setattr("logging.config.dictConfig", lambda config: None)
    result = lint_imports(config_filename=os.fspath(ROOT / "pyproject.toml"), no_cache=True)
    assert result == 0, capsys.readouterr().out


def test_nothing_is_excused() -> None:
    assert "ignore_imports" not in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
