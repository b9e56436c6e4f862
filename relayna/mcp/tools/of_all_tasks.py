"""Tools over all tasks: tasks by what they have in common, failed attempts, and dead letters.

Owns their arguments, and how they become questions to the lists. The answers are those of the HTTP routes;
dead letters are told without their headers and bodies, whoever asks.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias

from msgspec import Meta, Struct

from relayna.api.problems import RequestRefused
from relayna.api.services import TenantServices
from relayna.mcp.tools.moments import moment
from relayna.mcp.tools.tool import Tool
from relayna.observability.read_models import ExecutionLists, ExecutionsWanted, FailuresWanted, LettersWanted
from relayna.observability.read_models.questions import MOST_LISTED
from relayna.observability.read_models.terms import Sort
from relayna.observability.read_models.told import (
    DeadLettersFound,
    ExecutionsListed,
    FailuresListed,
    dead_letters_found,
    executions_listed,
    failures_listed,
)
from relayna.topologies import TopologyKind

__all__ = ["DEAD_LETTERS", "FAILURES", "SEARCH"]

_LISTED: Final = 25
_REST: Final = "Give `next` as `cursor`, with the same filters, to go on."
_AGE: Final = (
    " Filters are exact and must all hold. A page may be short and the list still go on: as long as there is `next`, "
    "give it as `cursor`. `read` says how far behind the list is; while `read.shards_unread` is not 0 some tasks are "
    "not in it (`relayna serve` keeps it up, `relayna reindex` makes it anew)."
)

_Cursor: TypeAlias = Annotated[str | None, Meta(description="Where to go on: `next` of the answer before.")]
_Limit: TypeAlias = Annotated[int, Meta(ge=1, le=MOST_LISTED, description="At most so many.")]


class TasksAsked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which tasks have this in common?"""

    status: Annotated[str | None, Meta(description="The latest status, as failed.")] = None
    topology: Annotated[TopologyKind | None, Meta(description="The kind of topology.")] = None
    queue: Annotated[str | None, Meta(description="A queue from which it was delivered at least once.")] = (
        None
    )
    stage: Annotated[str | None, Meta(description="A stage that handled it at least once.")] = None
    task_type: Annotated[str | None, Meta(description="The type that it was published as.")] = None
    correlation_id: Annotated[str | None, Meta(description="The correlation id.")] = None
    parent_task_id: Annotated[str | None, Meta(description="The id of its parent.")] = None
    since: Annotated[str | None, Meta(description="Started then or later (ISO 8601).")] = None
    until: Annotated[str | None, Meta(description="Started before (ISO 8601).")] = None
    sort: Annotated[Sort, Meta(description="By what the tasks are ordered.")] = "started_at"
    order: Annotated[Literal["desc", "asc"], Meta(description="The newest or the oldest first.")] = "desc"
    cursor: _Cursor = None
    limit: _Limit = _LISTED


class FailuresAsked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which attempts failed?"""

    queue: Annotated[str | None, Meta(description="The queue of the failed attempt.")] = None
    stage: Annotated[str | None, Meta(description="The stage that failed.")] = None
    exception_type: Annotated[str | None, Meta(description="The exception's type, as TimeoutError.")] = None
    since: Annotated[str | None, Meta(description="Failed then or later (ISO 8601).")] = None
    until: Annotated[str | None, Meta(description="Failed before (ISO 8601).")] = None
    cursor: _Cursor = None
    limit: _Limit = _LISTED


class LettersAsked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which messages were given up?"""

    state: Annotated[Literal["open", "replayed"] | None, Meta(description="Whether it was sent again.")] = (
        None
    )
    queue: Annotated[str | None, Meta(description="The queue that it came from.")] = None
    stage: Annotated[str | None, Meta(description="The stage that it came from.")] = None
    reason: Annotated[str | None, Meta(description="Why it was given up, as retries_exhausted.")] = None
    since: Annotated[str | None, Meta(description="Given up then or later (ISO 8601).")] = None
    until: Annotated[str | None, Meta(description="Given up before (ISO 8601).")] = None
    cursor: _Cursor = None
    limit: _Limit = _LISTED


async def _search(services: TenantServices, asked: TasksAsked) -> ExecutionsListed:
    wanted = ExecutionsWanted(
        status=asked.status,
        topology=asked.topology,
        queue=asked.queue,
        stage=asked.stage,
        task_type=asked.task_type,
        correlation_id=asked.correlation_id,
        parent_task_id=asked.parent_task_id,
        since=moment("since", asked.since),
        until=moment("until", asked.until),
        sort=asked.sort,
        newest_first=asked.order == "desc",
        cursor=asked.cursor,
        limit=asked.limit,
    )
    return executions_listed(await _lists(services).executions(wanted))


async def _failures(services: TenantServices, asked: FailuresAsked) -> FailuresListed:
    wanted = FailuresWanted(
        queue=asked.queue,
        stage=asked.stage,
        exception_type=asked.exception_type,
        since=moment("since", asked.since),
        until=moment("until", asked.until),
        cursor=asked.cursor,
        limit=asked.limit,
    )
    return failures_listed(await _lists(services).failures(wanted))


async def _dead_letters(services: TenantServices, asked: LettersAsked) -> DeadLettersFound:
    wanted = LettersWanted(
        state=asked.state,
        queue=asked.queue,
        stage=asked.stage,
        reason=asked.reason,
        since=moment("since", asked.since),
        until=moment("until", asked.until),
        cursor=asked.cursor,
        limit=asked.limit,
    )
    return dead_letters_found(await _lists(services).dead_letters(wanted))


def _lists(services: TenantServices) -> ExecutionLists:
    if services.lists is None:
        hint = "Ask about one task by its id, with task_why, status, timeline or graph."
        raise RequestRefused(404, "no_lists", "There are no lists beside this log.", hint)
    return services.lists


SEARCH: Final = Tool(
    name="search",
    title="Tasks by what they have in common",
    about="Use it to find tasks when you do not know their ids: by status, queue, stage, type, correlation id, parent "
    "or time of start." + _AGE,
    asks=TasksAsked,
    tells=ExecutionsListed,
    answer=_search,
    bound="limit",
    bounded=("executions",),
    rest=_REST,
)
FAILURES: Final = Tool(
    name="failures",
    title="Failed attempts of all tasks",
    about="Use it to see what fails across all tasks, newest first, and what the failures have in common: queue, stage "
    "or exception. For the cause of one task's failure use task_why with its id." + _AGE,
    asks=FailuresAsked,
    tells=FailuresListed,
    answer=_failures,
    bound="limit",
    bounded=("failures",),
    rest=_REST,
)
DEAD_LETTERS: Final = Tool(
    name="dead_letters",
    title="Dead letters of all tasks",
    about="Use it to see which messages were given up, newest first, why, and whether they were sent again. Headers and "
    "bodies are never told." + _AGE,
    asks=LettersAsked,
    tells=DeadLettersFound,
    answer=_dead_letters,
    bound="limit",
    bounded=("dead_letters",),
    rest=_REST,
)
