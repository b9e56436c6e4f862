"""Views over a task's stream: its statuses, its observations, its dead letters, as plain records.

There is one stream a task and one truth in it; these are ways to look, and to add. Owns which events each
view shows, and its limits.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Final, Self, TypeAlias

from relayna.clock import Clock, SystemClock
from relayna.events import (
    DEFAULT_REDACTION,
    DeadLetterRecorded,
    DeadLetterReplayClaimed,
    DeadLetterReplayed,
    Envelope,
    Event,
    OperatorActed,
    Redact,
    StatusPublished,
    TaskLifecycleStatusPublished,
    encode_event,
    encode_frame,
    to_plain,
)
from relayna.events.vocabulary import EVENT_TYPES
from relayna.ids import MessageId, TaskId, message_event_id
from relayna.instants import UNTIMED, parse_instant
from relayna.mint import Mint, RandomMint
from relayna.projections.family import referenced_children
from relayna.streams import (
    DEFAULT_PREFIX,
    DEFAULT_SHARD_COUNT,
    DEFAULT_TENANT,
    Log,
    Recorder,
    Replay,
    TaskAddress,
    checked_tenant,
    replay,
)
from relayna.streams.lifespan import tells_of
from relayna.streams.log import DEFAULT_RETENTION_SECONDS, Append, NotAppended
from relayna.streams.redis import RedisLog, RedisSource
from relayna.streams.spool import Spool

__all__ = [
    "ObservationStore", "PlainRecord", "RedisObservationStore", "RedisStatusStore", "StatusStore", "StreamView",
    "make_redis_observation_sink",
]  # fmt: skip

PlainRecord: TypeAlias = dict[str, Any]
"""An event as a dictionary of JSON values (docs/events.md). Any: JSON values."""

DEFAULT_HISTORY_MAXLEN: Final = 500

_DEAD_LETTERS: Final = (DeadLetterRecorded, DeadLetterReplayed, DeadLetterReplayClaimed)
_NOT_OBSERVED: Final = (StatusPublished, *_DEAD_LETTERS, OperatorActed)


class StreamView:
    """What one kind of reader sees of the streams in a log: some event types, newest and fewest first kept.

    `ttl_seconds` and `history_maxlen` limit what is returned, not what is stored: the stream expires by the
    longest retention that anyone gave it. Keep it open (`async with view`) to keep its connections.
    """

    shows: ClassVar[tuple[type, ...]] = ()

    def __init__(
        self,
        log: Log,
        *,
        tenant: str = DEFAULT_TENANT,
        ttl_seconds: int = DEFAULT_RETENTION_SECONDS,
        history_maxlen: int = DEFAULT_HISTORY_MAXLEN,
        clock: Clock | None = None,
        redact: Redact | None = DEFAULT_REDACTION,
    ) -> None:
        """`redact` hides secrets in what is added."""
        self.log = log
        self.tenant = checked_tenant(tenant)
        self.ttl_seconds = ttl_seconds
        self.history_maxlen = history_maxlen
        self.clock = clock or SystemClock()
        self._redact = redact

    async def __aenter__(self) -> Self:
        """Open the log."""
        await self.log.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it again."""
        await self.log.__aexit__(kind, error, traceback)

    async def get_history(self, task_id: str) -> list[PlainRecord]:
        """The task's records of this view, oldest first, at most `history_maxlen` of the newest. Raises `StoreError`."""
        read = await self._read(task_id)
        oldest = self.clock.now() - self.ttl_seconds * 1_000_000
        records = [
            to_plain(event)
            for event in read.events
            if isinstance(event.body, self.shows) and event.envelope.timestamp >= oldest
        ]
        return records[-self.history_maxlen :] if self.history_maxlen > 0 else []

    async def get_child_task_ids(self, parent_task_id: str) -> list[str]:
        """The children that the task's stream speaks of, sorted. Raises `StoreError`."""
        return sorted(referenced_children((await self._read(parent_task_id)).events))

    async def is_known(self, task_id: str) -> bool:
        """Whether the task has a stream, without reading it. Raises `StoreError`."""
        async with self.log:
            [state] = await self.log.states([TaskAddress(TaskId(task_id), self.tenant)])
        return state.last_id is not None

    async def _read(self, task_id: str) -> Replay:
        async with self.log:
            return (await replay(self.log, [TaskAddress(TaskId(task_id), self.tenant)]))[0]

    async def _append(self, event: Event) -> None:
        """Append to its task's stream and wait for the store's word. Raises `StoreError`."""
        address = TaskAddress(event.envelope.task_id, self.tenant)
        payload = encode_frame(
            address.task_id, None, self.clock.now() // 1000, [encode_event(event, self._redact)]
        )
        async with self.log:
            result = (await self.log.append([Append(address, payload, tells_of(event.body))]))[0]
        if isinstance(result, NotAppended):
            raise result.error


