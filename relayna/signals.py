"""Protocols through which lower layers report numbers and spans, without knowing who takes them.

Implemented above (metrics, tracing, tests) and passed in. Owns no state, and no names of a metrics or tracing
library.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import Any, Final, Protocol, Self, runtime_checkable

from msgspec import Struct

__all__ = [
    "AttemptDetails",
    "AttemptSpan",
    "Counters",
    "ForwardedMeasures",
    "IgnoredAttemptSpan",
    "IgnoredCounters",
    "IgnoredMeasures",
    "IgnoredSpans",
    "Measures",
    "ReadGauge",
    "Reporter",
    "SendDetails",
    "ServedMeasures",
    "Spans",
    "have_report",
    "measures_of",
]

ReadGauge = Callable[[], float | None]
"""What a gauge stands at; None while there is nothing to say. Callable from any thread."""


class Counters(Protocol):
    """Where counted happenings go. Must be cheap, thread-safe and never raise."""

    def increment(self, name: str, by: int = 1, **labels: str) -> None:
        """Add `by` to the counter `name` with these label values."""


class IgnoredCounters:
    """Counts nothing: the default where nobody asked."""

    def increment(self, name: str, by: int = 1, **labels: str) -> None:
        """Do nothing."""


@runtime_checkable
class Measures(Counters, Protocol):
    """Where all numbers go. Must be cheap, thread-safe and never raise, whatever name or value it is told."""

    def observe(self, name: str, value: float, *, exemplar: str | None = None, **labels: str) -> None:
        """One more value of the distribution `name`; `exemplar` is the task that it was seen at."""

    def set(self, name: str, value: float, **labels: str) -> None:
        """The gauge `name` stands at `value` from now on."""

    def watch(self, name: str, read: ReadGauge, **labels: str) -> None:
        """Call the bound method `read` whenever somebody looks at the gauge `name`, as long as its object lives.

        What several say of one gauge is brought together. Costs nothing in between.
        """


class IgnoredMeasures(IgnoredCounters):
    """Measures nothing: the default where nobody asked."""

    def observe(self, name: str, value: float, *, exemplar: str | None = None, **labels: str) -> None:
        """Do nothing."""

    def set(self, name: str, value: float, **labels: str) -> None:
        """Do nothing."""

    def watch(self, name: str, read: ReadGauge, **labels: str) -> None:
        """Do nothing."""


@runtime_checkable
class ServedMeasures(Measures, Protocol):
    """Measures that others may look at while they are entered; several may enter them, on one event loop."""

    async def __aenter__(self) -> Self:
        """Let others look."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """When the last has left, nobody can look any more."""


@runtime_checkable
class Reporter(Protocol):
    """What measures something, and can be told where to report when that is known only after it was made."""

    def report_to(self, measures: Measures) -> None:
        """Report there from now on, unless somebody said where before."""


class _CountedOnly(IgnoredMeasures):
    def __init__(self, counters: Counters) -> None:
        self._counters = counters

    def increment(self, name: str, by: int = 1, **labels: str) -> None:
        self._counters.increment(name, by, **labels)


def measures_of(counters: Counters | None) -> Measures:
    """The same, when they are measures; else measures of which only what is counted goes anywhere."""
    if counters is None:
        return IgnoredMeasures()
    return counters if isinstance(counters, Measures) else _CountedOnly(counters)


def have_report(parts: Iterable[object], counters: Counters | None) -> None:
    """Tell those of the parts that can be told to report there, when it is whole measures and not only counters."""
    for part in parts:
        if isinstance(part, Reporter) and isinstance(counters, Measures):
            part.report_to(counters)


class ForwardedMeasures:
    """Measures that go to others, who may be named later. What was counted until then went nowhere."""

    def __init__(self, counters: Counters | None = None) -> None:
        self._to = measures_of(counters)
        self._is_known = counters is not None
        self._watched: list[tuple[str, ReadGauge, dict[str, str]]] = []

    def report_to(self, measures: Measures) -> None:
        """Forward to these, unless somebody said where to before."""
        if self._is_known:
            return
        self._to, self._is_known = measures, True
        while self._watched:
            name, read, labels = self._watched.pop()
            measures.watch(name, read, **labels)

    def increment(self, name: str, by: int = 1, **labels: str) -> None:
        """Count it there."""
        self._to.increment(name, by, **labels)

    def observe(self, name: str, value: float, *, exemplar: str | None = None, **labels: str) -> None:
        """Tell it there."""
        self._to.observe(name, value, exemplar=exemplar, **labels)

    def set(self, name: str, value: float, **labels: str) -> None:
        """Tell it there."""
        self._to.set(name, value, **labels)

    def watch(self, name: str, read: ReadGauge, **labels: str) -> None:
        """Have it watched there, also when that is known only later."""
        if self._is_known:
            self._to.watch(name, read, **labels)
        else:
            self._watched.append((name, read, labels))


class SendDetails(Struct, frozen=True, kw_only=True):
    """A message about to be published, as a span may tell of it."""

    exchange: str
    """`""` is the default one, which routes by queue name."""
    routing_key: str
    headers: Mapping[str, Any]  # Any: AMQP header values
    message_id: str | None
    correlation_id: str | None
    body_size: int
    """Bytes."""


class AttemptDetails(SendDetails, frozen=True, kw_only=True):
    """A delivery about to be handled, as a span may tell of it; the exchange and key are those it came by."""

    queue_name: str
    delivery_tag: int
    task_id: str
    session_id: str | None
    attempt_id: str
    """That of the earlier attempt when the delivery turns out to be a repeat of it."""
    retry_attempt: int
    redelivered: bool = False
    """The broker handed it out before."""


class AttemptSpan(Protocol):
    """The span of one attempt, while it lasts."""

    def raised(self, error: BaseException) -> None:
        """The handler raised this. Whether the attempt failed by it is told by `failed`."""

    def failed(self, error_type: str, message: str) -> None:
        """The attempt failed; told again, the later one is why."""

    def ended(self, outcome: str) -> None:
        """What became of the delivery, in the words of graphs (`acked`, `retried`, …), or `duplicate`."""


class Spans(Protocol):
    """Where spans go. Neither context manager may suppress what is raised inside.

    What an implementation itself raises harms no message: `RelaynaClient` counts it and goes on.
    """

    def sending(
        self, details: SendDetails
    ) -> AbstractContextManager[Mapping[str, Any]]:  # Any: AMQP header values
        """Around a publish, from the first byte to the confirm. Yields the headers to publish.

        These are the given ones, with a `traceparent` when they had none.
        """

    def processing(self, details: AttemptDetails) -> AbstractContextManager[AttemptSpan]:
        """Around an attempt, from receipt to settlement; what the handler does lies within."""


class IgnoredAttemptSpan:
    """Keeps nothing of what it is told."""

    def raised(self, error: BaseException) -> None:
        """Do nothing."""

    def failed(self, error_type: str, message: str) -> None:
        """Do nothing."""

    def ended(self, outcome: str) -> None:
        """Do nothing."""


_IGNORED_ATTEMPT: Final = nullcontext(IgnoredAttemptSpan())


class IgnoredSpans:
    """Makes no spans: the default where nobody asked."""

    def sending(
        self, details: SendDetails
    ) -> AbstractContextManager[Mapping[str, Any]]:  # Any: AMQP header values
        """The headers as they are."""
        return nullcontext(details.headers)

    def processing(self, details: AttemptDetails) -> AbstractContextManager[AttemptSpan]:
        """A span that keeps nothing."""
        return _IGNORED_ATTEMPT
