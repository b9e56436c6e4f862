"""When each run ran, when its output was there, and which source it waited for. Owns these rules; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from relayna.instants import Instant
from relayna.projections.trace.spans import DUMP, TASK, Source, Span

__all__ = ["RunTiming", "sources_by_run", "time_runs"]


class RunTiming(Struct, frozen=True, kw_only=True):
    """One run's times. Durations in microseconds."""

    data_id: str
    start: Instant
    end: Instant
    ready: Instant | None
    """When its output could be read; none where nothing was dumped."""
    retried: int = 0
    """What earlier attempts took."""
    queuing_delay: int = 0
    blocked_by: str | None = None

    @property
    def finish(self) -> Instant:
        """When others could go on from it."""
        return self.end if self.ready is None else self.ready


def sources_by_run(sources: Iterable[Source]) -> dict[str, list[str]]:
    """What each run was made from, in the order told, with repeats and strangers."""
    found: dict[str, list[str]] = {}
    for source in sources:
        found.setdefault(source.data_id, []).append(source.source_data_id)
    return found


def time_runs(spans: Sequence[Span], sources: Mapping[str, Sequence[str]]) -> dict[str, RunTiming]:
    """Each run that a span tells of, by its id in order; spans are in order of their beginnings."""
    by_run: dict[str, list[Span]] = {}
    for span in spans:
        by_run.setdefault(span.data_id, []).append(span)
    timings = {data_id: _timing(data_id, by_run[data_id]) for data_id in sorted(by_run)}
    return {
        data_id: _queued(timing, timings, sources.get(data_id, ())) for data_id, timing in timings.items()
    }


def _timing(data_id: str, spans: Sequence[Span]) -> RunTiming:
    dumps = [span for span in spans if span.name == DUMP]
    last_dump = max(dumps, key=lambda span: span.end, default=None)
    produced_by = (last_dump or spans[-1]).attempt_id
    own = [span for span in spans if span.attempt_id == produced_by]
    task = _task_of(own)
    start = task.start if task else min(span.start for span in own)
    end = task.end if task else max(span.end for span in own)
    earlier = [span for span in spans if span.attempt_id != produced_by and span.start < start]
    return RunTiming(
        data_id=data_id,
        start=start,
        end=end,
        ready=None if last_dump is None else last_dump.end,
        retried=sum(map(_length_of_attempt, _by_attempt(earlier).values())),
    )


def _by_attempt(spans: Iterable[Span]) -> dict[str | None, list[Span]]:
    found: dict[str | None, list[Span]] = {}
    for span in spans:
        found.setdefault(span.attempt_id, []).append(span)
    return found


def _length_of_attempt(spans: Sequence[Span]) -> int:
    task = _task_of(spans)
    return task.duration if task else max(span.end for span in spans) - min(span.start for span in spans)


def _task_of(spans: Iterable[Span]) -> Span | None:
    return next((span for span in spans if span.name == TASK and span.parent_span_id is None), None)


def _queued(timing: RunTiming, timings: Mapping[str, RunTiming], sources: Sequence[str]) -> RunTiming:
    blocker: RunTiming | None = None
    for source in sources:
        other = timings.get(source)
        if other is None or other.ready is None or source == timing.data_id:
            continue
        if blocker is None or blocker.ready is None or other.ready > blocker.ready:
            blocker = other
    if blocker is None or blocker.ready is None:
        return timing
    return RunTiming(
        data_id=timing.data_id,
        start=timing.start,
        end=timing.end,
        ready=timing.ready,
        retried=timing.retried,
        queuing_delay=max(timing.start - blocker.ready, 0),
        blocked_by=blocker.data_id,
    )
