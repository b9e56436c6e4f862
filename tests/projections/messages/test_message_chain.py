"""Chains, children, batches, failures and counts of rows."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from projections.messages.session_x import rows_by_task, rows_of, session_x

from relayna.instants import Instant
from relayna.projections.messages.message_chain import (
    HandlerCount,
    batch_of,
    chain_of,
    children_of,
    failures_of_rows,
    handler_counts,
)
from relayna.projections.messages.message_row import MESSAGE_STATUSES, MessageRow, MessageStatus


def row(name: str, parent: str | None = None, **fields: object) -> MessageRow:
    given: dict[str, object] = {
        "session_id": "S", "task_id": name, "route": "work", "handler": "a", "status": "completed", "attempts": 1,
    }  # fmt: skip
    return MessageRow(id=name, parent_id=parent, **{**given, **fields})  # type: ignore[arg-type]


def test_the_worked_case() -> None:
    rows = rows_of(session_x()[-1])
    assert handler_counts(rows) == [
        HandlerCount(route="r1", handler="a1", count=1, completed=1),
        HandlerCount(route="r1", handler="a2", count=3, completed=2, failed=1),
        HandlerCount(route="r1", handler="a3", count=2, completed=2),
    ]
    by_task = rows_by_task(session_x()[-1])
    chain = chain_of(rows, by_task["L2c"].id)
    assert chain is not None
    assert (chain.ancestors, chain.descendants) == ([by_task["L1"]], [])
    assert failures_of_rows(rows) == [by_task["L2c"]]
    assert children_of(rows, by_task["L1"].id) == [by_task[name] for name in ("L2a", "L2b", "L2c")]


def test_a_chain_goes_up_to_the_root_and_down_to_the_last() -> None:
    rows = [
        row("a"),
        row("b", "a"),
        row("c", "b"),
        row("d", "c"),
        row("e", "c"),
        row("f", "a"),
        row("g", "lost"),
    ]
    chain = chain_of(rows, "c")
    assert chain is not None
    assert [one.id for one in chain.ancestors] == ["b", "a"]
    assert [one.id for one in chain.descendants] == ["d", "e"]
    assert chain_of(rows, "nobody") is None
    orphan = chain_of(rows, "g")
    assert orphan is not None
    assert (orphan.ancestors, orphan.descendants) == ([], [])


def test_failures_are_newest_first_and_untimed_ones_last() -> None:
    rows = [
        row("old", status="failed", completed_at=Instant(1)),
        row("untimed", status="failed"),
        row("new", status="failed", completed_at=Instant(2)),
        row("fine", completed_at=Instant(3)),
    ]
    assert [one.id for one in failures_of_rows(rows)] == ["new", "old", "untimed"]


def test_batches() -> None:
    rows = [row("a", batch_id="holiday"), row("b"), row("c", batch_id="holiday")]
    assert [one.id for one in batch_of(rows, "holiday")] == ["a", "c"]


@pytest.mark.parametrize("status", MESSAGE_STATUSES)
def test_each_status_has_its_count(status: MessageStatus) -> None:
    [count] = handler_counts([row("a", status=status)])
    assert {name: getattr(count, name) for name in MESSAGE_STATUSES} == {
        name: int(name == status) for name in MESSAGE_STATUSES
    }


@settings(max_examples=60)
@given(parents=st.lists(st.one_of(st.none(), st.integers(0, 12)), max_size=12))
def test_chains_end_whatever_the_parents_are(parents: list[int | None]) -> None:
    rows = [row(str(n), None if parent is None else str(parent)) for n, parent in enumerate(parents)]
    for one in rows:
        chain = chain_of(rows, one.id)
        assert chain is not None
        for part in (chain.ancestors, chain.descendants):
            names = [other.id for other in part]
            assert len(set(names)) == len(names)
            assert one.id not in names
