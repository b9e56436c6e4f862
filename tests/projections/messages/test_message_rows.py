"""Rows of messages: the worked case, and how attempts become rows."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from projections.hostile_histories import histories
from projections.messages.session_x import ROUTE, SESSION, rows_by_task, rows_of, session_x
from projections.random_histories import random_history

from relayna.events import (
    ChildFinished,
    ChildRegistered,
    DeadLetterRecorded,
    MessageInputRecorded,
    MessageOutputRecorded,
    TaskMessageReceived,
)
from relayna.events.history import StreamFact
from relayna.ids import EventId, MessageId, TaskId, counted_event_id
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


def test_a_child_that_nobody_has_taken_yet_waits_as_a_row() -> None:
    parent = history("L1").published().attempt()
    parent.spawns("L2")
    child = rows_by_task(parent.acked().events)["L2"]
    assert (child.status, child.attempts, child.started_at, child.handler) == ("pending", 0, None, None)


def test_a_published_message_waits_as_a_row() -> None:
    [row] = rows_of(history("L1").published(task_type="resize").events)
    assert (row.status, row.parent_id, row.metadata) == ("pending", None, {"task_type": "resize"})


def test_retries_repeats_and_replays_are_one_row() -> None:
    attempt = history("L1").published().attempt().fails("OSError", "no disk").retried().attempt()
    [row] = rows_of(attempt.events)
    assert (row.status, row.attempts) == ("pending", 2)
    [row] = rows_of(attempt.fails("OSError", "no disk").dead_lettered().events)
    assert (row.status, row.attempts) == ("failed", 2)
    replay = attempt.replayed().attempt()
    [row] = rows_of(replay.events)
    assert (row.status, row.error) == ("pending", None)
    [row] = rows_of(replay.acked().events)
    assert (row.status, row.attempts, row.metadata["replays"]) == ("completed", 3, 1)


def test_a_copy_that_another_worker_gives_back_undoes_no_end() -> None:
    first = history("L1").published().attempt()
    second = first.redelivered()
    first.acked()
    [row] = rows_of(second.released("deferred").events)
    assert (row.status, row.attempts) == ("completed", 2)


def test_a_child_that_failed_has_ended_though_it_is_replayed() -> None:
    parent = history("L1").published().attempt()
    child = parent.spawns("L2")
    parent.acked()
    attempt = child.attempt().fails("OSError").dead_lettered()
    events = [
        event for event in attempt.replayed().attempt().events if not isinstance(event.body, ChildFinished)
    ]
    rows = rows_by_task(events)
    assert (rows["L2"].status, rows["L1"].pending_children, rows["L1"].done) == ("pending", 0, True)
    assert not rows["L1"].subtree_done


def test_who_asks_to_be_handled_again_is_not_done_before_that_is() -> None:
    attempt = history("L1").published().attempt().manually_retried()
    first, waiting = rows_of(attempt.events)
    assert (first.status, first.pending_children, first.done) == ("completed", 1, False)
    assert (waiting.status, waiting.parent_id) == ("pending", first.id)
    again = attempt.attempt()
    first, second = rows_of(again.acked().events)
    assert (second.parent_id, first.done) == (first.id, True)


def test_stages_follow_from_one_another() -> None:
    ingest = history("L1").enters("ingest").attempt()
    one, two = ingest.sends("cut"), ingest.sends("glue")
    ingest.acked()
    ingest.task.attempt(one).acked()
    rows = rows_of(ingest.task.attempt(two).fails("OSError").dead_lettered().events)
    root = rows[0]
    assert [(row.route, row.status, row.parent_id) for row in rows] == [
        ("ingest", "completed", None),
        ("cut", "completed", root.id),
        ("glue", "failed", root.id),
    ]
    assert root.done


def test_a_report_comes_from_the_attempt_that_sent_it() -> None:
    parent = history("L1").published().attempt()
    child = parent.spawns("L2").attempt()
    child.task.attempt(child.reports()).acked()
    rows = rows_of(parent.acked().events)
    [report] = [row for row in rows if row.task_id == "L2" and row.parent_id != rows[0].id]
    assert report.parent_id == next(row.id for row in rows if row.task_id == "L2" and row.id != report.id)


def test_what_a_task_cancelled_had_finished_before_stays_finished() -> None:
    ingest = history("L1", lifecycle_statuses=False).enters("ingest").attempt()
    going_on = ingest.sends("cut")
    ingest.acked().after(1)
    cut = ingest.task.attempt(going_on).status("cancelled").acked()
    first, second = rows_of(cut.events)
    assert (first.status, second.status, first.done) == ("completed", "cancelled", True)
    assert second.completed_at is not None


def test_a_running_message_of_a_cancelled_task_is_cancelled() -> None:
    attempt = history("L1", lifecycle_statuses=False).published().attempt()
    attempt.task.after(1).status("cancelled")
    [row] = rows_of(attempt.events)
    assert (row.status, row.error) == ("cancelled", None)


def test_one_message_at_two_places_is_two_rows() -> None:
    events = history("L1").published().attempt().acked().task.events
    [received] = [event for event in events if isinstance(event.body, TaskMessageReceived)]
    copy = replace(
        received,
        envelope=replace(received.envelope, event_id=EventId("f" * 16 + ".0"), attempt_id="f" * 16),
        body=replace(received.body, queue_name="audit"),
    )
    first, second = rows_of([*events, copy])
    assert (second.id, first.route, second.route) == (f"{first.id}@audit", "work", "audit")


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


def test_a_message_that_the_broker_gave_up_unseen_has_failed() -> None:
    task = history("L1").published()
    letter = DeadLetterRecorded(
        dead_letter_id="letter", reason="expired", message_id=MessageId(task.waiting.message_id),  # type: ignore[union-attr]
        source_queue_name="work",
    )  # fmt: skip
    task.scribe.write(TaskId("L1"), EventId("letter.dead_letter"), letter)
    [row] = rows_of(task.events)
    assert (row.status, row.route, row.attempts) == ("failed", "work", 0)
    assert row.error is not None
    assert row.error.exception_class == "expired"


@pytest.mark.parametrize("confessed", [True, False])
def test_nothing_is_called_done_where_a_word_may_be_missing(*, confessed: bool) -> None:
    attempt = history("L1").published().attempt().loses(confessed=confessed)
    [row] = rows_of(attempt.acked().events)
    assert (row.status, row.done, row.subtree_done) == ("completed", False, False)


@pytest.mark.parametrize("name", ["trimmed", "limit_reached"])
def test_nothing_is_called_done_in_a_stream_that_was_not_read_whole(name: str) -> None:
    events: list[Item] = [*history("L1").published().attempt().acked().events]
    fact = StreamFact(task_id=TaskId("L1"), name=name)  # type: ignore[arg-type]
    assert [row.done for row in rows_of([*events, fact])] == [False]


def test_a_child_whose_stream_is_gone_ended_as_its_parent_says() -> None:
    parent = history("L1").published().attempt()
    child = parent.spawns("L2").attempt()
    child.acked()
    parent.acked()
    events = [event for event in parent.events if event.envelope.task_id == "L1"]
    rows = rows_by_task(events)
    assert (rows["L2"].status, rows["L1"].pending_children, rows["L1"].done) == ("completed", 0, True)
    assert not rows["L1"].subtree_done  # nobody knows whom the child asked


def test_parents_in_a_circle_are_cut() -> None:
    one = history("L1").published().attempt()
    one.spawns("L2").attempt()
    events = one.events
    [registered] = [event for event in events if isinstance(event.body, ChildRegistered)]
    [of_two] = [
        event
        for event in events
        if isinstance(event.body, TaskMessageReceived) and event.envelope.task_id == "L2"
    ]
    back = replace(
        registered,
        envelope=replace(
            registered.envelope, event_id=EventId(f"{of_two.envelope.attempt_id}.9"),
            attempt_id=of_two.envelope.attempt_id, task_id=TaskId("L2"), seq=9,
        ),
        body=ChildRegistered(child_task_id=TaskId("L1"), message_id=one.message.message_id),
    )  # fmt: skip
    parents = [row.parent_id for row in rows_of([*events, back])]
    assert parents.count(None) == 1


@settings(max_examples=60)
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
