"""What may be asked of read models, and what is answered: shapes only.

Owns the names of filters. How they are answered is in `lists.py` and `attempt_statistics.py`.
"""

from __future__ import annotations

from msgspec import Struct

from relayna.ids import TaskId
from relayna.instants import Instant
from relayna.observability.read_models.terms import Sort
from relayna.projections.failures_of import FailedAttempt
from relayna.projections.letters_of import LetterSummary
from relayna.projections.task_summary import TaskSummary

__all__ = [
    "AsOf", "AttemptStatistics", "Durations", "ExecutionPage", "ExecutionsWanted", "FailuresWanted", "FailurePage",
    "GroupOfAttempts", "LetterPage", "LettersWanted", "ListedFailure", "ListedLetter", "DEFAULT_LIMIT", "LETTER_STATES", "MOST_LISTED",
]  # fmt: skip

DEFAULT_LIMIT = 50
MOST_LISTED = 200
LETTER_STATES = ("open", "replayed")


class AsOf(Struct, frozen=True, kw_only=True):
    """Of which moment read models speak."""

    as_of: Instant | None
    """All that was recorded before is in them; None when not even that can be said, while they are rebuilt."""
    lag_ms: int | None
    """How far that is behind."""
    shards_unread: int = 0
    """Shards whose tasks are not in them yet, or by an earlier version of the fold."""


class ExecutionsWanted(Struct, frozen=True, kw_only=True):
    """Tasks, by what they have in common. None asks for all."""

    status: str | None = None
    """The latest one."""
    topology: str | None = None
    queue: str | None = None
    """From which it was delivered at least once; likewise the stage."""
    stage: str | None = None
    task_type: str | None = None
    correlation_id: str | None = None
    parent_task_id: str | None = None
    since: Instant | None = None
    """Started then or later."""
    until: Instant | None = None
    """Started before."""
    sort: Sort = "started_at"
    newest_first: bool = True
    cursor: str | None = None
    limit: int = DEFAULT_LIMIT


class FailuresWanted(Struct, frozen=True, kw_only=True):
    """Failed attempts of all tasks, newest first; `since` and `until` are about the failure."""

    queue: str | None = None
    stage: str | None = None
    exception_type: str | None = None
    since: Instant | None = None
    until: Instant | None = None
    cursor: str | None = None
    limit: int = DEFAULT_LIMIT


class LettersWanted(Struct, frozen=True, kw_only=True):
    """Dead letters of all tasks, newest first; `since` and `until` are about the letter."""

    state: str | None = None
    """`open` or `replayed`."""
    queue: str | None = None
    """The queue that the message came from."""
    stage: str | None = None
    reason: str | None = None
    since: Instant | None = None
    until: Instant | None = None
    cursor: str | None = None
    limit: int = DEFAULT_LIMIT


class ListedFailure(Struct, frozen=True, kw_only=True):
    """A failed attempt, and whose it is."""

    task_id: TaskId
    task_type: str | None
    topology_kind: str
    failure: FailedAttempt


class ListedLetter(Struct, frozen=True, kw_only=True):
    """A dead letter, and whose it is."""

    task_id: TaskId
    task_type: str | None
    topology_kind: str
    letter: LetterSummary


class ExecutionPage(Struct, frozen=True, kw_only=True):
    """Some of the tasks asked for. A page may be short, even empty, and the list still go on."""

    executions: list[TaskSummary]
    next: str | None
    """The cursor with which it goes on; None at the end."""
    as_of: AsOf


class FailurePage(Struct, frozen=True, kw_only=True):
    """Some of the failures asked for; as `ExecutionPage`."""

    failures: list[ListedFailure]
    next: str | None
    as_of: AsOf


class LetterPage(Struct, frozen=True, kw_only=True):
    """Some of the dead letters asked for; as `ExecutionPage`."""

    letters: list[ListedLetter]
    next: str | None
    as_of: AsOf


class Durations(Struct, frozen=True, kw_only=True):
    """How long something took, in milliseconds. Shares are told by bounds, at most a quarter above what they were."""

    count: int
    mean: float
    p50_at_most: int
    p90_at_most: int
    p99_at_most: int


class GroupOfAttempts(Struct, frozen=True, kw_only=True):
    """Attempts that have a queue, a stage or a handler in common."""

    name: str | None
    """None for those that do not tell it."""
    attempts: int = 0
    succeeded: int = 0
    failed: int = 0
    """Whatever became of them."""
    retried: int = 0
    dead_lettered: int = 0
    abandoned: int = 0
    """Given back, or their worker died."""
    success_rate: float | None = None
    """Of those that succeeded or failed; None when there is none."""
    wait_ms: Durations | None = None
    """In the queue: from when the message could be handed out to the attempt's start."""
    duration_ms: Durations | None = None
    """Of the handler: from the attempt's start to its end."""


class AttemptStatistics(Struct, frozen=True, kw_only=True):
    """Attempts that began on some days, UTC, of tasks that are still kept."""

    since: Instant
    until: Instant
    """Without it."""
    total: GroupOfAttempts
    queues: list[GroupOfAttempts]
    """Those with the most attempts first; at most 200 of each."""
    stages: list[GroupOfAttempts]
    handlers: list[GroupOfAttempts]
    groups_left_out: int
    as_of: AsOf
