"""When records of dead letters are one letter, and which attempt it ended."""

from __future__ import annotations

from typing import Any

from projections.plain_histories import at, plain_items
from projections.test_execution import graph_of

from relayna.events import DeadLetterRecorded, Envelope, RecordedEvent
from relayna.testing import edges, history, nodes


def test_observed_and_stored_it_is_one() -> None:
    graph = graph_of(history("T").published().attempt().dead_lettered("poison").events)
    letter = nodes(graph, "dlq_record")
    assert [(one.label, one.annotations["state"]) for one in letter] == [("poison", "dead_lettered")]
    assert letter[0].annotations["dead_letter_id"].startswith("letter-")


def test_stored_alone_it_still_ends_its_attempt() -> None:
    events = history("T").published().attempt().dead_lettered().events
    graph = graph_of(events[:-1])
    assert edges(graph, "dead_lettered_to") == [("task-attempt:T:1", "dlq:T:1")]
    assert nodes(graph, "task_attempt")[0].annotations["outcome"] == "dead_lettered"


def test_a_letter_stored_by_a_worker_that_died_is_the_one_that_the_next_worker_closed_with() -> None:
    first = history("T").published().attempt().dead_lettered()
    killed = [event for event in first.events if event.envelope.event_id != first.last_event_id]
    second = first.redelivered(delivery_count=1).dead_lettered()
    events = [
        event for event in second.events if event in killed or event not in first.events[: len(killed) + 1]
    ]
    assert len(nodes(graph_of(events), "dlq_record")) == 1


def test_a_letter_of_the_brokers_closes_the_attempt_of_the_copy_that_it_gave_up() -> None:
    first = history("T").published().attempt().retried()
    first.attempt()
    letter = _from_queue(first, cause=first.last_event_id)
    graph = graph_of([*first.events, letter])
    assert edges(graph, "dead_lettered_to") == [("task-attempt:T:2", "dlq:T:1")]
    assert [one.annotations["state"] for one in nodes(graph, "task_attempt")] == ["failed", "dead_lettered"]
    assert "unclosed" not in graph.annotations.get("completeness", [])


def test_a_letter_does_not_end_an_attempt_that_came_after_it() -> None:
    first = history("T").published().attempt().released()
    letter = _from_queue(first, cause=None)
    first.after(60).redelivered().acked()
    graph = graph_of([*first.events, letter])
    assert edges(graph, "dead_lettered_to") == [("task-attempt:T:1", "dlq:T:1")]


def test_a_letter_of_a_message_that_nobody_handled_hangs_on_the_task() -> None:
    task = history("T").published()
    task.attempt()
    other = task.published()
    assert other.waiting is not None
    record = at(0, reason="expired", message_id=other.waiting.message_id)
    graph = graph_of([*task.events, *plain_items(letters=[record])])
    assert edges(graph, "dead_lettered_to") == [("task:T", "dlq:T:1")]
    assert nodes(graph, "task_attempt")[0].annotations["state"] == "running"


def test_plain_ones_are_one_when_reason_number_and_instant_agree() -> None:
    observed = [
        at(0, "TaskMessageReceived"),
        at(1, "ConsumerDeadLetterPublished", reason="r", retry_attempt=1),
    ]

    def count(**letter: Any) -> int:
        graph = graph_of(plain_items(observations=observed, letters=[at(1, **letter)]))
        return len(nodes(graph, "dlq_record"))

    assert count(reason="r", retry_attempt=1) == 1
    assert count(reason="r") == 1
    assert count() == 1
    assert count(reason="other") == 2
    assert count(reason="r", retry_attempt=2) == 2


def test_two_letters_of_one_instant_are_two() -> None:
    observed = [at(1, "ConsumerDeadLetterPublished", reason="r", delay=number) for number in (1, 2)]
    stored = [at(1, reason="r", dlq_id=f"d{number}") for number in (1, 2)]
    graph = graph_of(plain_items(observations=observed, letters=stored))
    assert len(nodes(graph, "dlq_record")) == 2


def test_a_replay_is_known_by_its_letter_or_by_its_cause() -> None:
    events = history("T").published().attempt().dead_lettered().events
    closing = events[-1].envelope.event_id
    replay = at(
        9, "DeadLetterReplayed", dead_letter_id="renamed", cause=closing, event_id="renamed.replayed.1"
    )
    graph = graph_of([*events, *plain_items(observations=[replay])])
    assert nodes(graph, "dlq_record")[0].annotations["state"] == "replayed"


def _from_queue(attempt: Any, *, cause: Any) -> RecordedEvent:
    """What a consumer of the dead-letter queue records: it knows the message and no attempt."""
    envelope = Envelope(
        event_id="d9.dead_letter",
        timestamp=attempt.task.scribe.now,
        task_id="T",
        cause=cause,  # type: ignore[arg-type]
    )
    body = DeadLetterRecorded(
        dead_letter_id="d9", reason="delivery_limit", message_id=attempt.message.message_id
    )
    return RecordedEvent(envelope=envelope, body=body)
