"""One lineage out of what streams tell and what records keep of the runs that they do not tell of.

Owns who is believed: of a run whose stream was read whole the stream, of all others the record; of a birth the better
word. Reads nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from msgspec.structs import replace

from relayna.instants import Instant
from relayna.observability.run_records.encoding import KeptRun, ParentsWord
from relayna.projections.lineage.run_edges import Run, RunEdge, RunLineage

__all__ = ["as_it_was", "merged"]

_WEAK: Final = {"span_tree_fallback": 2, "user_start": 1}
"""Births that give way to others: made up when read, or read off a task that does not know of its parent."""


def merged(
    lineage: RunLineage,
    records: Iterable[KeptRun],
    *,
    read: Collection[str],
    renewed: Collection[str] = (),
) -> RunLineage:
    """Both together. `read` are the runs whose streams were read whole.

    Of those, `renewed` are the runs whose streams began anew after they had expired: they go on with their records.
    """
    believed = {run_id for run_id in read if run_id not in renewed}
    kept = [record for record in _joined(records) if record.run.run_id not in believed]
    if not kept:
        return lineage
    if renewed:
        kept, lineage = _renewed(lineage, kept, renewed)
    runs = {**lineage.runs, **{record.run.run_id: record.run for record in kept}}
    recorded = {record.run.run_id for record in kept}
    edges: dict[tuple[str, str, str], RunEdge] = {}
    births: dict[str, RunEdge] = {}
    # Whoever an edge leads to knows it best, and stands first.
    own = [edge for record in kept for edge in record.edges if edge.target == record.run.run_id]
    away = [edge for record in kept for edge in record.edges if edge.target != record.run.run_id]
    for edge in (*own, *(edge for edge in lineage.edges if edge.target in believed), *lineage.edges, *away):
        if edge.is_birth:
            _take_better(births, edge)
        else:
            edges.setdefault((edge.edge_id, edge.kind, edge.target), edge)
    words = {word.edge_id: word for record in kept for word in record.words}
    told = [_with_word(edge, words.get(edge.edge_id)) for edge in (*births.values(), *edges.values())]
    for edge in told:
        for run_id in filter(None, (edge.source, edge.target)):
            runs.setdefault(run_id, Run(run_id=run_id, session_id=edge.session_id))
    told = [
        replace(edge, session_id=runs[edge.target].session_id) if edge.target in recorded else edge
        for edge in _in_time(told)
    ]
    told.sort(key=lambda edge: (edge.at, edge.edge_id, edge.kind, edge.source or "", edge.target))
    return RunLineage(runs=dict(sorted(runs.items())), edges=told)


def as_it_was(record: KeptRun, at: Instant) -> KeptRun:
    """The record as far as it can be told of that time: who had not ended then was running."""
    edges = [edge for edge in record.edges if edge.at <= at]
    run = record.run
    if run.started_at is not None and run.started_at > at:
        run = Run(run_id=run.run_id, session_id=run.session_id)
    elif run.ended_at is None or run.ended_at > at:
        status = run.status if run.started_at is None else "running"
        run = replace(run, status=status, ended_by=None, ended_at=None)
    return KeptRun(run, edges, record.words)


def _joined(records: Iterable[KeptRun]) -> Iterable[KeptRun]:
    """Each run once. Of one that was heard of again when its stream was gone, the later record goes on with the first."""
    found: dict[str, KeptRun] = {}
    for record in records:
        first = found.get(record.run.run_id)
        found[record.run.run_id] = record if first is None else _continued(first, record)
    return found.values()


def _continued(one: KeptRun, other: KeptRun) -> KeptRun:
    first, later = sorted((one, other), key=_begins)
    known = {(edge.edge_id, edge.kind) for edge in first.edges}
    run = replace(
        later.run,
        agent=later.run.agent or first.run.agent,
        ended_by=later.run.ended_by if later.run.agent else first.run.ended_by,
        workflow=later.run.workflow or first.run.workflow,
        status=later.run.status or first.run.status,
        started_at=first.run.started_at or later.run.started_at,
        ended_at=later.run.ended_at or first.run.ended_at,
    )
    is_born = any(edge.is_birth and edge.target == run.run_id for edge in first.edges)
    edges = [*first.edges]
    for edge in later.edges:
        if (edge.edge_id, edge.kind) in known:
            continue
        if is_born and edge.target == run.run_id and edge.kind in _WEAK:
            edges = _gone_on(edges, edge, first.run, later.run)
        else:
            edges.append(edge)
    return KeptRun(run, edges, [*first.words, *later.words])


def _renewed(
    lineage: RunLineage, kept: Iterable[KeptRun], renewed: Collection[str]
) -> tuple[list[KeptRun], RunLineage]:
    """Records that go on with what the streams begun anew tell, and what all other streams do."""
    leading: dict[str, list[RunEdge]] = {run_id: [] for run_id in renewed}
    others: list[RunEdge] = []
    for edge in lineage.edges:
        leading.get(edge.target, others).append(edge)
        if edge.target in leading and edge.is_birth and edge.kind not in _WEAK:
            others.append(replace(edge, cost_attributed=0, tokens_attributed=0))
    since = {
        run_id: KeptRun(
            lineage.runs[run_id],
            [replace(edge, kind="user_start") if edge.is_birth else edge for edge in edges],
        )
        for run_id, edges in leading.items()
        if run_id in lineage.runs
    }
    joined = [
        _continued(record, since[record.run.run_id]) if record.run.run_id in since else record
        for record in kept
    ]
    return joined, RunLineage(runs=lineage.runs, edges=others)


def _gone_on(edges: Iterable[RunEdge], start: RunEdge, first: Run, later: Run) -> list[RunEdge]:
    """These edges of a run, with what seems to be its start where what was before is forgotten.

    It is another attempt, or the first of a run that had not begun before.
    """
    if first.started_at is not None and later.started_at is not None:
        again = RunEdge(
            edge_id=start.edge_id,
            kind="retry",
            source=start.target,
            target=start.target,
            at=max(start.at, later.started_at),
            session_id=start.session_id,
            cost_attributed=start.cost_attributed,
            tokens_attributed=start.tokens_attributed,
        )
        return [*edges, again]
    return [
        replace(
            edge,
            cost_attributed=edge.cost_attributed + start.cost_attributed,
            tokens_attributed=edge.tokens_attributed + start.tokens_attributed,
        )
        if edge.is_birth and edge.target == start.target
        else edge
        for edge in edges
    ]


def _begins(record: KeptRun) -> tuple[int, ...]:
    return tuple(sorted(edge.at for edge in record.edges))[:1] or (record.run.started_at or 0,)


def _take_better(births: dict[str, RunEdge], edge: RunEdge) -> None:
    known = births.get(edge.target)
    if known is None:
        births[edge.target] = edge
    elif _WEAK.get(edge.kind, 0) < _WEAK.get(known.kind, 0):
        births[edge.target] = replace(  # what the run used is told by its own word
            edge,
            cost_attributed=max(edge.cost_attributed, known.cost_attributed),
            tokens_attributed=max(edge.tokens_attributed, known.tokens_attributed),
        )
    elif known.edge_id == edge.edge_id:
        births[edge.target] = _with_word(known, edge)  # its parent may say more of it


def _with_word(edge: RunEdge, word: RunEdge | ParentsWord | None) -> RunEdge:
    if word is None:
        return edge
    return replace(
        edge,
        variant=edge.variant or word.variant,
        label=edge.label or word.label,
        group_key=edge.group_key or word.group_key,
    )


def _in_time(edges: Iterable[RunEdge]) -> Iterable[RunEdge]:
    """No edge is earlier than the birth of the run that it comes from: records know only their own run's clocks."""
    told = list(edges)
    births = {edge.target: edge for edge in told if edge.is_birth}
    born: dict[str, int] = {}
    for start in births:
        path: list[str] = []
        seen: set[str] = set()
        at: str | None = start
        while at is not None and at in births and at not in born and at not in seen:
            path.append(at)
            seen.add(at)
            at = births[at].source
        time = born.get(at, births[path[-1]].at) if at is not None and path else None
        for run_id in reversed(path):
            time = births[run_id].at if time is None else max(time, births[run_id].at)
            born[run_id] = time
    for edge in told:
        earliest = max(born.get(edge.target, edge.at), born.get(edge.source or "", edge.at))
        yield edge if edge.at >= earliest else replace(edge, at=Instant(earliest))
