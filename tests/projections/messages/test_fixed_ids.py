"""Which runs below a replayed message may be made again under the same ids."""

from __future__ import annotations

import pytest

from relayna.projections.messages.fixed_ids import fixed_ids_below
from relayna.projections.messages.message_row import MessageRow


def row(name: str, task_id: str, parent: str | None = None, kind: str = "task") -> MessageRow:
    return MessageRow(
        id=name, session_id="S", task_id=task_id, route="work", handler=None, parent_id=parent, status="completed",
        attempts=1, metadata={"kind": kind},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("child", "is_fixed"),
    [
        ("report-7", True),
        ("0123456789abcdef0123456789abcdef", False),
        ("0123456789ABCDEF0123456789abcdef", True),
        ("order.1", False),  # derived
        ("order", False),  # of the same run
    ],
)
def test_an_id_is_fixed_unless_it_is_ours_or_derived(child: str, *, is_fixed: bool) -> None:
    rows = [row("a", "order"), row("b", child, "a"), row("c", child, "a")]
    assert fixed_ids_below(rows, ["a"]) == ((child,) if is_fixed else ())


def test_only_what_replayed_messages_brought_forth_counts() -> None:
    rows = [
        row("a", "order"),
        row("b", "report-7", "a"),
        row("c", "page-1", "b"),
        row("d", "order", "b", kind="aggregation"),
        row("e", "page-2", "unknown"),
    ]
    assert fixed_ids_below(rows, ["b"]) == ("page-1",)
    assert fixed_ids_below(rows, ["unknown"]) == ()
    assert fixed_ids_below(rows, []) == ()
