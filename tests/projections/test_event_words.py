from __future__ import annotations

import pytest
from msgspec import Struct

from relayna.events import (
    EVENT_TYPES,
    Body,
    ConsumerDeadLetterPublished,
    ConsumerRetryScheduled,
    DeadLetterReplayClaimed,
    DecisionRecorded,
    EventsLost,
    MessageInputRecorded,
    MessageOutputRecorded,
    Opaque,
    OperatorActed,
    OutputRecorded,
    RunEdgeRecorded,
    SpanEnded,
    StatusPublished,
    TaskHandlerFailed,
    TaskMessageAcked,
    TaskMessageReceived,
    TaskMessageRejected,
    TaskResourceSampled,
    UsageRecorded,
    WorkflowMessagePublished,
    WorkflowStageAcked,
)
from relayna.ids import MessageId, TaskId
from relayna.instants import Instant
from relayna.projections import event_words as module
from relayna.projections.event_words import event_words


def test_every_type_of_event_has_words() -> None:
    assert set(module._WORDS) == {*(event_type for event_type, _ in EVENT_TYPES), Opaque}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (TaskMessageReceived(task_type="email", redelivered=True),
         "received as email, a copy that had been handed out before"),
        (TaskHandlerFailed(exception_type="ValueError"), "the handler raised ValueError"),
        (TaskHandlerFailed(exception_message="no"), "the handler raised an exception: no"),
        (TaskMessageAcked(reason="manual_retry"), "done, and asked for again"),
        (TaskMessageRejected(requeue=True, reason="shutdown"), "given back: shutdown"),
        (TaskMessageRejected(), "refused"),
        (WorkflowStageAcked(joined_message_ids=(MessageId("a"), MessageId("b"))), "done, with 2 more messages joined"),
        (ConsumerRetryScheduled(), "retry scheduled"),
        (ConsumerRetryScheduled(retry_attempt=2, max_retries=3, delay_ms=30_000, reason="failed"),
         "retry 2 of 3 scheduled, due in 30 s: failed"),
        (ConsumerDeadLetterPublished(reason="not_retryable", exception_type="KeyError"),
         "dead-lettered: not_retryable after KeyError"),
        (DeadLetterReplayClaimed(dead_letter_id="x", withdrawn=True, claimed_by="ann"),
         "replay 1 of a dead letter given up again by ann"),
        (StatusPublished(status="charged", message="12 EUR"), "status charged: 12 EUR"),
        (TaskResourceSampled(cpu_process_seconds=1.5, memory_rss_bytes=3 * 2**20), "sampled 1.5 s of CPU, 3 MiB"),
        (TaskResourceSampled(), "sampled"),
        (EventsLost(count=1), "1 event lost"),
        (WorkflowMessagePublished(message_id=MessageId("a")), "message published"),
        (OperatorActed(action="replay", outcome="failed", problem="no queue"), "operator: replay failed: no queue"),
        (RunEdgeRecorded(kind="signal_fire", source_run=TaskId("a"), target_run=TaskId("b"), label="paid"),
         "signal_fire from a to b: paid"),
        (RunEdgeRecorded(kind="domain_callback", target_run=TaskId("b")), "domain_callback to b"),
        (UsageRecorded(cost=12_345, tokens=1_200), "used $0.0123 and 1,200 tokens"),
        (MessageInputRecorded(input_hash="43258cff783fe703", payload_bytes=1_300, storage_key="a/b"),
         "takes in 43258cff783f, 1,300 bytes, stored"),
        (DecisionRecorded(action="block", rule="spend", reason="too dear"), "decided: block by spend: too dear"),
        (MessageOutputRecorded(), "gives back something"),
        (SpanEnded(name="load", started_at=Instant(0), ended_at=Instant(1_500_000)), "load (compute) took 1.500 s"),
        (SpanEnded(name="warm", type="marker", started_at=Instant(0), ended_at=Instant(0)), "mark warm"),
        (OutputRecorded(data_id="d", sources=("b", "c")), "produced d from 2 sources"),
        (OutputRecorded(data_id="d"), "produced d"),
        (Opaque(reason="unknown_type", type_name="New"), "a record of type New that cannot be read (unknown_type)"),
    ],
)  # fmt: skip
def test_words(body: Body, words: str) -> None:
    assert event_words(body) == words


def test_an_event_that_nobody_has_words_for_says_its_name() -> None:
    class SomethingHappened(Struct):
        pass

    assert event_words(SomethingHappened()) == "SomethingHappened"  # type: ignore[arg-type]
