"""Under which terms a task is found, and what it adds to the statistics: from its summary to a row's index.

Owns the names of terms, and which filter of a list is answered by which of them. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, Literal, TypeAlias

import msgspec

from relayna.instants import Instant
from relayna.observability.run_records.records_of import RECORDS_VERSION
from relayna.projections.failures_of import FailedAttempt
from relayna.projections.letters_of import LetterSummary
from relayna.projections.statistics import AttemptCount, AttemptGroup
from relayna.projections.task_summary import TASK_SUMMARY, TaskSummary
from relayna.streams.read_models import CountKey, IndexTerm

__all__ = [
    "FAILURE_FILTERS",
    "FOLD_VERSION",
    "LETTER_FILTERS",
    "SORTS",
    "TASK_FILTERS",
    "Sort",
    "counts_of",
    "failure_term",
    "group_in",
    "letter_term",
    "sorted_at",
    "task_term",
    "terms_of",
]

_TERMS_VERSION: Final = 2

FOLD_VERSION: Final = (TASK_SUMMARY.version * 1_000 + _TERMS_VERSION) * 1_000 + RECORDS_VERSION
"""What checkpoints name: rows of another are folded anew.

Raise one of the three when rows say something else, or when stores lay them out in another way.
"""

_LATEST: Final = Instant(2**53 - 1)
"""In the year 2255: as far as every store can tell microseconds apart. What damaged data says is later is then."""

Sort: TypeAlias = Literal["started_at", "updated_at"]
SORTS: Final[tuple[Sort, ...]] = ("started_at", "updated_at")

TASK_FILTERS: Final[dict[str, Callable[[TaskSummary], Iterable[str | None]]]] = {
    "correlation_id": lambda summary: (summary.correlation_id,),
    "parent_task_id": lambda summary: (summary.parent_task_id,),
    "stage": lambda summary: summary.stages,
    "queue": lambda summary: summary.queue_names,
    "task_type": lambda summary: (summary.task_type,),
    "status": lambda summary: (summary.status,),
    "topology": lambda summary: (summary.topology_kind,),
}
"""What may be filtered by, and what a task has of it; those first that few tasks have in common."""

FAILURE_FILTERS: Final[dict[str, Callable[[FailedAttempt], str | None]]] = {
    "exception_type": lambda failure: failure.exception_type,
    "stage": lambda failure: failure.stage,
    "queue": lambda failure: failure.queue_name,
}

LETTER_FILTERS: Final[dict[str, Callable[[LetterSummary], str | None]]] = {
    "reason": lambda letter: letter.reason,
    "stage": lambda letter: letter.stage,
    "queue": lambda letter: letter.source_queue_name,
    "state": lambda letter: "replayed" if letter.replayed else "open",
}


def task_term(filter_name: str | None, sort: Sort) -> str:
    """The name under which tasks lie in this order: all of them, or those with a value of that filter."""
    return f"tasks:{filter_name or 'all'}:{sort}"


def failure_term(filter_name: str | None) -> str:
    """The name under which failed attempts lie by their time."""
    return f"failures:{filter_name or 'all'}"


def letter_term(filter_name: str | None) -> str:
    """The name under which dead letters lie by their time."""
    return f"letters:{filter_name or 'all'}"


def sorted_at(summary: TaskSummary, sort: Sort) -> Instant:
    """Where the task stands in that order; without a time, before all others."""
    return _place(summary.started_at if sort == "started_at" else summary.updated_at)


def terms_of(summary: TaskSummary) -> frozenset[IndexTerm]:
    """Every entry of the task."""
    return frozenset((*_task_terms(summary), *_failure_terms(summary), *_letter_terms(summary)))


def counts_of(counts: Iterable[AttemptCount]) -> dict[CountKey, int]:
    """The task's share of the counts."""
    return {
        CountKey(day=one.day, group=_group_name(one.group), measure=one.measure): one.count for one in counts
    }


def group_in(name: str) -> AttemptGroup | None:
    """The group that a count's key names; None for a name that is none of ours."""
    try:
        queue_name, stage, consumer_name = _names.decode(name)
    except msgspec.DecodeError:
        return None
    return AttemptGroup(queue_name=queue_name, stage=stage, consumer_name=consumer_name)


_names: Final = msgspec.json.Decoder(tuple[str | None, str | None, str | None])


def _group_name(group: AttemptGroup) -> str:
    return msgspec.json.encode((group.queue_name, group.stage, group.consumer_name)).decode()


def _place(at: Instant | None) -> Instant:
    return Instant(0) if at is None else min(max(Instant(0), at), _LATEST)


def _task_terms(summary: TaskSummary) -> Iterator[IndexTerm]:
    for sort in SORTS:
        at = sorted_at(summary, sort)
        yield IndexTerm(task_term(None, sort), "", at)
        for name, values_of in TASK_FILTERS.items():
            for value in values_of(summary):
                if value is not None:
                    yield IndexTerm(task_term(name, sort), value, at)


def _failure_terms(summary: TaskSummary) -> Iterator[IndexTerm]:
    for failure in summary.failures:
        at = _place(failure.at)
        yield IndexTerm(failure_term(None), "", at, failure.ref)
        for name, value_of in FAILURE_FILTERS.items():
            value = value_of(failure)
            if value is not None:
                yield IndexTerm(failure_term(name), value, at, failure.ref)


def _letter_terms(summary: TaskSummary) -> Iterator[IndexTerm]:
    for letter in summary.dead_letters:
        at = _place(letter.at)
        yield IndexTerm(letter_term(None), "", at, letter.ref)
        for name, value_of in LETTER_FILTERS.items():
            value = value_of(letter)
            if value is not None:
                yield IndexTerm(letter_term(name), value, at, letter.ref)
