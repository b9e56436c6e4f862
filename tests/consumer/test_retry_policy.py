"""Delays grow, stay within bounds, and each is one of few."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayna.consumer.retry_policy import RetryPolicy
from relayna.errors import InvalidSetting
from relayna.topologies import retry_declarations

delays = st.integers(1, 2**32 - 1)
policies = st.builds(
    RetryPolicy,
    max_retries=st.integers(0, 2**31 - 1),
    delay_ms=delays,
    backoff=st.floats(1, 1000),
    max_delay_ms=delays,
)


@pytest.mark.parametrize(
    ("policy", "ladder"),
    [
        (RetryPolicy(), (30_000, 60_000, 120_000)),
        (RetryPolicy(max_retries=0), ()),
        (RetryPolicy(max_retries=5, delay_ms=10, backoff=1), (10,)),
        (RetryPolicy(max_retries=4, delay_ms=10, max_delay_ms=25), (10, 20, 25)),
        (RetryPolicy(max_retries=2, delay_ms=500, max_delay_ms=100), (500,)),
        (RetryPolicy(max_retries=3, delay_ms=1, backoff=1.5), (1, 2)),
    ],
)
def test_the_ladder(policy: RetryPolicy, ladder: tuple[int, ...]) -> None:
    assert policy.ladder() == ladder


@given(policies, st.integers(1, 2**31))
def test_every_delay_is_a_rung(policy: RetryPolicy, retry: int) -> None:
    if retry <= policy.max_retries:
        assert policy.delay_before(retry) in policy.ladder()


@given(policies)
def test_a_ladder_is_short_and_the_broker_can_carry_it(policy: RetryPolicy) -> None:
    ladder = policy.ladder()
    assert len(ladder) <= 32
    assert list(ladder) == sorted(set(ladder))
    assert len(retry_declarations("work", ladder).queues) == len(ladder)


@given(policies, st.integers(1, 100))
def test_delays_never_shrink(policy: RetryPolicy, retry: int) -> None:
    assert policy.delay_before(retry) <= policy.delay_before(retry + 1)
    assert policy.delay_before(retry) <= max(policy.delay_ms, policy.max_delay_ms)


@pytest.mark.parametrize("retry", [-1, 0, 1])
def test_before_the_first_retry_there_is_the_first_delay(retry: int) -> None:
    assert RetryPolicy(delay_ms=7).delay_before(retry) == 7


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_retries", -1),
        ("max_retries", 2.5),
        ("max_retries", True),
        ("max_retries", 2**31),
        ("delay_ms", 0),
        ("delay_ms", 0.5),
        ("delay_ms", "30000"),
        ("delay_ms", 2**32),
        ("backoff", 0.5),
        ("backoff", math.nan),
        ("backoff", math.inf),
        ("backoff", 10**400),
        ("max_delay_ms", 0),
        ("max_delay_ms", None),
        ("non_retryable", (ValueError(),)),
        ("non_retryable", "ValueError"),
        ("non_retryable", (KeyboardInterrupt,)),
    ],
)
def test_wrong_values_are_named(field: str, value: Any) -> None:
    with pytest.raises(InvalidSetting) as caught:
        RetryPolicy(**{field: value})
    assert caught.value.name == f"retry_policy.{field}"


@pytest.mark.parametrize("given_as", [ValueError, [ValueError], (ValueError,), {ValueError}])
def test_one_type_or_any_collection_of_them_will_do(given_as: Any) -> None:
    assert RetryPolicy(non_retryable=given_as).non_retryable == (ValueError,)
