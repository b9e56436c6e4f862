"""Delays grow, stay within bounds, and each is one of few."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from relayna.consumer.retry_policy import RetryPolicy
from relayna.errors import InvalidSetting
from relayna.topologies import retry_declarations

delays = st.integers(1, 2**32 - 1)
fields = {
    "max_retries": st.integers(0, 2**31 - 1),
    "delay_ms": delays,
    "backoff": st.floats(1, 1000),
    "max_delay_ms": delays,
}
exact = st.builds(RetryPolicy, **fields, jitter=st.just(0))
policies = st.builds(RetryPolicy, **fields, jitter=st.floats(0, 1, exclude_max=True))
messages = st.text() | st.binary()


@pytest.mark.parametrize(
    ("policy", "ladder"),
    [
        (RetryPolicy(jitter=0), (30_000, 60_000, 120_000)),
        (RetryPolicy(), (24_000, 30_000, 36_000, 48_000, 60_000, 72_000, 96_000, 120_000, 144_000)),
        (RetryPolicy(max_retries=0), ()),
        (RetryPolicy(max_retries=5, delay_ms=10, backoff=1), (8, 10, 12)),
        (RetryPolicy(max_retries=5, delay_ms=10, backoff=1, jitter=0), (10,)),
        (RetryPolicy(max_retries=4, delay_ms=10, max_delay_ms=25, jitter=0), (10, 20, 25)),
        (RetryPolicy(max_retries=2, delay_ms=500, max_delay_ms=100, jitter=0), (500,)),
        (RetryPolicy(max_retries=3, delay_ms=1, backoff=1.5, jitter=0), (1, 2)),
        (RetryPolicy(max_retries=1, delay_ms=1), (1,)),
        (RetryPolicy(max_retries=1, delay_ms=2**32 - 1, jitter=0.5), (2**31, 2**32 - 1)),
        # What two delays have in common is one queue.
        (RetryPolicy(delay_ms=3_000, jitter=1 / 3), (2_000, 3_000, 4_000, 6_000, 8_000, 12_000, 16_000)),
    ],
)
def test_the_ladder(policy: RetryPolicy, ladder: tuple[int, ...]) -> None:
    assert policy.ladder() == ladder


@given(policies, st.integers(1, 2**31), messages)
def test_every_delay_is_a_rung_and_stays_one(policy: RetryPolicy, retry: int, spread_by: str | bytes) -> None:
    delay = policy.delay_before(retry, spread_by)
    assert delay == policy.delay_before(retry, spread_by)
    assert delay in policy.rungs(retry)
    if retry <= policy.max_retries:
        assert delay in policy.ladder()


@given(policies)
def test_a_ladder_is_short_and_the_broker_can_carry_it(policy: RetryPolicy) -> None:
    ladder = policy.ladder()
    assert len(ladder) <= (96 if policy.jitter else 32)
    assert list(ladder) == sorted(set(ladder))
    assert len(retry_declarations("work", ladder).queues) == len(ladder)


@given(policies, st.integers(1, 100))
def test_a_delay_is_spread_around_itself(policy: RetryPolicy, retry: int) -> None:
    [delay] = replace(policy, jitter=0).rungs(retry)
    rungs = policy.rungs(retry)
    assert 1 <= len(rungs) <= 3
    assert delay in rungs
    for rung in rungs:
        assert 1 <= rung <= 2**32 - 1
        assert abs(rung - delay) <= delay * policy.jitter + 0.5001


@given(exact, st.integers(1, 100), messages)
def test_without_jitter_delays_never_shrink(policy: RetryPolicy, retry: int, spread_by: str | bytes) -> None:
    assert policy.delay_before(retry, spread_by) <= policy.delay_before(retry + 1, spread_by)
    assert policy.delay_before(retry, spread_by) <= max(policy.delay_ms, policy.max_delay_ms)


@given(st.integers(1, 32), st.uuids())
def test_many_messages_spread_evenly(retry: int, batch: UUID) -> None:
    policy = RetryPolicy()
    taken = Counter(policy.delay_before(retry, f"{batch}-{number}") for number in range(600))
    assert sum(taken.values()) == 600
    # 200 each, give or take: the chance of being further off is less than one in 10 ** 10.
    assert all(100 < taken[rung] < 300 for rung in policy.rungs(retry))


def test_those_that_met_once_part_at_the_next_retry() -> None:
    policy = RetryPolicy()
    together = [f"m-{number}" for number in range(600) if policy.delay_before(1, f"m-{number}") == 24_000]
    assert {policy.delay_before(2, message_id) for message_id in together} == {48_000, 60_000, 72_000}


def test_an_id_and_a_body_of_the_same_bytes_are_the_same() -> None:
    assert RetryPolicy().delay_before(1, "order 7") == RetryPolicy().delay_before(1, b"order 7")


@pytest.mark.parametrize("retry", [-1, 0, 1])
def test_before_the_first_retry_there_is_the_first_delay(retry: int) -> None:
    assert RetryPolicy(delay_ms=7, jitter=0).delay_before(retry, "m") == 7


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
        ("jitter", -0.1),
        ("jitter", 1),
        ("jitter", math.nan),
        ("jitter", True),
        ("jitter", "0.2"),
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


@pytest.mark.parametrize(("max_retries", "last", "poison"), [(3, [3], [4, 5]), (1, [1], [2]), (0, [1], [2])])
def test_a_message_may_take_so_many_workers_with_it(
    max_retries: int, last: list[int], poison: list[int]
) -> None:
    policy = RetryPolicy(max_retries=max_retries)
    assert [count for count in range(6) if policy.is_last_chance(count)] == last
    assert [count for count in range(6) if policy.is_poison(count)][: len(poison)] == poison
