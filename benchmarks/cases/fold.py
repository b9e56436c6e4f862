"""The fold: histories of each kind of topology, from memory, into graphs and JSON."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from msgspec import Struct, field

from benchmarks.case import Bench, Case
from benchmarks.figures import Figure, Target, growth_exponent
from benchmarks.histories import History
from benchmarks.measuring import seconds
from benchmarks.straightforward_fold import straightforward_fold
from benchmarks.targets import FOLD_GROWTH, FOLD_LARGE, FOLD_SMALL
from benchmarks.workloads import WORKLOADS
from relayna.projections.execution import ExecutionProjection, GraphQuery
from relayna.projections.graph import ExecutionGraph, encode_graph
from relayna.projections.projection import Item
from relayna.projections.registry import execution_projection_for

__all__ = ["FOLD"]

_SIZES: Final = (1_000, 10_000, 100_000)
_QUICK_SIZES: Final = (1_000, 5_000)
_TARGETS: Final = {1_000: FOLD_SMALL, 100_000: FOLD_LARGE}
_EVENTS_A_SAMPLE: Final = 5_000
"""Small histories are folded several times a sample."""


def _run(bench: Bench) -> Iterator[Figure]:
    sizes = _QUICK_SIZES if bench.quick else _SIZES
    for workload in WORKLOADS:
        yield from _fold_family(bench, workload.kind, bench.history(workload, sizes[-1]), sizes)


class _Samples(Struct, frozen=True):
    """Seconds of each way of using one history, a sample a round."""

    fold: list[float] = field(default_factory=list)
    plain: list[float] = field(default_factory=list)
    encoding: list[float] = field(default_factory=list)


def _fold_family(bench: Bench, kind: str, history: History, sizes: Sequence[int]) -> Iterator[Figure]:
    projection = execution_projection_for([history.topology_kind])
    samples: dict[int, _Samples] = {}
    peak = 0
    for size in sizes:
        items = history.first_events(size)
        samples[size] = _sample(projection, history, items, bench.rounds, encoded=size == sizes[-1])
        if size == sizes[1]:  # the largest would take a minute to trace
            peak = _peak_bytes(projection, history, items)
    for size in sizes:
        plain = f"{kind}, straightforward fold, {size:,} events"
        target = _TARGETS.get(size)
        yield _per_event(f"{kind}, fold, {size:,} events", samples[size].fold, size, target, beside=plain)
        yield _per_event(plain, samples[size].plain, size)
    encoding = f"{kind}, encode_graph, {sizes[-1]:,} events"
    yield _per_event(encoding, samples[sizes[-1]].encoding, sizes[-1])
    growth = f"growth from {sizes[0]:,} to {sizes[-1]:,}"
    plain = f"{kind}, straightforward fold, {growth}"
    yield Figure(
        name=f"{kind}, fold, {growth}",
        unit="exponent",
        samples=_exponents({size: samples[size].fold for size in sizes}),
        target=FOLD_GROWTH if sizes is _SIZES else None,
        beside=plain,
    )
    exponents = _exponents({size: samples[size].plain for size in sizes})
    yield Figure(name=plain, unit="exponent", samples=exponents)
    yield Figure(name=f"{kind}, fold, peak memory at {sizes[1]:,}", unit="B/event", samples=[peak / sizes[1]])


def _exponents(costs: Mapping[int, Sequence[float]]) -> list[float]:
    """One a round."""
    rounds = zip(*costs.values(), strict=True)
    return [growth_exponent(dict(zip(costs, of_round, strict=True))) for of_round in rounds]


def _sample(
    projection: ExecutionProjection, history: History, items: Sequence[Item], rounds: int, *, encoded: bool
) -> _Samples:
    """The straightforward fold and ours in turn, then perhaps the JSON of our graph."""
    samples = _Samples()
    times = max(1, _EVENTS_A_SAMPLE // len(items))
    for _ in range(rounds):
        samples.plain.append(seconds(lambda: straightforward_fold(items), times=times))
        samples.fold.append(seconds(lambda: _fold(projection, history, items), times=times))
    graph = _fold(projection, history, items)
    for _ in range(rounds if encoded else 0):
        samples.encoding.append(seconds(lambda: encode_graph(graph)))
    return samples


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


def _per_event(
    name: str, samples: Sequence[float], size: int, target: Target | None = None, *, beside: str = ""
) -> Figure:
    per_event = [one / size * 1e6 for one in samples]
    return Figure(name=name, unit="µs/event", samples=per_event, target=target, beside=beside)


FOLD: Final = Case(
    "fold",
    "Histories that real consumers recorded, from memory: `apply` and `finish`, then `encode_graph`; beside it a loop "
    "that only makes a node and an edge of each event.",
    _run,
)