class ObservationStore(StreamView):
    """What workers observed: every event but stored statuses, dead letters and what operators did."""

    shows = tuple(event_type for event_type, _ in EVENT_TYPES if event_type not in _NOT_OBSERVED)


class StatusStore(StreamView):
    """A task's statuses, whoever published them."""

    shows = (StatusPublished, TaskLifecycleStatusPublished)

    async def get_latest(self, task_id: str) -> PlainRecord | None:
        """The newest status, by the log's order. Raises `StoreError`."""
        history = await self.get_history(task_id)
        return history[-1] if history else None

    async def add_status(
        self,
        task_id: str,
        status: str,
        *,
        message: str | None = None,
        meta: Mapping[str, Any] | None = None,  # Any: the user's own JSON object
        timestamp: object = None,
        message_id: str | None = None,
        parent_task_id: str | None = None,
        mint: Mint | None = None,
    ) -> None:
        """Store a status that a program without a worker knows of; the same `message_id` twice is one.

        Returns when the store has acknowledged it. Raises `StoreError`.
        """
        own_message_id = MessageId(message_id) if message_id else (mint or RandomMint()).message_id()
        instant = parse_instant(timestamp) if timestamp is not None else self.clock.now()
        envelope = Envelope(
            event_id=message_event_id(own_message_id, "status"),
            timestamp=UNTIMED if instant is None else instant,
            task_id=TaskId(task_id),
            parent_task_id=TaskId(parent_task_id) if parent_task_id else None,
        )
        body = StatusPublished(
            status=status, message=message, meta=dict(meta) if meta else None, message_id=own_message_id
        )
        await self._append(Event(envelope=envelope, body=body))


class RedisObservationStore(ObservationStore):
    """The observation view of a Redis or Valkey; `redis` is a URL, or a client whose settings are borrowed."""

    def __init__(
        self,
        redis: RedisSource,
        *,
        prefix: str = DEFAULT_PREFIX,
        ttl_seconds: int = DEFAULT_RETENTION_SECONDS,
        history_maxlen: int = DEFAULT_HISTORY_MAXLEN,
        tenant: str = DEFAULT_TENANT,
        shard_count: int = DEFAULT_SHARD_COUNT,
        clock: Clock | None = None,
    ) -> None:
        """Connects to nothing yet; its sink keeps a task's stream for `ttl_seconds` after its end.

        Raises `InvalidSetting`.
        """
        log = RedisLog(redis, prefix=prefix, shard_count=shard_count, retention_seconds=ttl_seconds)
        super().__init__(
            log, tenant=tenant, ttl_seconds=ttl_seconds, history_maxlen=history_maxlen, clock=clock
        )


class RedisStatusStore(StatusStore):
    """The status view of a Redis or Valkey; `redis` is a URL, or a client whose settings are borrowed."""

    def __init__(
        self,
        redis: RedisSource,
        *,
        prefix: str = DEFAULT_PREFIX,
        ttl_seconds: int = DEFAULT_RETENTION_SECONDS,
        history_maxlen: int = DEFAULT_HISTORY_MAXLEN,
        tenant: str = DEFAULT_TENANT,
        shard_count: int = DEFAULT_SHARD_COUNT,
        clock: Clock | None = None,
        redact: Redact | None = DEFAULT_REDACTION,
    ) -> None:
        """Connects to nothing yet. Raises `InvalidSetting`."""
        log = RedisLog(redis, prefix=prefix, shard_count=shard_count, retention_seconds=ttl_seconds)
        super().__init__(
            log,
            tenant=tenant,
            ttl_seconds=ttl_seconds,
            history_maxlen=history_maxlen,
            clock=clock,
            redact=redact,
        )


def make_redis_observation_sink(
    store: RedisObservationStore, *, spool_directory: Path | str | None = None, **options: Any
) -> Recorder:
    """The sink that writes what this store shows: give it to consumers as `observation_sink`.

    With a `spool_directory` on a local disk, events wait there while the store is away. Takes the options
    of `Recorder`. Any: they are checked there.
    """
    if spool_directory is not None:
        options["spool"] = Spool(spool_directory, clock=store.clock, counters=options.get("counters"))
    return Recorder(store.log, tenant=store.tenant, clock=store.clock, **options)
