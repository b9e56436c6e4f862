"""Stragglers from outside an attempt prove what was there before them."""

from __future__ import annotations

import pytest
from projections.test_execution import graph_of

from relayna.events import (
    ChildFinished,
    ChildRegistered,
    DeadLetterReplayed,
    Envelope,
    EventsLost,
    RecordedEvent,
    StatusPublished,
)
from relayna.events.history import StreamFact
from relayna.events.vocabulary import Body
from relayna.ids import EventId, TaskId
from relayna.instants import Instant
from relayna.projections.dangling import dangling_facts
from relayna.projections.fact_ids import fact_id
from relayna.projections.gathering import gather_task_run
from relayna.testing import history


def outside(event_id: str, body: Body, *, cause: str | None = None) -> RecordedEvent:
    """A fact that is told at the epoch, from outside any attempt."""
    envelope = Envelope(
        event_id=EventId(event_id),
        timestamp=Instant(0),
        task_id=TaskId("T"),
        cause=None if cause is None else EventId(cause),
    )
    return RecordedEvent(envelope=envelope, body=body)


CHILD = TaskId("C")
ENDED = outside("c1.4@T", ChildFinished(child_task_id=CHILD, status="completed"))
REGISTERED = outside("x.registered.p", ChildRegistered(child_task_id=CHILD))
REPLAYED = outside("letter.replayed.1", DeadLetterReplayed(dead_letter_id="letter"))
TOLD = outside("m.status", StatusPublished(status="completed"), cause="00000000000000aa.3")


def names(*events: RecordedEvent, observed: bool = True) -> list[str]:
    run = gather_task_run(TaskId("T"), {fact_id(event.envelope): event for event in events})
    return [placed.own_id for placed in dangling_facts(run, observed=observed)]


def after(straggler: RecordedEvent) -> list[RecordedEvent | StreamFact]:
    """A stream that it began anew, and a message that came later and lost nothing."""
    return [straggler, *history("T").published().attempt().acked().events]


def test_the_end_of_a_child_that_was_never_registered() -> None:
    assert names(ENDED) == ["c1.4"]
    assert names(ENDED, REGISTERED) == []


def test_records_of_other_programs_need_register_no_children() -> None:
    assert names(outside("theirs", ChildFinished(child_task_id=CHILD))) == []


def test_a_replay_where_there_is_no_dead_letter() -> None:
    assert names(REPLAYED) == ["letter.replayed.1"]
    replayed = history("T").published().attempt().fails().dead_lettered().replayed().attempt().acked()
    assert names(*replayed.events) == []


def test_a_status_of_an_attempt_that_is_not_here() -> None:
    assert names(TOLD) == ["m.status"]
    assert names(TOLD, observed=False) == []
    assert names(outside("m.status", StatusPublished(status="sent"), cause="theirs")) == []
    relayed = history("T").published().attempt().status("sent").relayed().acked().events
    assert names(*relayed) == []


@pytest.mark.parametrize("straggler", [ENDED, REPLAYED, TOLD])
def test_a_task_that_goes_on_after_a_straggler_lacks_its_head(straggler: RecordedEvent) -> None:
    graph = graph_of(after(straggler))
    assert graph.summary.graph_completeness == "partial"
    assert "head_missing" in graph.annotations["completeness"]
    assert graph.annotations["gaps"][0]["named_by"] in names(straggler)


def test_in_a_trimmed_stream_they_are_trimmed() -> None:
    trimmed = StreamFact(task_id=TaskId("T"), name="trimmed")
    assert graph_of([*after(REPLAYED), trimmed]).annotations["completeness"] == ["trimmed"]


def test_a_loss_outside_attempts_explains_one() -> None:
    lost = outside("p.lost.1", EventsLost(count=1, reason="buffer_full"))
    assert graph_of([*after(REPLAYED), lost]).annotations["completeness"] == ["reported_loss"]


@pytest.mark.parametrize(
    "events",
    [
        history("T").published().attempt().fails().retried().attempt().status("sent").acked().events,
        history("T").published().attempt().fails().dead_lettered().replayed().attempt().acked().events,
        history("T")
        .published()
        .attempt()
        .manually_retried()
        .attempt()
        .status("sent")
        .relayed()
        .acked()
        .events,
        history("T").enters("a").attempt().status("half").acked().repeated().events,
    ],
)
def test_whatever_is_left_of_a_history_lacks_its_head(events: list[RecordedEvent]) -> None:
    assert graph_of([*events]).summary.graph_completeness == "full"
    for first in range(1, len(events)):
        reasons = graph_of([*events[first:]]).annotations.get("completeness", [])
        assert "head_missing" in reasons, events[first].body
