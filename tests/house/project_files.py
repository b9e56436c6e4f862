"""What belongs to the project: its files, without what .gitignore names."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PACKAGE = ROOT / "relayna"


def project_files() -> Iterator[Path]:
    """Every file of the project, also in a copy without a git repository."""
    lines = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    ignored = {".git", *(line.rstrip("/").rpartition("/")[2] for line in lines if line.endswith("/"))}
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in ignored]
        yield from (Path(folder) / name for name in names if not name.endswith(".pyc"))


def text_files() -> Iterator[tuple[Path, str]]:
    """Those that are text, with their text."""
    for path in project_files():
        try:
            yield path, path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def modules() -> list[Path]:
    """Every module of the package."""
    return sorted(PACKAGE.rglob("*.py"))


def parsed(module: Path) -> ast.Module:
    """Its syntax tree."""
    return ast.parse(module.read_text(encoding="utf-8"))


def name_of(path: Path) -> str:
    """Its path below the root, for messages."""
    return path.relative_to(ROOT).as_posix()
