"""Which events make an attempt, and what else the one pass over a task's events sorts out."""

from __future__ import annotations

from relayna.events import RecordedEvent, TaskMessageReceived
from relayna.projections.fact_ids import fact_id
from relayna.projections.ordering import in_causal_order
from relayna.projections.reading import Reading, read_events
from relayna.projections.told_order import PlacedEvent
from relayna.testing import history


def reading(events: list[RecordedEvent]) -> Reading:
    ordered, _ = in_causal_order({fact_id(event.envelope): event for event in events})
    return read_events(ordered)


def test_numbers_and_what_opened_it() -> None:
    attempts = reading(history("T").published().attempt().status("x").acked().events).attempts.members
    assert [attempt.seqs for attempt in attempts] == [[0, 1, 2, 3, 4]]
    assert attempts[0].observed
    assert not attempts[0].only_told_of
    assert isinstance(attempts[0].received, TaskMessageReceived)
    assert attempts[0].identity == (attempts[0].received.message_id, "work", 0, 0)


def test_copies_of_other_tasks_facts_make_no_attempt() -> None:
    parent = history("T").published().attempt()
    parent.spawns("C").attempt().acked()
    own = [event for event in parent.events if event.envelope.task_id == "T"]
    assert len(reading(own).attempts.members) == 1


def types(placed: list[PlacedEvent]) -> list[str]:
    return [type(one.event.body).__name__ for one in placed]


def test_everything_that_is_looked_for_later_is_sorted_out_in_order() -> None:
    attempt = history("T").published().attempt().status("x").fails().retried().attempt()
    found = reading(attempt.acked().events)
    assert types(found.statuses) == [
        "TaskLifecycleStatusPublished", "StatusPublished", "TaskLifecycleStatusPublished",
        "TaskLifecycleStatusPublished", "TaskLifecycleStatusPublished",
    ]  # fmt: skip
    assert types(found.others) == ["TaskHandlerFailed", "ConsumerRetryScheduled", "TaskMessageAcked"]
    assert types(found.outside) == ["TaskPublished"]


def test_numbers_that_are_missing_or_told_twice_leave_strays() -> None:
    events = history("T").published().attempt().status("x").status("y").acked().events
    whole = reading(events).attempts.members[0]
    gone = next(event for event in events if event.envelope.seq == 2)
    holed = reading([event for event in events if event is not gone]).attempts.members[0]
    assert (whole.told, list(whole.strays)) == (6, [])
    assert (holed.told, list(holed.strays), holed.seqs) == (2, [3, 4, 5], [0, 1, 3, 4, 5])
