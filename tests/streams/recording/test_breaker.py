"""When the store may be tried again."""

from __future__ import annotations

from relayna.clock import FrozenClock
from relayna.streams.recording.backoff import Backoff
from relayna.streams.recording.breaker import Breaker


def breaker(clock: FrozenClock, draw: float = 1.0, **arguments: float) -> Breaker:
    return Breaker(Backoff(draw=lambda: draw, **arguments), clock)  # type: ignore[arg-type]


def tries_within(seconds: float, made: Breaker, clock: FrozenClock, *, shut: bool = False) -> int:
    """How many tries, all in vain, fit into so long."""
    end, tries = clock.now() + seconds * 1e6, 0
    while True:
        made.failed(shut=shut)
        clock.advance(made.pause())
        if clock.now() > end:
            return tries
        tries += 1


def test_three_failures_in_a_row_open_it() -> None:
    made = breaker(FrozenClock())
    for expected in (False, False, True):
        made.failed(shut=False)
        assert made.is_open is expected
    made.succeeded()
    assert made.is_closed
    assert not made.is_open


def test_a_store_that_refuses_everything_is_not_waited_for_at_all() -> None:
    made = breaker(FrozenClock())
    made.failed(shut=True)
    assert made.is_open


def test_at_most_one_reconnect_a_second_however_small_the_draw() -> None:
    clock = FrozenClock()
    assert tries_within(60, breaker(clock, draw=0.0), clock) <= 61


def test_the_first_reconnect_after_good_times_is_quick() -> None:
    clock = FrozenClock()
    made = breaker(clock, draw=0.5)
    made.failed(shut=False)
    assert made.pause() == 0.025


def test_a_store_that_somebody_must_help_is_probed_slowly() -> None:
    clock = FrozenClock()
    assert tries_within(60, breaker(clock, draw=0.0), clock, shut=True) <= 12


def test_the_end_does_not_wait() -> None:
    made = breaker(FrozenClock())
    for _ in range(9):
        made.failed(shut=True)
        made.pause()
    made.hurry()
    assert made.pause() <= 0.05


def test_a_clock_that_is_set_back_holds_nobody_up() -> None:
    clock = FrozenClock()
    made = breaker(clock)
    made.failed(shut=False)
    made.pause()
    clock.advance(-3_600)
    assert made.pause() <= 2.0


def test_nobody_waits_for_a_try_that_comes_after_the_wait() -> None:
    clock = FrozenClock()
    made = breaker(clock)
    assert not made.is_hopeless_within(0.25)
    for _ in range(2):  # the first try again comes soon, the next is spaced
        made.failed(shut=False)
        clock.advance(pause := made.pause())
    assert not made.is_open
    assert not made.is_hopeless_within(0.25)  # it is due now
    made.pause()
    assert made.is_hopeless_within(0.25)
    assert not made.is_hopeless_within(60)
    clock.advance(pause + 60)
    assert not made.is_hopeless_within(0.25)
    made.succeeded()
    made.failed(shut=False)
    made.pause()
    made.hurry()
    assert not made.is_hopeless_within(0)
