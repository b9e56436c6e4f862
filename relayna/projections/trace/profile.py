"""The analysis of a session: what took how long, who waited for whom, and the path that decided the end.

Owns the answer's shape. Pure; the parts are in the modules beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from relayna.instants import format_instant
from relayna.projections.trace.breakdown import Breakdown, PhaseTable, break_down
from relayna.projections.trace.path import wakers_by_run, walked_back
from relayna.projections.trace.spans import TASK, Output, Span, TraceHistory, Wait, seconds
from relayna.projections.trace.timings import RunTiming, sources_by_run, time_runs

__all__ = [
    "ActiveWait",
    "AssetSummary",
    "CriticalPath",
    "LineageRow",
    "ProfileSummary",
    "RunProfile",
    "analyse",
]


class AssetSummary(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An asset and the newest of its versions."""

    asset_guid: str
    latest_data_id: str
    latest_version: int
    user_id: str | None
    versions: int
    created_at: str


class LineageRow(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing that a run was made from."""

    data_id: str
    source_data_id: str
    created_at: str


class RunProfile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One run."""

    data_id: str
    start_time: str
    end_time: str
    duration_seconds: float
    queuing_delay_seconds: float
    parent_data_ids: list[str]
    blocking_parent_data_id: str | None
    retry_seconds: float


class ActiveWait(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The path's runs, as parallel lists: how long each worked, and waited before."""

    data_id: list[str]
    active_seconds: list[float]
    wait_seconds: list[float]


class CriticalPath(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The runs that decided when the session ended."""

    path: list[str]
    critical_path_seconds: float
    critical_path_wall_seconds: float
    active_wait_breakdown: ActiveWait
    hardware_summary: PhaseTable
    network_summary: PhaseTable
    total_network_seconds: float
    cycle: bool
    """Its sources run in a circle: the path ends where it met itself."""


class ProfileSummary(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole analysis."""

    workflow_id: str
    event_count: int
    data_ids: list[str]
    assets: list[AssetSummary]
    lineage: list[LineageRow]
    e2e_breakdown: Breakdown
    per_data_id: list[RunProfile]
    critical_path: CriticalPath | None
    """None without a run."""


def analyse(history: TraceHistory) -> ProfileSummary:
    """Analyse a session. What is told twice counts twice; the order in which it is told does not matter."""
    spans = sorted(history.spans, key=lambda span: (span.start, span.end, span.name, span.span_id))
    ordered = sorted(
        history.sources, key=lambda one: (one.created_at, one.data_id, one.place, one.source_data_id)
    )
    sources = sources_by_run(ordered)
    timings = time_runs(spans, sources, history.waited_since, history.waits)
    return ProfileSummary(
        workflow_id=history.session_id,
        event_count=len(spans),
        data_ids=list(timings),
        assets=_assets(history.outputs),
        lineage=[
            LineageRow(
                data_id=row.data_id,
                source_data_id=row.source_data_id,
                created_at=format_instant(row.created_at),
            )
            for row in ordered
        ],
        e2e_breakdown=break_down(spans),
        per_data_id=[_profile(timing, sources.get(timing.data_id, [])) for timing in timings.values()],
        critical_path=_critical_path(spans, timings, sources, history.waits) if timings else None,
    )


def _assets(outputs: Iterable[Output]) -> list[AssetSummary]:
    by_asset: dict[str, list[Output]] = {}
    for output in sorted(outputs, key=lambda output: (output.version, output.created_at, output.data_id)):
        by_asset.setdefault(output.asset_guid, []).append(output)
    return [
        AssetSummary(
            asset_guid=guid,
            latest_data_id=versions[-1].data_id,
            latest_version=versions[-1].version,
            user_id=versions[-1].user_id,
            versions=len({output.version for output in versions}),
            created_at=format_instant(versions[0].created_at),
        )
        for guid, versions in sorted(by_asset.items())
    ]


def _profile(timing: RunTiming, sources: list[str]) -> RunProfile:
    return RunProfile(
        data_id=timing.data_id,
        start_time=format_instant(timing.start),
        end_time=format_instant(timing.end),
        duration_seconds=seconds(max(timing.end - timing.start, 0)),
        queuing_delay_seconds=seconds(timing.queuing_delay),
        parent_data_ids=sources,
        blocking_parent_data_id=timing.blocked_by,
        retry_seconds=seconds(timing.retried),
    )


def _critical_path(
    spans: Sequence[Span],
    timings: Mapping[str, RunTiming],
    sources: Mapping[str, Sequence[str]],
    inside: Iterable[Wait],
) -> CriticalPath:
    woken = wakers_by_run(inside, timings)
    path, cycle = walked_back(timings, sources, woken)
    runs = [timings[data_id] for data_id in path]
    active = [run.worked for run in runs]
    waits = [run.queuing_delay for run in runs]
    tables = break_down(_spans_of_path(spans, set(path), timings))
    began = min((runs[0].start, *(run.start for run in runs if run.data_id in woken)))
    wall = max(runs[-1].finish - began, 0)
    longest = _wall_of_session(spans)
    return CriticalPath(
        path=path,
        critical_path_seconds=seconds(sum(active) + sum(waits)),
        critical_path_wall_seconds=seconds(min(wall, longest)),
        active_wait_breakdown=ActiveWait(
            data_id=path,
            active_seconds=[seconds(one) for one in active],
            wait_seconds=[seconds(one) for one in waits],
        ),
        hardware_summary=tables.hardware_summary,
        network_summary=tables.network_summary,
        total_network_seconds=tables.total_network_seconds,
        cycle=cycle,
    )


def _spans_of_path(spans: Sequence[Span], path: set[str], timings: Mapping[str, RunTiming]) -> list[Span]:
    """Those of the path, and of the merge parents that its runs were handled by."""
    parents = {span.batch_id for span in spans if span.data_id in path and span.batch_id in timings}
    wanted = path | parents
    return [span for span in spans if span.data_id in wanted]


def _wall_of_session(spans: Sequence[Span]) -> int:
    """As the breakdown has it; of sessions without a task span, from the first beginning to the last end."""
    tasks = [span for span in spans if span.name == TASK and span.type != "marker"]
    bounds = tasks or spans
    return max(max(span.end for span in bounds) - min(span.start for span in bounds), 0)
