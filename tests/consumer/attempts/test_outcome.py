"""What becomes of a delivery: every row of the table in `relayna.consumer.attempts.outcome`, and its laws."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayna.consumer.attempts.outcome import (
    Ack,
    DeadLetter,
    Duplicate,
    Failed,
    HandledBefore,
    HandlerResult,
    ManualRetry,
    ManualRetryRequest,
    NotRun,
    Outcome,
    Release,
    Retry,
    Returned,
    Stopped,
    decide,
)
from relayna.consumer.retry_policy import RetryPolicy
from relayna.ids import AttemptId

CLOSED = AttemptId("00000000000000aa")
POLICY = RetryPolicy(max_retries=2, delay_ms=100, jitter=0)
REQUEST = ManualRetryRequest(task_type="large", reason="too big")
ERROR = Failed(exception_type="KeyError", exception_message="'total'")
HOPELESS = Failed(exception_type="ValueError", exception_message="no", retryable=False)

texts = st.text(max_size=5)
results = st.one_of(
    st.builds(Returned, st.none() | st.builds(ManualRetryRequest, task_type=st.none() | texts)),
    st.builds(Failed, exception_type=texts, exception_message=texts, retryable=st.booleans()),
    st.builds(Stopped, texts),
    st.builds(NotRun, reason=texts, problem=texts),
    st.builds(HandledBefore, attempt_id=texts, repeats=st.integers(0, 5)),
)
policies = st.builds(
    RetryPolicy,
    max_retries=st.integers(0, 2**31 - 1),
    delay_ms=st.integers(1, 2**32 - 1),
    backoff=st.floats(1, 1000),
    max_delay_ms=st.integers(1, 2**32 - 1),
    jitter=st.floats(0, 1, exclude_max=True),
)
messages = texts | st.binary(max_size=5)


def decided(result: HandlerResult, retry_attempt: int = 0, *, channel_open: bool = True) -> Outcome:
    return decide(
        result, retry_attempt=retry_attempt, policy=POLICY, channel_open=channel_open, spread_by="m-1"
    )


@pytest.mark.parametrize(
    ("result", "retry_attempt", "outcome"),
    [
        (Returned(), 0, Ack()),
        (Returned(REQUEST), 2, ManualRetry(REQUEST)),
        (ERROR, 0, Retry(retry_attempt=1, delay_ms=100, reason="KeyError")),
        (ERROR, 1, Retry(retry_attempt=2, delay_ms=200, reason="KeyError")),
        (
            ERROR,
            2,
            DeadLetter(reason="retries_exhausted", exception_type="KeyError", exception_message="'total'"),
        ),
        (
            HOPELESS,
            0,
            DeadLetter(reason="not_retryable", exception_type="ValueError", exception_message="no"),
        ),
        (Stopped("drain_deadline"), 0, Release("drain_deadline")),
        (NotRun(reason="poison", problem="4"), 0, DeadLetter(reason="poison", exception_message="4")),
        (
            NotRun(reason="malformed_message", problem="no JSON"),
            7,
            DeadLetter(reason="malformed_message", exception_message="no JSON"),
        ),
        (HandledBefore(attempt_id=CLOSED, repeats=2), 0, Duplicate(attempt_id=CLOSED, repeat=3)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_row_of_the_table(result: HandlerResult, retry_attempt: int, outcome: Outcome) -> None:
    assert decided(result, retry_attempt) == outcome


def test_a_closed_channel_releases_whatever_happened_and_a_duplicate_stays_one() -> None:
    kinds = (Returned(), Returned(REQUEST), ERROR, HOPELESS, Stopped("x"), NotRun(reason="r", problem="p"))
    for result, retry_attempt in itertools.product(kinds, range(4)):
        assert decided(result, retry_attempt, channel_open=False) == Release("channel_closed")
    assert decided(HandledBefore(attempt_id=CLOSED), channel_open=False) == Duplicate(
        attempt_id=CLOSED, repeat=1
    )


@pytest.mark.parametrize("retry_attempt", [2, 3, 2**31 - 1])
def test_more_attempts_than_allowed_are_never_tried_again(retry_attempt: int) -> None:
    assert isinstance(decided(ERROR, retry_attempt), DeadLetter)


@given(results, st.integers(0, 2**31), policies, st.booleans(), messages)
def test_it_always_decides(
    result: HandlerResult,
    retry_attempt: int,
    policy: RetryPolicy,
    channel_open: bool,
    spread_by: str | bytes,
) -> None:
    outcome = decide(
        result,
        retry_attempt=retry_attempt,
        policy=policy,
        channel_open=channel_open,
        spread_by=spread_by,
    )
    assert isinstance(outcome, Duplicate) == isinstance(result, HandledBefore)
    if not channel_open:
        assert isinstance(outcome, Duplicate | Release)
    if isinstance(outcome, Retry):
        assert retry_attempt < outcome.retry_attempt <= policy.max_retries


@given(st.integers(0, 40), policies, messages)
def test_every_retry_has_a_queue_to_wait_in_and_asks_for_it_again(
    retry_attempt: int, policy: RetryPolicy, spread_by: str | bytes
) -> None:
    outcome, again = (
        decide(ERROR, retry_attempt=retry_attempt, policy=policy, channel_open=True, spread_by=spread_by)
        for _ in range(2)
    )
    assert outcome == again
    if isinstance(outcome, Retry):
        assert outcome.delay_ms == policy.delay_before(retry_attempt + 1, spread_by)
        assert outcome.delay_ms in policy.ladder()


def test_a_manual_retry_without_a_payload_keeps_the_old_one() -> None:
    assert not ManualRetryRequest().changes_payload
    assert ManualRetryRequest(payload=None).changes_payload
