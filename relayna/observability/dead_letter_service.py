"""Dead letters of a task, from what was recorded of them: looking never touches their queue.

Owns the list and the detail. A letter is what its records say together; its queue is not asked.
"""

from __future__ import annotations

from relayna.clock import Clock
from relayna.errors import RelaynaError
from relayna.events import DeadLetterRecorded, DeadLetterReplayed
from relayna.observability.stores import DEFAULT_HISTORY_MAXLEN, PlainRecord, StreamView
from relayna.streams import DEFAULT_PREFIX, DEFAULT_SHARD_COUNT, DEFAULT_TENANT
from relayna.streams.log import DEFAULT_RETENTION_SECONDS
from relayna.streams.redis import RedisLog, RedisSource

__all__ = ["DLQService", "DLQStore", "DeadLetterNotFound", "RedisDLQStore"]


class DeadLetterNotFound(RelaynaError):
    """The task has no dead letter of that id."""

    def __init__(self, task_id: str, dead_letter_id: str) -> None:
        self.task_id = task_id
        self.dead_letter_id = dead_letter_id
        super().__init__(
            f"Task {task_id!r} has no dead letter {dead_letter_id!r}; list them to see their ids."
        )


class DLQStore(StreamView):
    """A task's dead letters and their replays."""

    shows = (DeadLetterRecorded, DeadLetterReplayed)


class RedisDLQStore(DLQStore):
    """The dead-letter view of a Redis or Valkey; `redis` is a URL, or a client whose settings are borrowed."""

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
        """Connects to nothing yet. Raises `InvalidSetting`."""
        log = RedisLog(redis, prefix=prefix, shard_count=shard_count, retention_seconds=ttl_seconds)
        super().__init__(
            log, tenant=tenant, ttl_seconds=ttl_seconds, history_maxlen=history_maxlen, clock=clock
        )


class DLQService:
    """Answers questions about dead letters."""

    def __init__(self, *, store: DLQStore) -> None:
        self._store = store

    async def list_dead_letters(self, task_id: str) -> list[PlainRecord]:
        """The task's dead letters, oldest first, each once, with its `replay_count`. Raises `StoreError`."""
        letters: dict[str, PlainRecord] = {}
        replays: dict[str, int] = {}
        for record in await self._store.get_history(task_id):
            letter_id = record["dead_letter_id"]
            if record["event_type"] == DeadLetterReplayed.__name__:
                replays[letter_id] = replays.get(letter_id, 0) + 1
            else:
                letters.setdefault(letter_id, record)
        return [
            {**record, "replay_count": replays.get(letter_id, 0)} for letter_id, record in letters.items()
        ]

    async def get_dead_letter(self, task_id: str, dead_letter_id: str) -> PlainRecord:
        """One dead letter with headers and body (base64). Raises `DeadLetterNotFound`, `StoreError`."""
        for record in await self.list_dead_letters(task_id):
            if record["dead_letter_id"] == dead_letter_id:
                return record
        raise DeadLetterNotFound(task_id, dead_letter_id)
