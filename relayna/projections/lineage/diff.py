"""Two runs compared: what came of one beside what came of the other. Owns how runs are matched. Pure.

Ids differ between runs, so each run is known by its signature: its parent's signature, the kind of its birth, its
agent and workflow, and its place among its equals by time of birth.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from msgspec import Struct

from relayna.projections.lineage.run_edges import Run, RunEdge
from relayna.projections.lineage.session_graph import DownstreamGraph

__all__ = ["KindDelta", "MatchedRuns", "RunDiff", "diff_runs"]

Signature: TypeAlias = int
"""A number for each way of having come about; the same number in both graphs means the same way."""


class MatchedRuns(Struct, frozen=True, kw_only=True):
    """A run of each side that came about in the same way. Deltas are b minus a."""

    a: str
    b: str
    status_a: str | None
    status_b: str | None
    status_changed: bool
    duration_delta_ms: int | None
    """None while one of them has not ended."""


class KindDelta(Struct, frozen=True, kw_only=True):
    """How many edges of a kind each side has."""

    kind: str
    a: int
    b: int
    delta: int


class RunDiff(Struct, frozen=True, kw_only=True):
    """The comparison. Deltas are b minus a; cost in millionths of a dollar."""

    a: str
    b: str
    matched: list[MatchedRuns]
    only_in_a: list[str]
    only_in_b: list[str]
    by_kind: list[KindDelta]
    cost_delta: int
    tokens_delta: int
    duration_delta_ms: int | None
    status_changes: int
    truncated: bool


class _Signatures:
    """Numbers for signatures, shared by both sides."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[object, ...], Signature] = {}

    def of(self, graph: DownstreamGraph) -> dict[Signature, str]:
        """By signature, the run that has it."""
        runs = {run.run_id: run for run in graph.nodes}
        by_parent: dict[str, list[RunEdge]] = {}
        for edge in graph.edges:
            if edge.is_birth and edge.source is not None and not edge.is_self:
                by_parent.setdefault(edge.source, []).append(edge)
        found = {self._number(("root",)): graph.root_run_id}
        signed = {graph.root_run_id: self._number(("root",))}
        waiting = [graph.root_run_id]
        for parent in waiting:
            ordinals: dict[tuple[object, ...], int] = {}
            for edge in sorted(by_parent.get(parent, ()), key=lambda edge: (edge.at, edge.edge_id)):
                if edge.target in signed:
                    continue
                run = runs[edge.target]
                like = (signed[parent], edge.kind, run.agent, run.workflow)
                ordinals[like] = ordinals.get(like, 0) + 1
                signed[edge.target] = self._number((*like, ordinals[like]))
                found[signed[edge.target]] = edge.target
                waiting.append(edge.target)
        for run_id in sorted(runs.keys() - signed.keys()):  # reached by no birth: only itself can be its like
            found[self._number(("unborn", run_id))] = run_id
        return found

    def _number(self, signature: tuple[object, ...]) -> Signature:
        return self._numbers.setdefault(signature, len(self._numbers))


def diff_runs(a: DownstreamGraph, b: DownstreamGraph) -> RunDiff:
    """Compare what came of two runs. A run beside itself is all zero."""
    signatures = _Signatures()
    of_a, of_b = signatures.of(a), signatures.of(b)
    runs_a, runs_b = _by_id(a), _by_id(b)
    matched = [
        _matched(runs_a[of_a[signature]], runs_b[of_b[signature]])
        for signature in sorted(of_a.keys() & of_b.keys())
    ]
    kinds = sorted(a.counts.by_kind.keys() | b.counts.by_kind.keys())
    counts = [(kind, a.counts.by_kind.get(kind, 0), b.counts.by_kind.get(kind, 0)) for kind in kinds]
    return RunDiff(
        a=a.root_run_id,
        b=b.root_run_id,
        matched=matched,
        only_in_a=[of_a[signature] for signature in sorted(of_a.keys() - of_b.keys())],
        only_in_b=[of_b[signature] for signature in sorted(of_b.keys() - of_a.keys())],
        by_kind=[KindDelta(kind=kind, a=in_a, b=in_b, delta=in_b - in_a) for kind, in_a, in_b in counts],
        cost_delta=b.cost_total - a.cost_total,
        tokens_delta=b.tokens_total - a.tokens_total,
        duration_delta_ms=_delta(runs_a[a.root_run_id], runs_b[b.root_run_id]),
        status_changes=sum(one.status_changed for one in matched),
        truncated=a.truncated or b.truncated,
    )


def _by_id(graph: DownstreamGraph) -> Mapping[str, Run]:
    return {run.run_id: run for run in graph.nodes}


def _matched(a: Run, b: Run) -> MatchedRuns:
    return MatchedRuns(
        a=a.run_id,
        b=b.run_id,
        status_a=a.status,
        status_b=b.status,
        status_changed=a.status != b.status,
        duration_delta_ms=_delta(a, b),
    )


def _delta(a: Run, b: Run) -> int | None:
    in_a, in_b = _duration(a), _duration(b)
    return None if in_a is None or in_b is None else (in_b - in_a) // 1000


def _duration(run: Run) -> int | None:
    if run.started_at is None or run.ended_at is None:
        return None
    return max(run.ended_at - run.started_at, 0)
