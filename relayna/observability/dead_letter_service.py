"""Dead letters of a task, from what was recorded of them: looking never touches their queue.

Owns the list, the detail, and the order of a replay's steps. What a replay would be is decided in
`projections/replay_plan.py`. A letter is what its records say together; its queue is not asked.
"""

from __future__ import annotations

from weakref import WeakValueDictionary

import anyio

from relayna.clock import Clock
from relayna.consumer.broker import Broker
from relayna.consumer.messages.causal_headers import read_headers
from relayna.consumer.messages.replayed import replayed_message
from relayna.errors import DeadLetterNotFound, InvalidSetting, OutcomeUnknown, StoreError
from relayna.events import DeadLetterRecorded, DeadLetterReplayed, Envelope, Event, RecordedEvent
from relayna.events.sanitise import storable_text
from relayna.ids import TaskId
from relayna.instants import Instant
from relayna.observability.dead_letter_replayer import ReplayOutcome, ReplayResult
from relayna.observability.stores import DEFAULT_HISTORY_MAXLEN, PlainRecord, StreamView
from relayna.projections.replay_history import find_letter
from relayna.projections.replay_plan import DEFAULT_SAME_FAILURE_LIMIT, ReplayPlan, plan_replay
from relayna.streams import DEFAULT_PREFIX, DEFAULT_SHARD_COUNT, DEFAULT_TENANT
from relayna.streams.log import DEFAULT_RETENTION_SECONDS
from relayna.streams.redis import RedisLog, RedisSource

__all__ = ["DLQService", "DLQStore", "RedisDLQStore"]


