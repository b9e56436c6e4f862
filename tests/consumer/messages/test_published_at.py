"""When a message was published, read from what anybody may have written there."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayna.consumer.messages.published_at import PUBLISHED_AT, seconds_since_published, stamped
from relayna.instants import Instant

NOW = Instant(1_767_225_600_000_000)


def test_it_is_set_anew_beside_all_else() -> None:
    assert stamped({"tenant": "t", PUBLISHED_AT: 1}, NOW) == {"tenant": "t", PUBLISHED_AT: NOW // 1000}


@given(st.integers(min_value=0, max_value=10**12))
def test_what_waited_is_known_to_the_millisecond(micros: int) -> None:
    told = seconds_since_published(stamped({}, NOW), Instant(NOW + micros))
    assert told == pytest.approx(micros / 1e6, abs=0.001)


def test_a_clock_that_is_behind_makes_no_negative_wait() -> None:
    assert seconds_since_published(stamped({}, NOW), Instant(NOW - 60_000_000)) == 0


@pytest.mark.parametrize("value", [None, "1767225600000", 1.5, True, 0, -1, b"1", [1]])
def test_what_is_no_time_is_as_good_as_none(value: Any) -> None:
    assert seconds_since_published({PUBLISHED_AT: value}, NOW) is None
    assert seconds_since_published({}, NOW) is None
