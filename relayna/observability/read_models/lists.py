"""Lists over all tasks of a tenant: executions, failures and dead letters, by index and never by scan.

Owns which term of the index is walked for a question, and that a request looks at a bounded number of rows.
Folds nothing: the indexer does, and `as_of` in each answer says how far it has come.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from msgspec import Struct
from msgspec.structs import asdict

from relayna.errors import InvalidQuery
from relayna.ids import TaskId, Tenant
from relayna.instants import Instant
from relayna.observability.read_models.cursors import decode_cursor, encode_cursor
from relayna.observability.read_models.progress import ReadModelProgress
from relayna.observability.read_models.questions import (
    LETTER_STATES,
    MOST_LISTED,
    ExecutionPage,
    ExecutionsWanted,
    FailurePage,
    FailuresWanted,
    LetterPage,
    LettersWanted,
    ListedFailure,
    ListedLetter,
)
from relayna.observability.read_models.rows import summary_in
from relayna.observability.read_models.terms import (
    FAILURE_FILTERS,
    LETTER_FILTERS,
    SORTS,
    TASK_FILTERS,
    failure_term,
    letter_term,
    sorted_at,
    task_term,
)
from relayna.projections.failures_of import FailedAttempt
from relayna.projections.letters_of import LetterSummary
from relayna.projections.task_summary import TaskSummary
from relayna.streams import DEFAULT_TENANT, TaskAddress
from relayna.streams.read_models import IndexEntry, IndexPage, ReadModels

__all__ = ["ExecutionLists"]

ItemT = TypeVar("ItemT")

_EXAMINED: Final = 1_000
"""Rows looked at for one page: what no index answers alone is looked for among so many."""

_NOT_FILTERS: Final = ("since", "until", "sort", "newest_first", "cursor", "limit")


class ExecutionLists:
    """Answers for one tenant. The log and the read models must be open; any number of these may read them."""

    def __init__(
        self, *, read_models: ReadModels, progress: ReadModelProgress, tenant: Tenant = DEFAULT_TENANT
    ) -> None:
        self._models = read_models
        self._progress = progress
        self._tenant = tenant

    async def executions(self, wanted: ExecutionsWanted) -> ExecutionPage:
        """Tasks, newest start first unless asked otherwise. Raises `InvalidQuery` and `StoreError`."""
        if wanted.sort not in SORTS:
            raise InvalidQuery("sort", f"{wanted.sort[:80]!r} is none of {', '.join(SORTS)}")
        filters = _filters(wanted)
        best = next((name for name in TASK_FILTERS if name in filters), None)
        by_start = wanted.sort == "started_at"

        def found(entry: IndexEntry, summary: TaskSummary) -> TaskSummary | None:
            began = sorted_at(summary, "started_at")
            fits = (
                sorted_at(summary, wanted.sort) == entry.at  # else it moved on since the index was read
                and (wanted.since is None or began >= wanted.since)
                and (wanted.until is None or began < wanted.until)
                and all(value in TASK_FILTERS[name](summary) for name, value in filters.items())
            )
            return summary if fits else None

        walk = _Walk(
            name=task_term(best, wanted.sort),
            value=filters[best] if best else "",
            since=wanted.since if by_start else None,
            until=wanted.until if by_start else None,
            newest_first=wanted.newest_first,
            limit=wanted.limit,
        )
        executions, cursor = await self._walk(walk, wanted, found, narrow=len(filters) > 1 or not by_start)
        return ExecutionPage(executions=executions, next=cursor, as_of=await self._progress.as_of())

    async def failures(self, wanted: FailuresWanted) -> FailurePage:
        """Failed attempts, newest first. Raises `InvalidQuery` and `StoreError`."""
        filters = _filters(wanted)
        best = next((name for name in FAILURE_FILTERS if name in filters), None)

        def found(entry: IndexEntry, summary: TaskSummary) -> ListedFailure | None:
            for failure in summary.failures:
                if failure.ref == entry.ref:
                    fits = all(FAILURE_FILTERS[name](failure) == value for name, value in filters.items())
                    return _failure(summary, failure) if fits else None
            return None

        walk = _Walk(
            name=failure_term(best),
            value=filters[best] if best else "",
            since=wanted.since,
            until=wanted.until,
            limit=wanted.limit,
        )
        failures, cursor = await self._walk(walk, wanted, found, narrow=len(filters) > 1)
        return FailurePage(failures=failures, next=cursor, as_of=await self._progress.as_of())

    async def dead_letters(self, wanted: LettersWanted) -> LetterPage:
        """Dead letters, newest first, without headers and bodies. Raises `InvalidQuery` and `StoreError`."""
        if wanted.state is not None and wanted.state not in LETTER_STATES:
            raise InvalidQuery("state", f"{wanted.state[:80]!r} is none of {', '.join(LETTER_STATES)}")
        filters = _filters(wanted)
        best = next((name for name in LETTER_FILTERS if name in filters), None)

        def found(entry: IndexEntry, summary: TaskSummary) -> ListedLetter | None:
            for letter in summary.dead_letters:
                if letter.ref == entry.ref:
                    fits = all(LETTER_FILTERS[name](letter) == value for name, value in filters.items())
                    return _letter(summary, letter) if fits else None
            return None

        walk = _Walk(
            name=letter_term(best),
            value=filters[best] if best else "",
            since=wanted.since,
            until=wanted.until,
            limit=wanted.limit,
        )
        letters, cursor = await self._walk(walk, wanted, found, narrow=len(filters) > 1)
        return LetterPage(letters=letters, next=cursor, as_of=await self._progress.as_of())

    async def _walk(
        self,
        walk: _Walk,
        wanted: Struct,
        found: Callable[[IndexEntry, TaskSummary], ItemT | None],
        *,
        narrow: bool,
    ) -> tuple[list[ItemT], str | None]:
        """What is found, and the cursor behind the last entry looked at unless it was the last there is."""
        question = [type(wanted).__name__, _without(wanted, "cursor", "limit")]
        after = decode_cursor(getattr(wanted, "cursor", None), question)
        items: list[ItemT] = []
        left = _EXAMINED
        while left:
            page = walk.page(self._tenant, after, min(left, MOST_LISTED if narrow else walk.limit + 1))
            entries = await self._models.page(page)
            rows = await self._models.rows(
                [TaskAddress(TaskId(entry.task_id), self._tenant) for entry in entries]
            )
            for entry, row in zip(entries, rows, strict=True):
                if len(items) == walk.limit:
                    return items, _cursor(after, question)
                summary = None if row is None else summary_in(row)
                item = None if summary is None else found(entry, summary)
                if item is not None:
                    items.append(item)
                after = entry
            left -= len(entries)
            if len(entries) < page.limit:
                return items, None
        return items, _cursor(after, question)


class _Walk(Struct, frozen=True, kw_only=True):
    """Which entries of the index to look at, in which order."""

    name: str
    value: str
    since: Instant | None
    until: Instant | None
    newest_first: bool = True
    limit: int

    def __post_init__(self) -> None:
        if not 1 <= self.limit <= MOST_LISTED:
            raise InvalidQuery("limit", f"{self.limit} is not between 1 and {MOST_LISTED}")

    def page(self, tenant: Tenant, after: IndexEntry | None, limit: int) -> IndexPage:
        return IndexPage(
            tenant=tenant,
            name=self.name,
            value=self.value,
            since=self.since,
            until=self.until,
            after=after,
            newest_first=self.newest_first,
            limit=limit,
        )


def _filters(wanted: Struct) -> Mapping[str, str]:
    """Those that were given. Raises `InvalidQuery` for one that no record can hold."""
    given = {name: value for name, value in _without(wanted, *_NOT_FILTERS).items() if value is not None}
    for name, value in given.items():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise InvalidQuery(name, "holds half a character (a lone surrogate)") from None
    return given


def _without(wanted: Struct, *names: str) -> dict[str, Any]:  # Any: the fields' own types
    return {name: value for name, value in asdict(wanted).items() if name not in names}


def _failure(summary: TaskSummary, failure: FailedAttempt) -> ListedFailure:
    return ListedFailure(
        task_id=summary.task_id,
        task_type=summary.task_type,
        topology_kind=summary.topology_kind,
        failure=failure,
    )


def _letter(summary: TaskSummary, letter: LetterSummary) -> ListedLetter:
    return ListedLetter(
        task_id=summary.task_id,
        task_type=summary.task_type,
        topology_kind=summary.topology_kind,
        letter=letter,
    )


def _cursor(after: IndexEntry | None, question: object) -> str | None:
    return None if after is None else encode_cursor(after, question)
