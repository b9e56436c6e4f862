"""When each run ran, when its output was there, and which source it waited for. Owns these rules; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from relayna.instants import Instant
from relayna.projections.trace.spans import DUMP, TASK, Source, Span, Wait
from relayna.projections.trace.waits import worked_between

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
    worked: int = 0
    """From start to end, without what its handler waited between them."""
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


def time_runs(
    spans: Sequence[Span],
    sources: Mapping[str, Sequence[str]],
    waited_since: Mapping[str, Instant] | None = None,
    waits: Iterable[Wait] = (),
) -> dict[str, RunTiming]:
    """Each run that a span tells of, by its id in order; spans are in order of their beginnings.

    A run waits for the latest of its sources, unless `waited_since` says from when on it did.
    """
    by_run: dict[str, list[Span]] = {}
    for span in spans:
        by_run.setdefault(span.data_id, []).append(span)
    inside: dict[str, list[Wait]] = {}
    for wait in waits:
        inside.setdefault(wait.data_id, []).append(wait)
    timings = {
        data_id: _timing(data_id, by_run[data_id], inside.get(data_id, ())) for data_id in sorted(by_run)
    }
    told = waited_since or {}
    return {
        data_id: _queued(timing, timings, sources.get(data_id, ()))
        if data_id not in told
        else _waited(timing, timings, sources.get(data_id, ()), told[data_id])
        for data_id, timing in timings.items()
    }


def _timing(data_id: str, spans: Sequence[Span], waits: Iterable[Wait]) -> RunTiming:
    dumps = [span for span in spans if span.name == DUMP]
    last_dump = max(dumps, key=lambda span: span.end, default=None)
    produced_by = _producing_attempt(spans, last_dump)
    # What names no attempt was told from outside, and belongs to the one that produced the output.
    own = [span for span in spans if span.attempt_id in (produced_by, None)]
    task = _task_of(own)
    start = task.start if task else min(span.start for span in own)
    end = task.end if task else max(span.end for span in own)
    earlier = [span for span in spans if span.attempt_id not in (produced_by, None) and span.start < start]
    return RunTiming(
        data_id=data_id,
        start=start,
        end=end,
        ready=None if last_dump is None else last_dump.end,
        worked=sum(ended - began for began, ended in worked_between(start, max(start, end), waits)),
        retried=sum(map(_length_of_attempt, _by_attempt(earlier).values())),
    )


def _producing_attempt(spans: Sequence[Span], last_dump: Span | None) -> str | None:
    """That of the last dump, else of what began last; a marker may be another run's word on this one."""
    if last_dump is not None and last_dump.attempt_id is not None:
        return last_dump.attempt_id
    worked = [span.attempt_id for span in spans if span.type != "marker" and span.attempt_id is not None]
    return worked[-1] if worked else spans[-1].attempt_id


def _by_attempt(spans: Iterable[Span]) -> dict[str | None, list[Span]]:
    found: dict[str | None, list[Span]] = {}
    for span in spans:
        found.setdefault(span.attempt_id, []).append(span)
    return found


def _length_of_attempt(spans: Sequence[Span]) -> int:
    task = _task_of(spans)
    return task.duration if task else max(span.end for span in spans) - min(span.start for span in spans)


def _task_of(spans: Iterable[Span]) -> Span | None:
    tasks = (span for span in spans if span.name == TASK and span.type != "marker")
    return next((span for span in tasks if span.parent_span_id is None), None)


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
    return replace(timing, queuing_delay=max(timing.start - blocker.ready, 0), blocked_by=blocker.data_id)


def _waited(
    timing: RunTiming, timings: Mapping[str, RunTiming], sources: Sequence[str], since: Instant
) -> RunTiming:
    blocker = next((source for source in sources if source in timings and source != timing.data_id), None)
    return replace(timing, queuing_delay=max(timing.start - since, 0), blocked_by=blocker)
