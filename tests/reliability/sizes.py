"""The sizes that a reliability test runs at: a tenth in every run, the stated one by `make soak`."""

from __future__ import annotations

from typing import Any

import pytest

__all__ = ["sized"]


def sized(**full: int) -> Any:  # Any: pytest's decorator
    """Parametrise by these numbers, and by a tenth of each, at least 1.

    @sized(kills=100, tasks=5_000)
    async def test_…(kills: int, tasks: int) -> None: ...
    """
    tenth = [max(1, number // 10) for number in full.values()]
    return pytest.mark.parametrize(
        ",".join(full),
        [
            pytest.param(*tenth, id="tenth"),
            pytest.param(*full.values(), id="full", marks=pytest.mark.soak),
        ],
    )
