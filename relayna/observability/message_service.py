"""Answers about messages: lists, chains, children, failures, counts, batches.

Owns what is filtered, ordered and cut into pages. What is read is `message_reading.py`'s; how a row stands is the
projection's.

`done` is never seen before the last child is registered, however many read while workers write. What a row's attempts
registered is told in the same stream as their end, with smaller numbers, and the projection says `done` only where all
numbers up to the end are there. So whoever sees the end sees every child; and of a child, an end is an end for ever:
reading its stream after its parent's can find it ended by then, never the other way round.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import asdict, replace

from relayna.clock import Clock
from relayna.errors import ExecutionNotFound, InvalidQuery
from relayna.ids import Tenant
from relayna.instants import Instant
from relayna.observability.admission import Admission
from relayna.observability.message_reading import RECENT_TASKS, KnownMessages, MessageReader
from relayna.observability.message_told import (
    MESSAGE_SORTS,
    MOST_MESSAGES,
    ChainTold,
    MessageAnswer,
    MessagesFound,
    MessagesListed,
    MessageStatistics,
    MessagesWanted,
    chain_told,
    message_told,
    messages_told,
)
from relayna.observability.read_models import ExecutionLists
from relayna.observability.read_models.cursors import decode_cursor, encode_cursor
from relayna.observability.run_records.known_runs import KnownRuns
from relayna.projections.messages.message_chain import (
    MessageChain,
    batch_of,
    chain_of,
    children_of,
    failures_of_rows,
    handler_counts,
)
from relayna.projections.messages.message_row import MESSAGE_STATUSES, MessageRow
from relayna.streams import DEFAULT_TENANT, Log
from relayna.streams.log import DEFAULT_RETENTION_SECONDS
from relayna.streams.read_models import IndexEntry

__all__ = ["MessageLineageService", "MessageNotFound"]

_SHOWN: Final = 5


class MessageNotFound(ExecutionNotFound):
    """No handling of `message_id` is recorded where it was looked for: `where`.

    `is_named` says whether that is a session or a task that was named.
    """

    def __init__(self, message_id: str, where: str, *, is_named: bool = False) -> None:
        super().__init__(message_id)
        self.message_id = message_id
        self.where = where
        self.is_named = is_named
        remedy = (
            "Check the id, whether it is of another session"
            if is_named
            else "Name its session or its task; check the tenant"
        )
        self.args = (
            f"Nothing is recorded of message {message_id!r} in {where}. {remedy}, and whether its retention "
            "has passed.",
        )


class MessageLineageService:
    """Reads one tenant's messages from a log, which must be open. Any number of these may read the same log.

    Questions without a session are answered from the tasks that started last, as `lists` know them. Every question
    raises `ExecutionNotFound` for a session or task of which nothing is recorded, `InvalidQuery`, `Busy` and
    `StoreError`; those about one message raise `MessageNotFound`.
    """

    def __init__(
        self,
        *,
        log: Log,
        tenant: Tenant = DEFAULT_TENANT,
        lists: ExecutionLists | None = None,
        retention_seconds: int = DEFAULT_RETENTION_SECONDS,
        clock: Clock | None = None,
        admission: Admission | None = None,
        runs: KnownRuns | None = None,
    ) -> None:
        self._reader = MessageReader(
            log=log,
            tenant=tenant,
            lists=lists,
            retention_seconds=retention_seconds,
            clock=clock,
            admission=admission,
            runs=runs,
        )

    async def messages(self, wanted: MessagesWanted) -> MessagesListed:
        """Messages by what they have in common, newest first unless asked otherwise."""
        _check(wanted)
        question = ["messages", asdict(replace(wanted, cursor=None, limit=0))]
        after = decode_cursor(wanted.cursor, question)
        known = await self._known(wanted.session)
        entries = {_entry(row, wanted.sort): row for row in known.rows if _fits(row, wanted)}
        ordered = sorted(entries, key=_place, reverse=wanted.newest_first)
        if after is not None:
            ordered = [one for one in ordered if _is_behind(one, after, newest_first=wanted.newest_first)]
        page = ordered[: wanted.limit]
        return MessagesListed(
            messages=messages_told(entries[entry] for entry in page),
            total=len(entries),
            next=encode_cursor(page[-1], question) if len(ordered) > len(page) else None,
            missing=known.missing,
        )

    async def message(
        self,
        message_id: str,
        *,
        session: str | None = None,
        task_id: str | None = None,
        beginning: bool = False,
    ) -> MessageAnswer:
        """One message, by its id, or with `beginning` by how that begins.

        Naming its session or task saves looking for it among recent tasks.
        """
        known, chain = await self._found(message_id, session, task_id, beginning=beginning)
        return MessageAnswer(message=message_told(chain.message), missing=known.missing)

    async def chain(
        self,
        message_id: str,
        *,
        session: str | None = None,
        task_id: str | None = None,
        beginning: bool = False,
    ) -> ChainTold:
        """From whom a message came, to the root, and all that came of it."""
        known, chain = await self._found(message_id, session, task_id, beginning=beginning)
        return chain_told(chain, known.missing)

    async def children(
        self,
        message_id: str,
        *,
        session: str | None = None,
        task_id: str | None = None,
        beginning: bool = False,
    ) -> MessagesFound:
        """The messages that were published in the handling of one."""
        known, chain = await self._found(message_id, session, task_id, beginning=beginning)
        children = children_of(known.rows, chain.message.id)
        return MessagesFound(messages=messages_told(children), missing=known.missing)

    async def failures(self, session: str | None = None, *, limit: int = MOST_MESSAGES) -> MessagesFound:
        """Messages that failed, newest failure first."""
        _check_limit(limit)
        known = await self._known(session)
        return MessagesFound(
            messages=messages_told(failures_of_rows(known.rows)[:limit]), missing=known.missing
        )

    async def statistics(self, session: str | None = None) -> MessageStatistics:
        """How messages stand, by route and handler."""
        known = await self._known(session)
        return MessageStatistics(handlers=handler_counts(known.rows), missing=known.missing)

    async def batch(self, batch_id: str, session: str | None = None) -> MessagesFound:
        """The messages that came in a batch, or were replayed as one. Raises `MessageNotFound` without any."""
        known = await self._known(session)
        rows = batch_of(known.rows, batch_id)
        if not rows:
            raise MessageNotFound(batch_id, _where(session, None), is_named=session is not None)
        return MessagesFound(messages=messages_told(rows), missing=known.missing)

    async def _known(self, session: str | None) -> KnownMessages:
        if session is None:
            return await self._reader.of_recent_tasks()
        return await self._reader.of_session(session)

    async def _found(
        self, message_id: str, session: str | None, task_id: str | None, *, beginning: bool
    ) -> tuple[KnownMessages, MessageChain]:
        if session is not None:
            known = await self._reader.of_session(session)
        else:
            of = (
                task_id
                if task_id is not None
                else await self._reader.task_of(message_id, beginning=beginning)
            )
            if of is None:
                raise MessageNotFound(message_id, _where(None, None))
            known = await self._reader.of_task(of)
        full_id = _full_id(known, message_id) if beginning else message_id
        chain = chain_of(known.rows, full_id)
        if chain is None:
            named = session is not None or task_id is not None
            raise MessageNotFound(message_id, _where(session, task_id), is_named=named)
        return known, chain


def _full_id(known: KnownMessages, beginning: str) -> str:
    """The one id that begins so; the beginning itself where none does. Raises `InvalidQuery` where several do."""
    fitting = [row.id for row in known.rows if row.id.startswith(beginning)]
    if beginning in fitting or not fitting:
        return beginning
    if len(fitting) > 1:
        shown = ", ".join(fitting[:_SHOWN])
        raise InvalidQuery(
            "message_id", f"{beginning!r} begins {len(fitting)} of them: {shown}; give more of one"
        )
    return fitting[0]


def _check(wanted: MessagesWanted) -> None:
    _check_limit(wanted.limit)
    for name, value, choices in (
        ("sort", wanted.sort, MESSAGE_SORTS),
        ("status", wanted.status, MESSAGE_STATUSES),
    ):
        if value is not None and value not in choices:
            raise InvalidQuery(name, f"{value[:80]!r} is none of {', '.join(choices)}")


def _check_limit(limit: int) -> None:
    if not 1 <= limit <= MOST_MESSAGES:
        raise InvalidQuery("limit", f"{limit} is not between 1 and {MOST_MESSAGES}")


def _fits(row: MessageRow, wanted: MessagesWanted) -> bool:
    began, since, until = row.started_at, wanted.started_after, wanted.started_before
    return (
        (wanted.route is None or row.route == wanted.route)
        and (wanted.status is None or row.status == wanted.status)
        and (wanted.handler is None or wanted.handler in (row.handler, row.metadata.get("consumer_name")))
        and (wanted.is_root is None or (row.parent_id is None) == wanted.is_root)
        and (since is None or (began is not None and began >= since))
        and (until is None or (began is not None and began < until))
    )


def _entry(row: MessageRow, sort: str) -> IndexEntry:
    at = row.completed_at if sort == "completed_at" else row.started_at
    return IndexEntry(Instant(0) if at is None else at, row.id, "")


def _place(entry: IndexEntry) -> tuple[int, str]:
    return entry.at, entry.task_id


def _is_behind(one: IndexEntry, after: IndexEntry, *, newest_first: bool) -> bool:
    return _place(one) < _place(after) if newest_first else _place(one) > _place(after)


def _where(session: str | None, task_id: str | None) -> str:
    if session is not None:
        return f"session {session!r}"
    return (
        f"the {RECENT_TASKS:,} tasks that started last"
        if task_id is None
        else f"the family of task {task_id!r}"
    )
