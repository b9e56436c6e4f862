"""The fold: histories of each kind of topology, from memory, into graphs and JSON."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterator, Sequence
from time import perf_counter
from typing import Final

from benchmarks.case import Bench, Case
from benchmarks.figures import Figure, Target, growth_exponent
from benchmarks.histories import History
from benchmarks.targets import FOLD_GROWTH, FOLD_LARGE, FOLD_SMALL
from benchmarks.workloads import WORKLOADS
from relayna.projections.execution import ExecutionProjection, GraphQuery
from relayna.projections.graph import ExecutionGraph, encode_graph
from relayna.projections.projection import Item
from relayna.projections.registry import execution_projection_for

__all__ = ["FOLD"]

_SIZES: Final = (1_000, 3_000, 10_000, 30_000, 100_000)
_TARGETS: Final = {1_000: FOLD_SMALL, 100_000: FOLD_LARGE}
_TRACED: Final = 10_000
_EVENTS_A_SAMPLE: Final = 10_000
"""Small histories are folded several times a sample."""


def _run(bench: Bench) -> Iterator[Figure]:
    sizes = _SIZES[:3] if bench.quick else _SIZES
    for workload in WORKLOADS:
        yield from _fold_family(bench, workload.kind, bench.history(workload, sizes[-1]), sizes)


def _fold_family(bench: Bench, kind: str, history: History, sizes: Sequence[int]) -> Iterator[Figure]:
    projection = execution_projection_for([history.topology_kind])
    histories = {size: history.first_events(size) for size in sizes}
    folds: dict[int, list[float]] = {size: [] for size in sizes}
    encodings: dict[int, list[float]] = {size: [] for size in sizes}
    for _ in range(bench.rounds):
        for size, items in histories.items():
            fold, encoding = _sample(projection, history, items, times=max(1, _EVENTS_A_SAMPLE // size))
            folds[size].append(fold)
            encodings[size].append(encoding)
    for size in sizes:
        yield _per_event(f"{kind}, fold, {size:,} events", folds[size], size, _TARGETS.get(size))
    exponents = [
        growth_exponent(dict(zip(sizes, costs, strict=True))) for costs in zip(*folds.values(), strict=True)
    ]
    yield Figure(
        name=f"{kind}, fold, growth from {sizes[0]:,} to {sizes[-1]:,}",
        unit="exponent",
        samples=exponents,
        target=FOLD_GROWTH,
    )
    for size in (sizes[0], sizes[-1]):
        yield _per_event(f"{kind}, encode_graph, {size:,} events", encodings[size], size, None)
    peak = _peak_bytes(projection, history, histories[_TRACED])
    yield Figure(name=f"{kind}, fold, peak memory at {_TRACED:,}", unit="B/event", samples=[peak / _TRACED])


def _sample(
    projection: ExecutionProjection, history: History, items: Sequence[Item], *, times: int
) -> tuple[float, float]:
    """Seconds of one fold, and of encoding its graph."""
    gc.collect()
    folding = encoding = 0.0
    for _ in range(times):
        start = perf_counter()
        graph = _fold(projection, history, items)
        folded = perf_counter()
        encode_graph(graph)
        encoding += perf_counter() - folded
        folding += folded - start
    return folding / times, encoding / times


def _fold(projection: ExecutionProjection, history: History, items: Sequence[Item]) -> ExecutionGraph:
    state = projection.initial(history.root)
    for item in items:
        projection.apply(state, item)
    return projection.finish(state, GraphQuery())


def _peak_bytes(projection: ExecutionProjection, history: History, items: Sequence[Item]) -> int:
    """In a round of its own: tracing is slow."""
    gc.collect()
    tracemalloc.start()
    try:
        _fold(projection, history, items)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _per_event(name: str, samples: Sequence[float], size: int, target: Target | None) -> Figure:
    return Figure(name=name, unit="µs/event", samples=[one / size * 1e6 for one in samples], target=target)


FOLD: Final = Case(
    "fold",
    "Histories that real consumers recorded, from memory: `apply` and `finish`, then `encode_graph`.",
    _run,
)
