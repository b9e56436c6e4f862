"""Each type of event as a few words, for people who read what happened from top to bottom.

Owns the words. Texts of the user's own are in them as they are: whoever shows them makes them safe.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from relayna.events import (
    AggregationDeadLetterPublished,
    AggregationHandlerFailed,
    AggregationMessageAcked,
    AggregationMessageReceived,
    AggregationRetryScheduled,
    Body,
    ChildFinished,
    ChildRegistered,
    ConsumerDeadLetterPublished,
    ConsumerRetryScheduled,
    DeadLetterRecorded,
    DeadLetterReplayClaimed,
    DeadLetterReplayed,
    DecisionRecorded,
    DeliveryRepeated,
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
    TaskLifecycleStatusPublished,
    TaskMessageAcked,
    TaskMessageReceived,
    TaskMessageRejected,
    TaskPublished,
    TaskResourceSampled,
    UsageRecorded,
    WorkflowMessagePublished,
    WorkflowMessageReceived,
    WorkflowStageAcked,
    WorkflowStageFailed,
)

__all__ = ["event_words"]


def event_words(body: Body) -> str:
    """What happened, without its time and place. Never empty."""
    say = _WORDS.get(type(body))
    return type(body).__name__ if say is None else say(body)


# Any: one type of event each, as the table below says.


def _published(body: Any) -> str:
    return f"published{_type(body)}"


def _message_published(body: Any) -> str:
    return f"message to {body.stage} published" if body.stage else "message published"


def _received(body: Any) -> str:
    again = ", a copy that had been handed out before" if body.redelivered else ""
    kind = "report received" if isinstance(body, AggregationMessageReceived) else "received"
    return f"{kind}{_type(body)}{again}"


def _failed(body: Any) -> str:
    return f"the handler raised {_exception(body)}"


def _acked(body: Any) -> str:
    if body.reason == "manual_retry":
        return "done, and asked for again"
    joined = len(getattr(body, "joined_message_ids", ()))
    return f"done, with {_count(joined, 'more message')} joined" if joined else "done"


def _rejected(body: Any) -> str:
    return f"{'given back' if body.requeue else 'refused'}{_why(body.reason)}"


def _retry(body: Any) -> str:
    number = "retry" if body.retry_attempt is None else f"retry {body.retry_attempt}"
    of = "" if body.max_retries is None else f" of {body.max_retries}"
    delay = "" if body.delay_ms is None else f", due in {body.delay_ms / 1000:g} s"
    return f"{number}{of} scheduled{delay}{_why(body.reason)}"


def _dead_letter(body: Any) -> str:
    raised = "" if not body.exception_type else f" after {_exception(body)}"
    return f"dead-lettered{_why(body.reason)}{raised}"


def _replayed(body: Any) -> str:
    return f"dead letter sent again, replay {body.replay_count}{_by(body.replayed_by)}"


def _claimed(body: Any) -> str:
    what = "given up again" if body.withdrawn else "claimed"
    return f"replay {body.replay_count} of a dead letter {what}{_by(body.claimed_by)}"


def _status(body: Any) -> str:
    return f"status {body.status}{_why(body.message)}"


def _sampled(body: Any) -> str:
    cpu = "" if body.cpu_process_seconds is None else f" {body.cpu_process_seconds:g} s of CPU"
    memory = "" if body.memory_rss_bytes is None else f" {body.memory_rss_bytes // 2**20:,} MiB"
    return f"sampled{','.join(part for part in (cpu, memory) if part)}"


def _repeated(body: Any) -> str:
    return "handed out again after it was done, and settled"


def _lost(body: Any) -> str:
    return f"{_count(body.count, 'event')} lost{_why(body.reason)}"


def _child_registered(body: Any) -> str:
    return f"child {body.child_task_id} asked for"


def _child_finished(body: Any) -> str:
    return f"child {body.child_task_id} ended{_why(body.status)}"


def _operator(body: Any) -> str:
    outcome = "" if body.outcome is None else f" {body.outcome}"
    return f"operator: {body.action}{outcome}{_by(body.actor)}{_why(body.problem or body.reason)}"


def _run_edge(body: Any) -> str:
    source = "" if body.source_run is None else f" from {body.source_run}"
    return f"{body.kind}{source} to {body.target_run}{_why(body.label)}"


def _usage(body: Any) -> str:
    return f"used ${body.cost / 1_000_000:.4f} and {_count(body.tokens, 'token')}{_why(body.label)}"


def _decision(body: Any) -> str:
    return f"decided: {body.action}{_by(body.rule)}{_why(body.reason)}"


def _input(body: Any) -> str:
    size = "" if body.payload_bytes is None else f", {_count(body.payload_bytes, 'byte')}"
    kept = "" if body.storage_key is None else ", stored"
    return f"takes in {_digest(body.input_hash)}{size}{kept}"


def _output(body: Any) -> str:
    return f"gives back {_digest(body.output_hash)}"


def _span(body: Any) -> str:
    if body.type == "marker":
        return f"mark {body.name}"
    return f"{body.name} ({body.type}) took {(body.ended_at - body.started_at) / 1_000_000:.3f} s"


def _data(body: Any) -> str:
    return f"produced {body.data_id}{_count_of_sources(body.sources)}"


def _opaque(body: Any) -> str:
    named = f" of type {body.type_name}" if body.type_name else ""
    return f"a record{named} that cannot be read ({body.reason})"


def _type(body: Any) -> str:
    task_type = getattr(body, "task_type", None)
    return f" as {task_type}" if task_type else ""


def _exception(body: Any) -> str:
    message = getattr(body, "exception_message", None)
    return f"{body.exception_type or 'an exception'}{_why(message)}"


def _why(text: str | None) -> str:
    return f": {text}" if text else ""


def _digest(digest: str | None) -> str:
    return "something" if digest is None else digest[:12]


def _count_of_sources(sources: Sequence[str]) -> str:
    return f" from {_count(len(sources), 'source')}" if sources else ""


def _by(name: str | None) -> str:
    return f" by {name}" if name else ""


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


_WORDS: Final[dict[type[Body], Callable[[Any], str]]] = {
    TaskPublished: _published,
    TaskMessageReceived: _received,
    TaskHandlerFailed: _failed,
    TaskMessageAcked: _acked,
    TaskMessageRejected: _rejected,
    TaskLifecycleStatusPublished: _status,
    TaskResourceSampled: _sampled,
    ConsumerRetryScheduled: _retry,
    ConsumerDeadLetterPublished: _dead_letter,
    DeliveryRepeated: _repeated,
    AggregationMessageReceived: _received,
    AggregationHandlerFailed: _failed,
    AggregationMessageAcked: _acked,
    AggregationRetryScheduled: _retry,
    AggregationDeadLetterPublished: _dead_letter,
    WorkflowMessagePublished: _message_published,
    WorkflowMessageReceived: _received,
    WorkflowStageAcked: _acked,
    WorkflowStageFailed: _failed,
    StatusPublished: _status,
    DeadLetterRecorded: _dead_letter,
    DeadLetterReplayed: _replayed,
    DeadLetterReplayClaimed: _claimed,
    EventsLost: _lost,
    MessageInputRecorded: _input,
    MessageOutputRecorded: _output,
    SpanEnded: _span,
    OutputRecorded: _data,
    ChildRegistered: _child_registered,
    ChildFinished: _child_finished,
    OperatorActed: _operator,
    RunEdgeRecorded: _run_edge,
    UsageRecorded: _usage,
    DecisionRecorded: _decision,
    Opaque: _opaque,
}
