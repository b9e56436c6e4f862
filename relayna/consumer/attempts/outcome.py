"""What becomes of a delivery: decided here, as a value; carried out in `performance.py`.

Owns the decision. Pure: the handler's result, the policy and what the log knows go in, an outcome comes out.

| the handler | attempts left | outcome |
|---|---|---|
| was not run: this delivery was closed before | | Duplicate |
| any, but the channel is closed | | Release |
| was interrupted: the worker stops | | Release |
| was not run: started too often without an end | | DeadLetter `poison` |
| was not run: the body cannot be read | | DeadLetter `malformed_message` |
| returned | | Ack |
| asked for a manual retry | | ManualRetry |
| raised a retryable error | yes | Retry |
| raised a retryable error | no | DeadLetter `retries_exhausted` |
| raised an error of `non_retryable` | | DeadLetter `not_retryable` |
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

from msgspec import UNSET, Struct, UnsetType

from relayna.consumer.retry_policy import RetryPolicy
from relayna.ids import AttemptId

__all__ = [
    "Ack", "DeadLetter", "Duplicate", "Failed", "HandledBefore", "HandlerResult", "ManualRetry",
    "ManualRetryRequest", "NotRun", "Outcome", "Release", "Retry", "Returned", "Stopped", "decide",
]  # fmt: skip


class ManualRetryRequest(Struct, frozen=True, kw_only=True):
    """The handler wants the task handled again, perhaps as another type or with another payload."""

    task_type: str | None = None
    payload: Any = UNSET  # Any: the user's own JSON value; unset keeps the old one
    reason: str | None = None

    @property
    def changes_payload(self) -> bool:
        """Whether the new message carries another payload."""
        return not isinstance(self.payload, UnsetType)


class Returned(Struct, frozen=True):
    """The handler returned."""

    manual_retry: ManualRetryRequest | None = None


class Failed(Struct, frozen=True, kw_only=True):
    """The handler raised, or what it asked for could not be published."""

    exception_type: str
    exception_message: str
    retryable: bool = True
    traceback: str | None = None
    """For the program's log; nobody records it."""


class Stopped(Struct, frozen=True):
    """The handler was interrupted, or not begun: the worker stops, or lost its connection."""

    reason: str


class NotRun(Struct, frozen=True, kw_only=True):
    """The handler was not run, and would not be the next time either."""

    reason: str
    problem: str


class HandledBefore(Struct, frozen=True, kw_only=True):
    """The handler was not run: that attempt handled this delivery to its end."""

    attempt_id: AttemptId
    repeats: int = 0
    """How often the delivery came again already."""


HandlerResult: TypeAlias = Returned | Failed | Stopped | NotRun | HandledBefore


class Ack(Struct, frozen=True):
    """Done: publish what was held, close, settle."""


class ManualRetry(Struct, frozen=True):
    """Done, and the task is published again as the handler asked."""

    request: ManualRetryRequest


class Retry(Struct, frozen=True, kw_only=True):
    """A copy waits in a retry queue."""

    retry_attempt: int
    delay_ms: int
    reason: str


class DeadLetter(Struct, frozen=True, kw_only=True):
    """Given up: a copy goes to the dead-letter queue."""

    reason: str
    exception_type: str | None = None
    exception_message: str | None = None


class Release(Struct, frozen=True):
    """Back to its queue, to be handed out again."""

    reason: str


class Duplicate(Struct, frozen=True, kw_only=True):
    """Handled before: settled without the handler, and told as the `repeat`-th repeat of that attempt."""

    attempt_id: AttemptId
    repeat: int


Outcome: TypeAlias = Ack | ManualRetry | Retry | DeadLetter | Release | Duplicate

_CHANNEL_CLOSED: Final = "channel_closed"


def decide(
    result: HandlerResult,
    *,
    retry_attempt: int,
    policy: RetryPolicy,
    channel_open: bool,
    spread_by: str | bytes,
) -> Outcome:
    """What becomes of the delivery; never raises.

    `retry_attempt` is its own, 0 for the first; `spread_by`, its message's id or body, chooses among the delays
    that the policy has for a retry.
    """
    if isinstance(result, HandledBefore):
        return Duplicate(attempt_id=result.attempt_id, repeat=result.repeats + 1)
    if not channel_open:
        # The broker has handed it out again already; whatever was published now would be published twice.
        return Release(_CHANNEL_CLOSED)
    match result:
        case Stopped(reason):
            return Release(reason)
        case Returned(request):
            return Ack() if request is None else ManualRetry(request)
        case Failed():
            return _after_failure(result, retry_attempt, policy, spread_by)
        case NotRun():
            return DeadLetter(reason=result.reason, exception_message=result.problem)


def _after_failure(
    failure: Failed, retry_attempt: int, policy: RetryPolicy, spread_by: str | bytes
) -> Outcome:
    if failure.retryable and retry_attempt < policy.max_retries:
        retry = retry_attempt + 1
        return Retry(
            retry_attempt=retry,
            delay_ms=policy.delay_before(retry, spread_by),
            reason=failure.exception_type,
        )
    return DeadLetter(
        reason="retries_exhausted" if failure.retryable else "not_retryable",
        exception_type=failure.exception_type,
        exception_message=failure.exception_message,
    )
