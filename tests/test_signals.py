"""Signals: the defaults take everything and keep nothing."""

from __future__ import annotations

from msgspec import structs

from relayna.signals import (
    AttemptDetails,
    Counters,
    ForwardedMeasures,
    IgnoredCounters,
    IgnoredMeasures,
    IgnoredSpans,
    Measures,
    ReadGauge,
    Reporter,
    SendDetails,
    Spans,
    measures_of,
)


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


class Told(IgnoredMeasures):
    """Measures that a test can look at."""

    def __init__(self) -> None:
        self.told: list[tuple[object, ...]] = []

    def increment(self, name: str, by: int = 1, **labels: str) -> None:
        self.told.append(("increment", name, by, labels))

    def observe(self, name: str, value: float, *, exemplar: str | None = None, **labels: str) -> None:
        self.told.append(("observe", name, value, exemplar, labels))

    def set(self, name: str, value: float, **labels: str) -> None:
        self.told.append(("set", name, value, labels))

    def watch(self, name: str, read: ReadGauge, **labels: str) -> None:
        self.told.append(("watch", name, read(), labels))


def measure_all(measures: Measures) -> None:
    measures.increment("records", 2, source="status")
    measures.observe("seconds", 0.5, exemplar="order", queue="work")
    measures.set("up", 1.0)
    measures.watch("held", lambda: 3, queue="work")


ALL = [
    ("increment", "records", 2, {"source": "status"}),
    ("observe", "seconds", 0.5, "order", {"queue": "work"}),
    ("set", "up", 1.0, {}),
    ("watch", "held", 3, {"queue": "work"}),
]


def test_the_default_measures_nothing() -> None:
    ignored = IgnoredMeasures()
    measure_all(ignored)
    assert vars(ignored) == {}


def test_counters_are_measures_of_what_is_counted_alone() -> None:
    class OnlyCounters:
        def __init__(self) -> None:
            self.told: list[tuple[object, ...]] = []

        def increment(self, name: str, by: int = 1, **labels: str) -> None:
            self.told.append(("increment", name, by, labels))

    counters, measures = OnlyCounters(), Told()
    measure_all(measures_of(counters))
    assert counters.told == ALL[:1]
    assert measures_of(measures) is measures
    measure_all(measures_of(None))


def test_what_is_forwarded_goes_where_it_was_told_first() -> None:
    first, second = Told(), Told()
    forwarded = ForwardedMeasures()
    measure_all(forwarded)  # counted for nobody; only what is watched is watched later
    forwarded.report_to(first)
    assert first.told == ALL[3:]
    forwarded.report_to(second)
    measure_all(forwarded)
    assert first.told[1:] == ALL
    assert second.told == []


def test_who_was_told_when_it_was_made_is_told_no_more() -> None:
    first, second = Told(), Told()
    forwarded = ForwardedMeasures(first)
    assert isinstance(forwarded, Reporter)
    forwarded.report_to(second)
    measure_all(forwarded)
    assert (first.told, second.told) == (ALL, [])
