"""How commands write dead letters and plans: as tables and as JSON.

Owns their looks. What comes from messages is written without control characters: it is somebody else's text.
"""

from __future__ import annotations

import base64
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click
import msgspec

from relayna.instants import format_instant
from relayna.observability.stores import PlainRecord
from relayna.projections.replay_plan import ReplayPlan

__all__ = ["write_letter", "write_letters", "write_plan"]

_COLUMNS = (
    "dead_letter_id", "timestamp", "source_queue_name", "reason", "exception_type", "retry_attempt", "replay_count",
)  # fmt: skip


def write_letters(letters: Sequence[PlainRecord], style: str) -> None:
    """One line a letter; as JSON without headers and bodies."""
    if style == "json":
        without = ("headers", "body")
        _write_json(
            [
                {name: value for name, value in letter.items() if name not in without}
                for letter in map(_shown, letters)
            ]
        )
        return
    rows = [[name.upper() for name in _COLUMNS]] if letters else []
    rows += [[_printed(letter.get(name, "-")) for name in _COLUMNS] for letter in letters]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo(line.rstrip())


def write_letter(letter: PlainRecord, style: str) -> None:
    """All of one letter; its body as text when it is UTF-8, else in base64 (`body_encoding` says which)."""
    shown = _shown(letter)
    if style == "json":
        _write_json(shown)
    else:
        _write_fields(shown)


def write_plan(plan: ReplayPlan, style: str, *, outcome: str | None = None) -> None:
    """What a replay would do or did; the body only by its size."""
    shown: dict[str, Any] = {"outcome": outcome, **msgspec.structs.asdict(plan)}  # Any: the fields' own types
    del shown["body"]
    shown["published_by"] = None if plan.published_by is None else format_instant(plan.published_by)
    shown = {name: value for name, value in shown.items() if value is not None}
    if style == "json":
        _write_json(shown)
        return
    for name in ("reasons", "warnings"):
        shown[name] = "; ".join(f"{note.code}: {note.text}" for note in getattr(plan, name)) or "none"
    if plan.target is not None:
        shown["target"] = f"queue {plan.target.queue_name} (known from {plan.target.known_from})"
    _write_fields(shown)


def _shown(letter: PlainRecord) -> PlainRecord:
    if not isinstance(letter.get("body"), str):
        return dict(letter)
    body = base64.b64decode(letter["body"])
    try:
        return {**letter, "body": body.decode(), "body_encoding": "utf-8"}
    except UnicodeDecodeError:
        return {**letter, "body_encoding": "base64"}


def _write_fields(fields: Mapping[str, Any]) -> None:  # Any: JSON values
    width = max(map(len, fields))
    for name, value in fields.items():
        click.echo(f"{name:<{width}}  {_printed(value)}")


def _write_json(value: object) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(value) + b"\n")


def _printed(value: object) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)
