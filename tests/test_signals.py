"""Signals: the defaults take everything and keep nothing."""

from __future__ import annotations

from msgspec import structs

from relayna.signals import AttemptDetails, Counters, IgnoredCounters, IgnoredSpans, SendDetails, Spans


def test_the_default_takes_any_count_and_any_label() -> None:
    counters: Counters = IgnoredCounters()
    counters.increment("records", outcome="appended")
    counters.increment("records", 5)
    assert vars(counters) == {}


def test_the_default_spans_are_none_and_the_headers_stay_the_very_same() -> None:
    spans: Spans = IgnoredSpans()
    headers = {"traceparent": "00-a"}
    send = SendDetails(
        exchange="", routing_key="work", headers=headers, message_id=None, correlation_id=None, body_size=0
    )
    with spans.sending(send) as sent:
        assert sent is headers
    attempt = AttemptDetails(
        **structs.asdict(send),
        queue_name="work",
        delivery_tag=1,
        task_id="order",
        session_id=None,
        attempt_id="a",
        retry_attempt=0,
    )
    with spans.processing(attempt) as span, spans.processing(attempt) as again:
        span.raised(ValueError())
        span.failed("ValueError", "")
        span.ended("acked")
        assert again is span
    assert vars(span) == {}
