"""Measures attempts by what their spans are told: how many, how they ended, how long they and their messages waited.

Owns that measuring, around whatever spans there are. Makes no spans of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final

import anyio

from relayna.clock import Clock
from relayna.consumer.guarded_spans import GuardedSpans
from relayna.consumer.messages.published_at import seconds_since_published
from relayna.signals import (
    AttemptDetails,
    AttemptSpan,
    Counters,
    IgnoredSpans,
    Measures,
    SendDetails,
    Spans,
    measures_of,
)

__all__ = ["DUPLICATE", "MeasuredSpans", "begin_counting", "measured_spans"]

DUPLICATE: Final = "duplicate"
"""What a delivery ends as whose attempt was another: no attempt of its own."""


_OUTCOMES: Final = ("acked", "retried", "manual_retry", "dead_lettered", "released")
_REASONS: Final = ("retries_exhausted", "not_retryable", "malformed_message", "poison")


def begin_counting(counters: Counters, queues: Iterable[str]) -> None:
    """Count nothing at these queues, so that the first that is counted is seen as an increase."""
    for queue in queues:
        for outcome in _OUTCOMES:
            counters.increment("relayna_attempts_total", 0, queue=queue, outcome=outcome)
        for reason in _REASONS:
            counters.increment("relayna_dead_letters_total", 0, queue=queue, reason=reason)


def measured_spans(spans: Spans | None, counters: Counters | None, clock: Clock) -> Spans:
    """These spans, which may harm no message, or none; measured where anybody counts."""
    measures = measures_of(counters)
    guarded = IgnoredSpans() if spans is None else GuardedSpans(spans, measures)
    return guarded if counters is None else MeasuredSpans(guarded, measures, clock)


class MeasuredSpans:
    """The same spans; `relayna_attempts_total` and its siblings say what they are told."""

    def __init__(self, spans: Spans, measures: Measures, clock: Clock) -> None:
        self._spans = spans
        self._measures = measures
        self._clock = clock
        self._in_progress: dict[str, _InProgress] = {}

    def sending(
        self, details: SendDetails
    ) -> AbstractContextManager[Mapping[str, Any]]:  # Any: AMQP header values
        """As the spans do it."""
        return self._spans.sending(details)

    @contextmanager
    def processing(self, details: AttemptDetails) -> Iterator[AttemptSpan]:
        """In progress from receipt to settlement; its duration is from receipt to the event that closes it."""
        self._observe_wait(details)
        in_progress = self._of_queue(details.queue_name)
        in_progress.count += 1
        try:
            with self._spans.processing(details) as span:
                yield _MeasuredAttempt(span, self._measures, details)
        finally:
            in_progress.count -= 1

    def _observe_wait(self, details: AttemptDetails) -> None:
        """Of first deliveries only: retries wait on purpose, and what is handed out again was taken before."""
        if details.retry_attempt or details.redelivered:
            return
        waited = seconds_since_published(details.headers, self._clock.now())
        if waited is not None:
            self._measures.observe(
                "relayna_queue_wait_seconds", waited, exemplar=details.task_id, queue=details.queue_name
            )

    def _of_queue(self, queue_name: str) -> _InProgress:
        found = self._in_progress.get(queue_name)
        if found is None:
            found = self._in_progress[queue_name] = _InProgress()
            self._measures.watch("relayna_attempts_in_progress", found.read, queue=queue_name)
        return found


class _InProgress:
    """Attempts of one queue that have begun and not ended."""

    def __init__(self) -> None:
        self.count = 0

    def read(self) -> float:
        return self.count


class _MeasuredAttempt:
    """An attempt's span that measures when it is told the end."""

    def __init__(self, span: AttemptSpan, measures: Measures, details: AttemptDetails) -> None:
        self._span = span
        self._measures = measures
        self._queue = details.queue_name
        self._task_id = details.task_id
        self._begun = anyio.current_time()

    def raised(self, error: BaseException) -> None:
        self._span.raised(error)

    def failed(self, error_type: str, message: str) -> None:
        self._span.failed(error_type, message)

    def ended(self, outcome: str) -> None:
        self._span.ended(outcome)
        if outcome == DUPLICATE:
            self._measures.increment("relayna_deliveries_repeated_total", queue=self._queue)
            return
        seconds = anyio.current_time() - self._begun
        self._measures.increment("relayna_attempts_total", queue=self._queue, outcome=outcome)
        self._measures.observe(
            "relayna_attempt_duration_seconds", seconds, exemplar=self._task_id, queue=self._queue
        )
