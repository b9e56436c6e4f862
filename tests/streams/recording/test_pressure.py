"""When what is held goes to disk."""

from __future__ import annotations

import pytest

from relayna.streams.recording.pressure import Pressure, must_spool


@pytest.mark.parametrize(
    ("pressure", "expected"),
    [
        (Pressure(is_awaited=False, is_store_away=False, held_share=0.49), False),
        (Pressure(is_awaited=False, is_store_away=False, held_share=0.5), True),
        (Pressure(is_awaited=True, is_store_away=False, held_share=0), True),
        (Pressure(is_awaited=False, is_store_away=True, held_share=0), True),
    ],
)
def test_the_store_is_preferred_until_it_fails_somebody_or_the_bounds_come_near(
    pressure: Pressure, expected: bool
) -> None:
    assert must_spool(pressure) is expected
