"""Rows of messages: the worked case, and how attempts become rows."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from projections.hostile_histories import histories
from projections.messages.session_x import ROUTE, SESSION, rows_by_task, rows_of, session_x
from projections.random_histories import random_history

from relayna.events import (
    MessageInputRecorded,
    MessageOutputRecorded,
)
from relayna.ids import counted_event_id
from relayna.projections.messages.message_row import MessageRow
from relayna.projections.projection import Item
from relayna.testing import history


def test_the_worked_case_step_by_step() -> None:
    seen = [(row.pending_children, row.done) for step in session_x() if (row := rows_by_task(step)["L1"])]
    assert seen == [(3, False), (1, False), (1, False), (0, True), (0, True)]


def test_the_worked_case_in_the_end() -> None:
    rows = rows_by_task(session_x()[-1])
    assert {name: row.status for name, row in rows.items()} == {
        "L1": "completed", "L2a": "completed", "L2b": "completed", "L2c": "failed", "L3a": "completed", "L3b": "completed",
    }  # fmt: skip
    assert {row.session_id for row in rows.values()} == {SESSION}
    assert {row.route for row in rows.values()} == {ROUTE}
    named = {row.id: name for name, row in rows.items()}
    parents = {name: named.get(row.parent_id or "") for name, row in rows.items()}
    assert parents == {"L1": None, "L2a": "L1", "L2b": "L1", "L2c": "L1", "L3a": "L2a", "L3b": "L2b"}
    failed = rows["L2c"]
    assert failed.error is not None
    assert (failed.error.exception_class, failed.error.message, failed.attempts) == ("KeyError", "'id'", 2)
    assert not failed.done
    assert rows["L1"].subtree_done
    assert rows["L1"].completed_at is not None
    assert (rows["L1"].started_at or 0) < rows["L1"].completed_at


def test_the_subtree_is_done_when_the_last_descendant_is() -> None:
    before = rows_by_task(session_x()[-2])
    assert (before["L1"].done, before["L1"].subtree_done, before["L2a"].pending_children) == (True, False, 1)


def test_what_is_recorded_of_contents_is_told() -> None:
    attempt = history("L1").published().attempt()
    message_id = attempt.message.message_id
    given = MessageInputRecorded(
        message_id=message_id, input_hash="in", payload_bytes=7, storage_key="default/abc", exchange="tasks",
        routing_key="task", queue_name="work", batch_id="holiday", handler="resize",
    )  # fmt: skip
    attempt._beside(counted_event_id(attempt.attempt_id, "lineage", 1), given)
    returned = MessageOutputRecorded(message_id=message_id, output_hash="out")
    attempt._beside(counted_event_id(attempt.attempt_id, "lineage", 2), returned)
    [row] = rows_of(attempt.acked().events)
    assert (row.input_hash, row.output_hash, row.handler, row.batch_id) == ("in", "out", "resize", "holiday")
    assert row.metadata == {
        "queue_name": "work", "exchange": "tasks", "routing_key": "task", "payload_bytes": 7, "storage_key": "default/abc",
        "kind": "task",
    }  # fmt: skip


@settings(max_examples=40)
@given(items=histories)
def test_whatever_is_recorded_rows_are_a_forest_with_right_counts(items: list[Item]) -> None:
    check_forest(items)


@pytest.mark.parametrize("seed", range(40))
def test_realistic_rows_are_a_forest_in_any_order(seed: int) -> None:
    items = random_history(seed)
    rows = check_forest(items)
    shuffled = [*items, *items[::3]]
    random.Random(seed).shuffle(shuffled)
    assert rows_of(shuffled, "root") == rows


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000), data=st.data())
def test_done_stays_done_and_is_said_only_when_every_child_is_known(seed: int, data: st.DataObject) -> None:
    """Whatever prefix of each stream a reader sees, and however long ago it read the parent's."""
    events = random_history(seed)
    cuts = {
        task: data.draw(st.integers(0, sum(event.envelope.task_id == task for event in events)))
        for task in sorted({event.envelope.task_id for event in events})
    }
    seen: list[Item] = []
    for event in events:
        if cuts[event.envelope.task_id] > 0:
            cuts[event.envelope.task_id] -= 1
            seen.append(event)
    children = count_children(rows_of(events, "root"))
    for row in rows_of(seen, "root"):
        if row.done:
            assert count_children(rows_of(seen, "root"))[row.id] >= children[row.id]


def count_children(rows: list[MessageRow]) -> dict[str, int]:
    """How many registered children each row has: those of other tasks, and those of its stages."""
    counts = {row.id: 0 for row in rows}
    tasks = {row.id: row.task_id for row in rows}
    for row in rows:
        parent = row.parent_id
        if parent is not None and tasks[parent] != row.task_id:
            counts[parent] += 1
    return counts


def check_forest(items: list[Item]) -> list[MessageRow]:
    rows = rows_of(items, "root")
    by_id = {row.id: row for row in rows}
    assert len(by_id) == len(rows)
    for row in rows:
        seen = {row.id}
        at = row
        while at.parent_id is not None:
            at = by_id[at.parent_id]
            assert at.id not in seen
            seen.add(at.id)
        children = [one for one in rows if one.parent_id == row.id]
        assert 0 <= row.pending_children <= len(children)
        assert row.done <= (row.status == "completed" and row.pending_children == 0)
        assert row.subtree_done <= row.done
        assert (row.error is None) == (row.status != "failed")
    return rows
