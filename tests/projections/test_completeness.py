"""What is known to be missing, each with its own reason, and what is not."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from projections.plain_histories import at, plain_items
from projections.test_execution import graph_of

from relayna.events import (
    ChildRegistered,
    Envelope,
    EventsLost,
    OutputRecorded,
    RecordedEvent,
    SpanEnded,
    StatusPublished,
)
from relayna.events.history import StreamFact
from relayna.ids import EventId, TaskId
from relayna.instants import Instant
from relayna.projections.completeness import _confessed, _without, has_observations, proved_to
from relayna.projections.gathering import gather_task_run
from relayna.testing import history, nodes

TRIMMED = StreamFact(task_id="T", name="trimmed")  # type: ignore[arg-type]


def three_attempts() -> list[RecordedEvent]:
    task = history("T").published()
    return (
        task.attempt().fails().retried().attempt().fails().retried().attempt().status("sent").acked().events
    )


def reasons(items: list[RecordedEvent | StreamFact]) -> list[str]:
    return graph_of(items).annotations.get("completeness", [])


def keep(events: list[RecordedEvent], wanted: Callable[[RecordedEvent], bool]) -> list[RecordedEvent]:
    return [event for event in events if wanted(event)]


def test_a_history_that_lost_nothing_is_full() -> None:
    assert reasons([*three_attempts()]) == []
    assert graph_of(three_attempts()).summary.graph_completeness == "full"


def test_a_long_task_that_lost_nothing_is_full() -> None:
    attempt = history("T").published().attempt()
    for _ in range(4_990):
        attempt.status("working")
    events = attempt.acked().events
    assert len(events) > 4_990
    assert reasons([*events]) == []
    assert nodes(graph_of(events), "task_attempt")[0].annotations["proved_to"] == 4_993


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_a_missing_number_is_a_gap(lost: int) -> None:
    events = [*three_attempts()]
    second = [event for event in events if event.envelope.attempt_id == "0000000000000005"]
    gone = next(event for event in second if event.envelope.seq == lost)
    graph = graph_of([event for event in events if event is not gone])
    assert graph.annotations["completeness"] == ["gap"]
    assert graph.annotations["gaps"] == [
        {"reason": "gap", "task_id": "T", "attempt": "0000000000000005", "ranges": [[lost, lost]]}
    ]


def test_a_missing_closing_event_is_proved_by_the_message_that_it_sent() -> None:
    events = keep(three_attempts(), lambda event: event.envelope.event_id != "0000000000000002.4")
    graph = graph_of(events)
    assert graph.annotations["completeness"] == ["gap", "unclosed"]
    born = next(edge for edge in graph.edges if edge.target == "task-attempt:T:2")
    assert born.annotations == {"evidence": "inferred", "rule": "cause_missing"}


def test_a_loss_that_is_confessed_is_no_gap() -> None:
    attempt = history("T").published().attempt().status("one").loses(2).status("two").acked()
    graph = graph_of(attempt.events)
    assert graph.annotations["completeness"] == ["reported_loss"]
    assert graph.annotations["gaps"][0]["ranges"] == [[3, 4]]
    silent = history("T").published().attempt().loses(2, confessed=False).acked()
    assert reasons([*silent.events]) == ["gap"]


def test_a_lost_closing_event_has_the_outcome_that_was_confessed() -> None:
    attempt = history("T", lifecycle_statuses=False).published().attempt()
    envelope = Envelope(
        event_id="x.lost.0",
        timestamp=attempt.task.scribe.now,
        task_id="T",
        attempt_id=attempt.attempt_id,  # type: ignore[arg-type]
    )
    lost = EventsLost(seq_ranges=((1, 1),), count=1, reason="disk_full", outcome="TaskMessageAcked")
    graph = graph_of([*attempt.events, RecordedEvent(envelope=envelope, body=lost)])
    assert nodes(graph, "task_attempt")[0].annotations["outcome"] == "acked"
    assert graph.annotations["completeness"] == ["reported_loss"]


def test_a_trimmed_stream_says_so_and_its_lost_head_is_no_gap() -> None:
    events = keep(three_attempts(), lambda event: (event.envelope.seq or 0) > 1 or event.envelope.seq is None)
    kept = keep(events[1:], lambda event: event.envelope.attempt_id != "0000000000000002")
    assert "trimmed" in reasons([*kept, TRIMMED])
    assert "gap" not in reasons([*kept, TRIMMED])


def test_a_straggler_after_expiry_lacks_the_head() -> None:
    assert reasons([*three_attempts()[-2:]]) == ["head_missing"]
    assert reasons([*three_attempts()[-1:]]) == ["head_missing"]
    repeated = history("T").published().attempt().acked().repeated().events
    assert reasons([*repeated[-1:]]) == ["head_missing"]


def test_a_straggler_after_its_relayed_status_lacks_the_head_too() -> None:
    events = history("T").published().attempt().status("sent").relayed().acked().events
    assert reasons([*keep(events, lambda event: event.envelope.seq not in (0, 1, 2))[1:]]) == ["head_missing"]


def test_a_producer_that_records_nothing_is_not_missed() -> None:
    events = history("T").sent_by_others().attempt().acked().events
    assert reasons([*events]) == []


def test_a_producers_record_that_is_missing_is_missed() -> None:
    events = history("T").published().attempt().acked().events
    assert reasons([*events[1:]]) == ["head_missing"]


def test_records_without_numbers_are_never_a_gap() -> None:
    foreign = [
        at(0, "TaskMessageReceived", attempt_id="a1", event_id="e1"),
        at(1, "TaskMessageAcked", attempt_id="a1", event_id="e9"),
        at(2, "StatusPublished", attempt_id="a2", status="odd"),
    ]
    assert reasons([*plain_items(observations=foreign)]) == []  # type: ignore[list-item]


def test_a_child_that_a_childs_record_left_is_no_observation_of_the_parent() -> None:
    envelope = Envelope(event_id="c.registered.p1", timestamp=0, task_id="T")  # type: ignore[arg-type]
    left = RecordedEvent(envelope=envelope, body=ChildRegistered(child_task_id="C"))  # type: ignore[arg-type]
    assert reasons([left]) == ["no_observations"]
    run = gather_task_run("T", {envelope.event_id: left})  # type: ignore[arg-type]
    assert not has_observations(run)


def test_how_far_an_attempt_is_proved() -> None:
    events = {event.envelope.event_id: event for event in three_attempts()}
    whole = gather_task_run("T", events).attempts.members  # type: ignore[arg-type]
    assert [proved_to(attempt) for attempt in whole] == [4, 4, 4]
    del events["0000000000000005.1"]  # type: ignore[arg-type]
    broken = gather_task_run("T", events).attempts.members  # type: ignore[arg-type]
    assert [proved_to(attempt) for attempt in broken] == [4, 0, 4]


ranges = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=8)


@given(lost=ranges, seqs=st.sets(st.integers(0, 30)))
def test_what_is_left_of_the_holes_is_what_nobody_confessed(
    lost: list[tuple[int, int]], seqs: set[int]
) -> None:
    holes = [(seq, seq) for seq in sorted(seqs)]
    left = _without(holes, _confessed([EventsLost(seq_ranges=tuple(lost))]))
    confessed = {seq for first, last in lost for seq in range(first, last + 1)}
    assert [seq for first, last in left for seq in range(first, last + 1)] == sorted(seqs - confessed)


@given(lost=ranges, bounds=st.lists(st.integers(0, 40), unique=True, max_size=10))
def test_holes_of_any_width(lost: list[tuple[int, int]], bounds: list[int]) -> None:
    bounds = sorted(bounds)
    holes = list(zip(bounds[::2], bounds[1::2], strict=False))
    left = _without(holes, _confessed([EventsLost(seq_ranges=(one,)) for one in lost]))
    confessed = {seq for first, last in lost for seq in range(first, last + 1)}
    missing = {seq for first, last in holes for seq in range(first, last + 1)}
    assert [seq for first, last in left for seq in range(first, last + 1)] == sorted(missing - confessed)


def uploaded() -> list[RecordedEvent]:
    """What anybody can send of any task, with times of its own."""
    early = Instant(-9)
    bodies = (SpanEnded(name="read", started_at=early, ended_at=early), OutputRecorded(data_id="d"))
    return [
        RecordedEvent(
            envelope=Envelope(event_id=EventId(f"up.{number}"), timestamp=early, task_id=TaskId("T")),
            body=body,
        )
        for number, body in enumerate(bodies)
    ]


def test_what_was_uploaded_is_nothing_that_a_worker_told() -> None:
    envelope = Envelope(event_id=EventId("status.1"), timestamp=Instant(1), task_id=TaskId("T"))
    by_a_store = RecordedEvent(envelope=envelope, body=StatusPublished(status="completed"))
    assert reasons([by_a_store, *uploaded()]) == reasons([by_a_store]) == ["no_observations"]


def test_what_was_uploaded_hides_no_missing_beginning() -> None:
    headless = history("T").published().attempt().acked().events[1:]
    assert reasons([*uploaded(), *headless]) == reasons([*headless]) == ["head_missing"]
