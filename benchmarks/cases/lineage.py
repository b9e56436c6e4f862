"""Lineage: a session of thousands of runs, folded from memory, and answered end to end from a store."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import anyio
import msgspec

from benchmarks.case import Bench, Case
from benchmarks.figures import Figure, growth_exponent
from benchmarks.measuring import interleaved, interleaved_async
from benchmarks.sessions import MadeRun, append_of, chain, events_of, tree
from benchmarks.targets import LINEAGE_END_TO_END, LINEAGE_FOLD_GROWTH
from relayna.observability.interpreter_manners import InterpreterManners
from relayna.observability.lineage_gathering import Recorded
from relayna.observability.lineage_service import LineageService
from relayna.observability.read_models import (
    Indexer,
    ReadModelProgress,
    read_models_beside,
    run_records_beside,
)
from relayna.observability.run_records.known_runs import KnownRuns
from relayna.projections.execution import GraphQuery
from relayna.projections.execution_state import ExecutionState
from relayna.projections.lineage.run_lineage import RUN_LINEAGE, own_lineage
from relayna.projections.task_summary import TASK_SUMMARY, account_and_run
from relayna.streams import DEFAULT_TENANT
from relayna.streams.redis import RedisLog

__all__ = ["LINEAGE"]

_CHAINS: Final = (1_000, 2_000, 4_000, 8_000)
_SESSION: Final = 10_000
_ORDINARY: Final = 1_000
_APPENDED_AT_ONCE: Final = 500


def _run(bench: Bench) -> Iterator[Figure]:
    yield from _folds(bench, _CHAINS[:2] if bench.quick else _CHAINS)
    yield from _records_beside_rows(bench)
    session = tree(_SESSION // 20 if bench.quick else _SESSION)
    yield from anyio.run(_end_to_end, bench, session)


def _folds(bench: Bench, sizes: tuple[int, ...]) -> Iterator[Figure]:
    states = {size: _state(chain(size)) for size in sizes}
    works = {
        str(size): lambda state=state: RUN_LINEAGE.finish(state, GraphQuery())
        for size, state in states.items()
    }
    with InterpreterManners().minded():  # as services fold
        samples = interleaved(works, rounds=bench.rounds)
    for size in sizes:
        costs = [one / size * 1e6 for one in samples[str(size)]]
        yield Figure(name=f"a chain of {size:,} runs, fold", unit="µs/run", samples=costs)
    rounds = zip(*(samples[str(size)] for size in sizes), strict=True)
    exponents = [growth_exponent(dict(zip(sizes, costs, strict=True))) for costs in rounds]
    name = f"chains, growth from {sizes[0]:,} to {sizes[-1]:,}"
    yield Figure(name=name, unit="exponent", samples=exponents, target=LINEAGE_FOLD_GROWTH)


def _records_beside_rows(bench: Bench) -> Iterator[Figure]:
    """What it costs the indexer that rows carry records."""
    states = [_state([run]) for run in tree(_ORDINARY, abreast=3)]

    def rows() -> None:
        for state in states:
            TASK_SUMMARY.finish(state, GraphQuery())

    def rows_and_records() -> None:
        for state in states:
            own_lineage(account_and_run(state, GraphQuery())[1], state, GraphQuery())

    samples = interleaved({"rows": rows, "rows and runs": rows_and_records}, rounds=bench.rounds)
    for name, costs in samples.items():
        per_task = [one / _ORDINARY * 1e6 for one in costs]
        yield Figure(name=f"{_ORDINARY:,} ordinary tasks into {name}", unit="µs/task", samples=per_task)


async def _end_to_end(bench: Bench, session: list[MadeRun]) -> list[Figure]:
    async with RedisLog(bench.store_url, prefix=bench.fresh_prefix()) as log:
        for start in range(0, len(session), _APPENDED_AT_ONCE):
            await log.append([append_of(run) for run in session[start : start + _APPENDED_AT_ONCE]])
        models = read_models_beside(log)
        await Indexer(log=log, read_models=models).catch_up()
        records = run_records_beside(log, models)
        if records is None:
            raise LookupError("a log on a server has run records beside it")
        recorded = Recorded(
            KnownRuns(records, tenant=DEFAULT_TENANT), ReadModelProgress(log=log, read_models=models)
        )
        service = LineageService(log=log, recorded=recorded)
        root, one, other = (session[number].task_id for number in (0, 1, 2))

        async def graph() -> bytes:
            return msgspec.json.encode(await service.session(root))

        async def downstream() -> bytes:
            return msgspec.json.encode(await service.downstream(root, max_hops=50))

        async def diff() -> bytes:
            return msgspec.json.encode(await service.diff(one, other))

        works = {"session graph": graph, "downstream of its first run": downstream, "diff of two runs": diff}
        samples = await interleaved_async(works, rounds=bench.rounds)
    return [
        Figure(
            name=f"{len(session):,} runs, {name}, store to JSON",
            unit="s",
            samples=told,
            target=LINEAGE_END_TO_END,
        )
        for name, told in samples.items()
    ]


def _state(runs: list[MadeRun]) -> ExecutionState:
    state = RUN_LINEAGE.initial(runs[0].task_id)
    for run in runs:
        for event in events_of(run):
            RUN_LINEAGE.apply(state, event)
    return state


LINEAGE: Final = Case(
    "lineage",
    "Chains of runs folded from memory; a session in a store, from records and streams into JSON.",
    _run,
)
