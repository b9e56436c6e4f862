"""Taking time: each case in turn with its limit or peer, round after round.

Owns the loop. The garbage collector runs as it does in any process, but starts each sample clean.
"""

from __future__ import annotations

import gc
from collections.abc import Awaitable, Callable, Mapping
from time import perf_counter

__all__ = ["interleaved", "interleaved_async", "seconds", "seconds_async"]


def seconds(work: Callable[[], object], *, times: int = 1) -> float:
    """How long one call takes, from so many in a row."""
    gc.collect()
    start = perf_counter()
    for _ in range(times):
        work()
    return (perf_counter() - start) / times


async def seconds_async(work: Callable[[], Awaitable[object]], *, times: int = 1) -> float:
    """How long one awaited call takes, from so many in a row."""
    gc.collect()
    start = perf_counter()
    for _ in range(times):
        await work()
    return (perf_counter() - start) / times


def interleaved(
    works: Mapping[str, Callable[[], object]], *, rounds: int, times: int = 1
) -> dict[str, list[float]]:
    """Seconds a call of each, one sample a round; all take their turn in every round."""
    samples: dict[str, list[float]] = {name: [] for name in works}
    for work in works.values():
        work()  # caches, branch predictors and imports settle
    for _ in range(rounds):
        for name, work in works.items():
            samples[name].append(seconds(work, times=times))
    return samples


async def interleaved_async(
    works: Mapping[str, Callable[[], Awaitable[object]]], *, rounds: int, times: int = 1
) -> dict[str, list[float]]:
    """As `interleaved`, for what is awaited."""
    samples: dict[str, list[float]] = {name: [] for name in works}
    for work in works.values():
        await work()
    for _ in range(rounds):
        for name, work in works.items():
            samples[name].append(await seconds_async(work, times=times))
    return samples
