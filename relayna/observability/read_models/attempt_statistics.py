"""Statistics of attempts over days: counts brought together by queue, by stage and by handler.

Owns the arithmetic of the answer. The counts are kept beside the rows, and are exact.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import partial
from typing import Final

import anyio

from relayna.clock import Clock, SystemClock
from relayna.errors import InvalidQuery
from relayna.ids import Tenant
from relayna.instants import Instant
from relayna.observability.read_models.progress import ReadModelProgress
from relayna.observability.read_models.questions import AttemptStatistics, Durations, GroupOfAttempts
from relayna.observability.read_models.terms import group_in
from relayna.observability.shared_work import SharedWork
from relayna.projections.statistics import MICROSECONDS_A_DAY, AttemptGroup, bucket_counts, quantile_bound
from relayna.streams import DEFAULT_TENANT
from relayna.streams.log import DEFAULT_OPEN_RETENTION_SECONDS
from relayna.streams.read_models import ReadModels

__all__ = ["MOST_DAYS", "StatisticsService"]

MOST_DAYS: Final = 366
_GROUPS_LISTED: Final = 200
_COUNTED: Final = ("attempts", "succeeded", "failed", "retried", "dead_lettered", "abandoned")


class StatisticsService:
    """Answers for one tenant. The log and the read models must be open."""

    def __init__(
        self,
        *,
        read_models: ReadModels,
        progress: ReadModelProgress,
        tenant: Tenant = DEFAULT_TENANT,
        kept_seconds: int = DEFAULT_OPEN_RETENTION_SECONDS,
        clock: Clock | None = None,
    ) -> None:
        """`kept_seconds` is how long streams are kept at the longest: there is nothing of earlier days."""
        self._models = read_models
        self._progress = progress
        self._tenant = tenant
        self._clock = clock or SystemClock()
        self._one_at_a_time = anyio.Lock()
        self._shared: SharedWork[AttemptStatistics] = SharedWork()
        """Many who ask at once have two counts made at most: one that is under way, and one after it."""
        self._days_kept = -(-kept_seconds * 1_000_000 // MICROSECONDS_A_DAY) + 1

    async def statistics(self, *, days: int | None = None) -> AttemptStatistics:
        """Of the last so many days with today, by default of all that is kept.

        Attempts on clocks that are a day ahead are in it too. Raises `InvalidQuery` and `StoreError`.
        """
        if days is not None and not 1 <= days <= MOST_DAYS:
            raise InvalidQuery("days", f"{days} is not between 1 and {MOST_DAYS}")
        return await self._shared.do(days, partial(self._count, days), still_true=_never)

    async def _count(self, days: int | None) -> AttemptStatistics:
        async with self._one_at_a_time:
            return await self._counted(days)

    async def _counted(self, days: int | None) -> AttemptStatistics:
        today = self._clock.now() // MICROSECONDS_A_DAY
        wanted = range(today - min(days or MOST_DAYS, self._days_kept) + 1, today + 2)
        counts = await self._models.counts(self._tenant, wanted)
        groups: dict[AttemptGroup, Counter[str]] = {}
        for key, count in counts.items():
            group = group_in(key.group)
            if group is not None:
                groups.setdefault(group, Counter())[key.measure] += count
        queues = _groups((group.queue_name, counted) for group, counted in groups.items())
        stages = _groups(
            (group.stage, counted) for group, counted in groups.items() if group.stage is not None
        )
        handlers = _groups((group.consumer_name, counted) for group, counted in groups.items())
        [total] = _groups([(None, Counter[str]()), *((None, counted) for counted in groups.values())])
        listed = (queues, stages, handlers)
        return AttemptStatistics(
            since=Instant(wanted[0] * MICROSECONDS_A_DAY),
            until=Instant((wanted[-1] + 1) * MICROSECONDS_A_DAY),
            total=total,
            queues=queues[:_GROUPS_LISTED],
            stages=stages[:_GROUPS_LISTED],
            handlers=handlers[:_GROUPS_LISTED],
            groups_left_out=sum(max(0, len(one) - _GROUPS_LISTED) for one in listed),
            as_of=await self._progress.as_of(),
        )


def _groups(parts: Iterable[tuple[str | None, Counter[str]]]) -> list[GroupOfAttempts]:
    """One for each name, those with the most attempts first."""
    sums: dict[str | None, Counter[str]] = {}
    for name, counted in parts:
        sums.setdefault(name, Counter()).update(counted)
    found = [_group(name, counted) for name, counted in sums.items()]
    return sorted(found, key=lambda group: (-group.attempts, group.name is not None, group.name or ""))


def _group(name: str | None, counted: Counter[str]) -> GroupOfAttempts:
    ended = counted["succeeded"] + counted["failed"]
    return GroupOfAttempts(
        name=name,
        **{measure: counted[measure] for measure in _COUNTED},
        success_rate=counted["succeeded"] / ended if ended else None,
        wait_ms=_durations("wait", counted),
        duration_ms=_durations("duration", counted),
    )


def _durations(kind: str, counted: Counter[str]) -> Durations | None:
    count = counted[f"{kind}s"]
    buckets = bucket_counts(kind, counted)
    p50, p90, p99 = (quantile_bound(buckets, percent) for percent in (50, 90, 99))
    if not count or p50 is None or p90 is None or p99 is None:
        return None
    mean = round(counted[f"{kind}_ms"] / count, 3)
    return Durations(count=count, mean=mean, p50_at_most=p50, p90_at_most=p90, p99_at_most=p99)


async def _never(earlier: AttemptStatistics) -> bool:
    """Nobody is given what was counted before they asked."""
    return False
