"""The files of deploy/, read as those read them who run them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from house.project_files import ROOT

__all__ = ["DEPLOY", "dashboard", "documents", "texts"]

DEPLOY = ROOT / "deploy"


def documents(name: str) -> list[Any]:
    """The documents of a YAML file."""
    return list(yaml.safe_load_all((DEPLOY / name).read_text(encoding="utf-8")))


def dashboard() -> dict[str, Any]:
    """The dashboard."""
    read: dict[str, Any] = json.loads((DEPLOY / "grafana" / "relayna.json").read_text(encoding="utf-8"))
    return read


def texts() -> list[tuple[Path, str]]:
    """Every file, with its text, but for the secrets that somebody may have made."""
    paths = sorted(path for path in DEPLOY.rglob("*") if path.is_file() and "secrets" not in path.parts)
    return [(path, path.read_text(encoding="utf-8")) for path in paths if path.suffix != ".pyc"]
