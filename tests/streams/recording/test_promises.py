"""Promises are settled in the order of their positions."""

from __future__ import annotations

import pytest

from relayna.streams.recording.promises import Promises

pytestmark = pytest.mark.anyio


async def test_what_is_stored_keeps_every_promise_before_it() -> None:
    promises = Promises()
    first, second, third = promises.make(1, 60), promises.make(2, 60), promises.make(3, 60)
    promises.settle(stored=2, hopeful=2)
    assert (first.result(), second.result(), third.done()) == (True, True, False)
    promises.settle(stored=3, hopeful=3)
    assert third.result() is True
    assert not promises


async def test_what_is_hopeless_is_said_at_once() -> None:
    promises = Promises()
    stored, hopeless, hopeful = promises.make(1, 60), promises.make(5, 60), promises.make(6, 60)
    promises.settle(stored=1, hopeful=5)
    assert (stored.result(), hopeless.result(), hopeful.done()) == (True, False, False)


async def test_one_who_waits_no_more_disturbs_nobody() -> None:
    promises = Promises()
    gone, waiting = promises.make(1, 60), promises.make(1, 60)
    gone.cancel()
    promises.settle(stored=1, hopeful=1)
    assert waiting.result() is True


async def test_a_promise_is_not_kept_when_its_time_is_up() -> None:
    promises = Promises()
    hasty, patient = promises.make(1, 0), promises.make(1, 60)
    assert await hasty is False
    promises.settle(stored=1, hopeful=1)
    assert patient.result() is True
    assert not promises
