"""What lists and statistics say outside: shapes of JSON, and how the answers of read models become them.

Owns that times are told as text. HTTP and the command line say the same.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from relayna.instants import Instant, format_instant
from relayna.observability.read_models.questions import (
    AsOf,
    AttemptStatistics,
    ExecutionPage,
    FailurePage,
    GroupOfAttempts,
    LetterPage,
    ListedFailure,
    ListedLetter,
)
from relayna.projections.graph import NodeState
from relayna.projections.task_summary import TaskSummary

__all__ = [
    "DeadLetterFound", "DeadLettersFound", "ExecutionInShort", "ExecutionsListed", "FailureInShort", "FailuresListed",
    "ReadAsOf", "StatisticsTold", "dead_letters_found", "executions_listed", "failures_listed", "read_as_of",
    "statistics_told", "time_told",
]  # fmt: skip


class ReadAsOf(Struct, frozen=True, kw_only=True):
    """Of which moment lists and statistics speak."""

    as_of: str | None
    """All that was recorded before is in them; null while they are being rebuilt."""
    lag_ms: int | None
    """How far that is behind."""
    shards_unread: int
    """Parts of the store that are not in them yet."""


class ExecutionInShort(Struct, frozen=True, kw_only=True):
    """A task, as its own history tells of it; its graph says more."""

    task_id: str
    topology_kind: str
    status: str | None
    state: NodeState
    task_type: str | None
    correlation_id: str | None
    session_id: str | None
    parent_task_id: str | None
    queue_names: tuple[str, ...]
    stages: tuple[str, ...]
    consumer_names: tuple[str, ...]
    started_at: str | None
    updated_at: str | None
    ended_at: str | None
    duration_ms: int | None
    attempts: int
    failed_attempts: int
    retries: int
    dead_letters_open: int
    dead_letters_replayed: int
    children: int
    completeness: Literal["full", "partial"]
    missing: tuple[str, ...]
    """Why it is partial."""


class ExecutionsListed(Struct, frozen=True, kw_only=True):
    """Some of the tasks asked for. A page may be short, even empty, and the list still go on."""

    executions: list[ExecutionInShort]
    next: str | None
    """The cursor with which it goes on; null at the end."""
    read: ReadAsOf


class FailureInShort(Struct, frozen=True, kw_only=True):
    """An attempt that failed."""

    task_id: str
    task_type: str | None
    topology_kind: str
    ref: str
    """Of the attempt's node in the task's graph; likewise its id and number."""
    node_id: str
    number: int
    timestamp: str | None
    queue_name: str | None
    stage: str | None
    consumer_name: str | None
    exception_type: str | None
    exception_message: str | None
    """Its first 300 characters."""
    reason: str | None
    outcome: str
    """What became of it: `retried`, `dead_lettered`, `rejected`, …"""


class FailuresListed(Struct, frozen=True, kw_only=True):
    """Some of the failures asked for, newest first. A page may be short, even empty, and the list still go on."""

    failures: list[FailureInShort]
    next: str | None
    """The cursor with which it goes on; null at the end."""
    read: ReadAsOf


class DeadLetterFound(Struct, frozen=True, kw_only=True):
    """A dead letter, without its headers and body; its task has more."""

    task_id: str
    task_type: str | None
    topology_kind: str
    dead_letter_id: str | None
    """By which it is shown and replayed; null while only its publishing is known, and none of its content."""
    ref: str
    """Of its node in the task's graph; likewise its id."""
    node_id: str
    timestamp: str | None
    reason: str | None
    queue_name: str | None
    """Where it lies."""
    source_queue_name: str | None
    """Where it came from."""
    stage: str | None
    exception_type: str | None
    exception_message: str | None
    """Its first 300 characters."""
    retry_attempt: int | None
    replay_count: int
    state: Literal["open", "replayed"]


class DeadLettersFound(Struct, frozen=True, kw_only=True):
    """Some of the dead letters asked for, newest first. A page may be short, even empty, and the list still go on."""

    dead_letters: list[DeadLetterFound]
    next: str | None
    """The cursor with which it goes on; null at the end."""
    read: ReadAsOf


