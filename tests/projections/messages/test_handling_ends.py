"""How rows stand, and where nothing is called done."""

from __future__ import annotations

import pytest
from projections.messages.session_x import rows_by_task, rows_of

from relayna.events import (
    ChildFinished,
)
from relayna.events.history import StreamFact
from relayna.ids import TaskId
from relayna.projections.projection import Item
from relayna.testing import history


def test_a_copy_that_another_worker_gives_back_undoes_no_end() -> None:
    first = history("L1").published().attempt()
    second = first.redelivered()
    first.acked()
    [row] = rows_of(second.released("deferred").events)
    assert (row.status, row.attempts) == ("completed", 2)


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