class DLQStore(StreamView):
    """A task's dead letters and their replays."""

    shows = (DeadLetterRecorded, DeadLetterReplayed)

    async def get_events(self, task_id: str) -> list[RecordedEvent]:
        """All that the task's stream holds, in the log's order, whatever this view shows. Raises `StoreError`."""
        return (await self._read(task_id)).events

    async def add_replay(
        self, plan: ReplayPlan, *, timestamp: Instant, replayed_by: str | None = None
    ) -> None:
        """Record that the plan was carried out; said twice, it is one fact. Raises `StoreError`.

        Returns when the store has acknowledged it.
        """
        if plan.event_id is None or plan.target is None:
            raise InvalidSetting("plan", "argument", "a plan without a target was not carried out")
        envelope = Envelope(
            event_id=plan.event_id,
            timestamp=timestamp,
            task_id=plan.task_id,
            cause=plan.letter_event_id,
            parent_task_id=plan.parent_task_id,
            session_id=plan.session_id,
            correlation_id=plan.correlation_id,
        )
        body = DeadLetterReplayed(
            dead_letter_id=plan.dead_letter_id,
            replay_count=plan.replay_count,
            exchange=plan.target.exchange,
            routing_key=plan.target.routing_key,
            message_id=plan.message_id,
            replayed_by=None if replayed_by is None else storable_text(replayed_by),
        )
        await self._append(Event(envelope=envelope, body=body))


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
    """Answers questions about dead letters, and replays them when it has a broker."""

    def __init__(
        self,
        *,
        store: DLQStore,
        broker: Broker | None = None,
        confirm_timeout: float = 10.0,
        same_failure_limit: int = DEFAULT_SAME_FAILURE_LIMIT,
    ) -> None:
        """`confirm_timeout` is in seconds; `same_failure_limit` is explained in `plan_replay`."""
        self._store = store
        self._broker = broker
        self._confirm_timeout = confirm_timeout
        self._same_failure_limit = same_failure_limit
        self._turns: WeakValueDictionary[tuple[str, str], anyio.Lock] = WeakValueDictionary()

    async def list_dead_letters(self, task_id: str) -> list[PlainRecord]:
        """The task's dead letters, oldest first, each once, with its `replay_count`. Raises `StoreError`."""
        letters: dict[str, PlainRecord] = {}
        replays: dict[str, set[int]] = {}
        for record in await self._store.get_history(task_id):
            letter_id = record["dead_letter_id"]
            if record["event_type"] == DeadLetterReplayed.__name__:
                replays.setdefault(letter_id, set()).add(record["replay_count"])
            else:
                letters.setdefault(letter_id, record)
        return [
            {**record, "replay_count": len(replays.get(letter_id, ()))}
            for letter_id, record in letters.items()
        ]

    async def get_dead_letter(self, task_id: str, dead_letter_id: str) -> PlainRecord:
        """One dead letter with headers and body (base64). Raises `DeadLetterNotFound`, `StoreError`."""
        for record in await self.list_dead_letters(task_id):
            if record["dead_letter_id"] == dead_letter_id:
                return record
        raise DeadLetterNotFound(task_id, dead_letter_id)

    async def plan(self, task_id: str, dead_letter_id: str, *, force: bool = False) -> ReplayPlan:
        """What `replay` would do now; changes nothing. Raises `StoreError`.

        `force` leaves out the guards against a second copy beside a first, and against loops.
        """
        events = await self._store.get_events(task_id)
        found = find_letter(events, dead_letter_id)
        return plan_replay(
            events,
            task_id=TaskId(task_id),
            dead_letter_id=dead_letter_id,
            own_replay_count=read_headers(found[1].headers or {}).replay_count if found else 0,
            same_failure_limit=self._same_failure_limit,
            force=force,
        )

    async def replay(
        self, task_id: str, dead_letter_id: str, *, force: bool = False, replayed_by: str | None = None
    ) -> ReplayResult:
        """Publish the letter again with a confirm, then record that, unless the plan refuses.

        In this order, for a replay that is recorded and was never published would be a letter lost. Whoever
        dies in between leaves a copy that the log does not know of: the next replay repeats that very copy.
        So do programs that replay a letter at the same moment. A consumer handles one of the copies and
        asks the log before each; only when two consumer processes begin one each at the same moment does
        neither know of the other. Raises `StoreError` when the plan cannot be made, and
        `BrokerError` when nothing was published; `InvalidSetting` without a broker.
        """
        if self._broker is None:
            raise InvalidSetting("broker", "argument", "replaying needs one; give DLQService a broker")
        async with self._turn(task_id, dead_letter_id):
            plan = await self.plan(task_id, dead_letter_id, force=force)
            if not plan.allowed or plan.target is None:
                return ReplayResult(outcome=ReplayOutcome.REFUSED, plan=plan, problem=_reasons(plan))
            # Taken before: whoever gets the message may be quicker than its confirm, and no effect may seem
            # to come before its cause.
            timestamp = plan.published_by or self._store.clock.now()
            if plan.published_by is None:
                try:
                    await self._publish(self._broker, plan, plan.target.exchange, plan.target.routing_key)
                except OutcomeUnknown as error:
                    return ReplayResult(outcome=ReplayOutcome.UNKNOWN, plan=plan, problem=str(error))
            return await self._mark(plan, timestamp, replayed_by)

    def _turn(self, task_id: str, dead_letter_id: str) -> anyio.Lock:
        """Two requests of this process for one letter: the second sees what the first has done."""
        return self._turns.setdefault((task_id, dead_letter_id), anyio.Lock())

    async def _publish(self, broker: Broker, plan: ReplayPlan, exchange: str, routing_key: str) -> None:
        async with broker:
            await broker.publish(
                replayed_message(plan),
                exchange=exchange,
                routing_key=routing_key,
                confirm_timeout=self._confirm_timeout,
            )

    async def _mark(self, plan: ReplayPlan, timestamp: Instant, replayed_by: str | None) -> ReplayResult:
        problem = None
        with anyio.CancelScope(shield=True):  # whoever loses patience must not leave a replay unrecorded
            try:
                await self._store.add_replay(plan, timestamp=timestamp, replayed_by=replayed_by)
            except StoreError as error:
                problem = str(error)
        outcome = ReplayOutcome.REPLAYED if problem is None else ReplayOutcome.UNMARKED
        return ReplayResult(outcome=outcome, plan=plan, problem=problem)


def _reasons(plan: ReplayPlan) -> str:
    return "; ".join(note.text for note in plan.reasons)