class StatisticsTold(Struct, frozen=True, kw_only=True):
    """Attempts that began on some days, UTC, of tasks that are still kept."""

    since: str
    until: str
    """Without it."""
    total: GroupOfAttempts
    queues: list[GroupOfAttempts]
    """Those with the most attempts first; at most 200 of each."""
    stages: list[GroupOfAttempts]
    handlers: list[GroupOfAttempts]
    groups_left_out: int
    read: ReadAsOf


def executions_listed(page: ExecutionPage) -> ExecutionsListed:
    """A page of tasks."""
    executions = [_execution(summary) for summary in page.executions]
    return ExecutionsListed(executions=executions, next=page.next, read=read_as_of(page.as_of))


def failures_listed(page: FailurePage) -> FailuresListed:
    """A page of failures."""
    failures = [_failure(listed) for listed in page.failures]
    return FailuresListed(failures=failures, next=page.next, read=read_as_of(page.as_of))


def dead_letters_found(page: LetterPage) -> DeadLettersFound:
    """A page of dead letters."""
    letters = [_letter(listed) for listed in page.letters]
    return DeadLettersFound(dead_letters=letters, next=page.next, read=read_as_of(page.as_of))


def statistics_told(statistics: AttemptStatistics) -> StatisticsTold:
    """The statistics of some days."""
    return StatisticsTold(
        since=format_instant(statistics.since),
        until=format_instant(statistics.until),
        total=statistics.total,
        queues=statistics.queues,
        stages=statistics.stages,
        handlers=statistics.handlers,
        groups_left_out=statistics.groups_left_out,
        read=read_as_of(statistics.as_of),
    )


def read_as_of(as_of: AsOf) -> ReadAsOf:
    """The moment of an answer."""
    return ReadAsOf(as_of=time_told(as_of.as_of), lag_ms=as_of.lag_ms, shards_unread=as_of.shards_unread)


def time_told(at: Instant | None) -> str | None:
    """As text."""
    return None if at is None else format_instant(at)


def _execution(summary: TaskSummary) -> ExecutionInShort:
    return ExecutionInShort(
        task_id=summary.task_id,
        topology_kind=summary.topology_kind,
        status=summary.status,
        state=summary.state,
        task_type=summary.task_type,
        correlation_id=summary.correlation_id,
        session_id=summary.session_id,
        parent_task_id=summary.parent_task_id,
        queue_names=summary.queue_names,
        stages=summary.stages,
        consumer_names=summary.consumer_names,
        started_at=time_told(summary.started_at),
        updated_at=time_told(summary.updated_at),
        ended_at=time_told(summary.ended_at),
        duration_ms=summary.duration_ms,
        attempts=summary.attempts,
        failed_attempts=summary.failures_told,
        retries=summary.retries,
        dead_letters_open=summary.dead_letters_open,
        dead_letters_replayed=summary.dead_letters_replayed,
        children=summary.children,
        completeness=summary.completeness,
        missing=summary.missing,
    )


def _failure(listed: ListedFailure) -> FailureInShort:
    failure = listed.failure
    return FailureInShort(
        task_id=listed.task_id,
        task_type=listed.task_type,
        topology_kind=listed.topology_kind,
        ref=failure.ref,
        node_id=failure.node_id,
        number=failure.number,
        timestamp=time_told(failure.at),
        queue_name=failure.queue_name,
        stage=failure.stage,
        consumer_name=failure.consumer_name,
        exception_type=failure.exception_type,
        exception_message=failure.exception_message,
        reason=failure.reason,
        outcome=failure.outcome,
    )


def _letter(listed: ListedLetter) -> DeadLetterFound:
    letter = listed.letter
    return DeadLetterFound(
        task_id=listed.task_id,
        task_type=listed.task_type,
        topology_kind=listed.topology_kind,
        dead_letter_id=letter.dead_letter_id,
        ref=letter.ref,
        node_id=letter.node_id,
        timestamp=time_told(letter.at),
        reason=letter.reason,
        queue_name=letter.queue_name,
        source_queue_name=letter.source_queue_name,
        stage=letter.stage,
        exception_type=letter.exception_type,
        exception_message=letter.exception_message,
        retry_attempt=letter.retry_attempt,
        replay_count=letter.replay_count,
        state="replayed" if letter.replayed else "open",
    )
