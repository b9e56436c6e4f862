"""Protocols through which lower layers report numbers and spans, without knowing who takes them.

Implemented above (metrics, tracing, tests) and passed in. Owns no state, and no names of a metrics or tracing
library.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final, Protocol

from msgspec import Struct

__all__ = [
    "AttemptDetails",
    "AttemptSpan",
    "Counters",
    "IgnoredAttemptSpan",
    "IgnoredCounters",
    "IgnoredSpans",
    "SendDetails",
    "Spans",
]


class Counters(Protocol):
    """Where counted happenings go. Must be cheap, thread-safe and never raise."""

    def increment(self, name: str, by: int = 1, **labels: str) -> None:
        """Add `by` to the counter `name` with these label values."""


class IgnoredCounters:
    """Counts nothing: the default where nobody asked."""

    def increment(self, name: str, by: int = 1, **labels: str) -> None:
        """Do nothing."""


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
