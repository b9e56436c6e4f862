"""Write docs/events.md, the reference of every event, from the code.

    python -m tools.generate_events_doc

tests/house/test_generated_docs.py keeps the file in step.
"""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from relayna.events import EVENT_TYPES, Envelope
from relayna.events.vocabulary import CLOSING_TYPES, RECEIVED_TYPES

EVENTS_DOC = Path(__file__).parent.parent / "docs" / "events.md"

_INTRODUCTION = """\
# Events

The public vocabulary: every fact that relayna records about a task. This page is generated from
`relayna/events/` by `python -m tools.generate_events_doc`.

An event is an envelope, which says whose fact it is, when it was and what caused it, and a body, which is
one of the types below. Bodies are named in the past tense and never change; a field added later goes last
and has a default, and anything else raises the type's version and comes with an upcaster. As a plain
record (a dictionary) an event names its type in `event_type` and leaves out what is null.

An attempt is one entry of a handler. One event opens it and exactly one closes it.
"""


def document() -> str:
    """The whole page."""
    parts = [_INTRODUCTION, "## The envelope\n", _described(Envelope)]
    module = ""
    for event_type, version in EVENT_TYPES:
        if event_type.__module__ != module:
            module = event_type.__module__
            summary = (inspect.getmodule(event_type).__doc__ or "").split("\n\n")[0]
            parts.append(f"## {_title(module)}\n\n{' '.join(_first_sentence(summary).split())}\n")
        parts.append(f"### {event_type.__name__}\n")
        parts.append(f"Version {version}. {_place_in_attempt(event_type)}\n")
        parts.append(_described(event_type))
    return "\n".join(parts)


def _title(module: str) -> str:
    return module.rpartition(".")[2].replace("_", " ").capitalize()


def _first_sentence(text: str) -> str:
    return text.partition(". ")[0].rstrip(".") + "."


def _place_in_attempt(event_type: type[Struct]) -> str:
    if event_type in RECEIVED_TYPES:
        return "**Opens an attempt.**"
    if event_type in CLOSING_TYPES:
        return "**Closes its attempt.**"
    return "Neither opens nor closes an attempt."


def _described(struct: type[Struct]) -> str:
    rows = [
        f"| `{name}` | `{kind}` | {default} | {meaning} |" for name, kind, default, meaning in _fields(struct)
    ]
    table = "\n".join(["| field | type | default | meaning |", "|---|---|---|---|", *rows])
    return f"{_prose(inspect.getdoc(struct) or '')}\n\n{table}\n"


def _fields(struct: type[Struct]) -> Iterator[tuple[str, str, str, str]]:
    """Name, type as written, default and meaning of each field, from the class's source."""
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(struct))).body
    body = definition.body if isinstance(definition, ast.ClassDef) else []
    for statement, following in zip(body, [*body[1:], None], strict=True):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            kind = ast.unparse(statement.annotation).replace("|", "\\|")
            default = f"`{ast.unparse(statement.value)}`" if statement.value else "required"
            yield statement.target.id, kind, default, _prose(_text(following))


def _text(statement: ast.stmt | None) -> str:
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return str(statement.value.value)
    return ""


def _prose(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def main() -> int:
    """Write the page."""
    EVENTS_DOC.write_text(document(), encoding="utf-8")
    print(f"Wrote {EVENTS_DOC.name}: {len(EVENT_TYPES)} event types.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
