"""A task's dead letters in its stream: what is kept of them, the claims to their replays, the replays, their audit.

Owns which events say so, and how they are appended. Decides nothing: `dead_letter_service.py` does.
"""

from __future__ import annotations

from msgspec.structs import replace

from relayna.clock import Clock
from relayna.errors import InvalidSetting
from relayna.events import (
    DEFAULT_REDACTION,
    Body,
    DeadLetterRecorded,
    DeadLetterReplayClaimed,
    DeadLetterReplayed,
    Envelope,
    Event,
    OperatorActed,
    RecordedEvent,
    Redact,
)
from relayna.events.sanitise import storable_text
from relayna.ids import EventId, operator_event_id, replay_claim_event_id
from relayna.instants import Instant
from relayna.observability.stores import DEFAULT_HISTORY_MAXLEN, StreamView
from relayna.projections.replay_plan import ReplayPlan
from relayna.streams import DEFAULT_PREFIX, DEFAULT_SHARD_COUNT, DEFAULT_TENANT
from relayna.streams.log import DEFAULT_RETENTION_SECONDS
from relayna.streams.redis import RedisLog, RedisSource

__all__ = ["DLQStore", "RedisDLQStore"]


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
        body = DeadLetterReplayed(
            dead_letter_id=plan.dead_letter_id,
            replay_count=plan.replay_count,
            exchange=plan.target.exchange,
            routing_key=plan.target.routing_key,
            message_id=plan.message_id,
            replayed_by=None if replayed_by is None else storable_text(replayed_by),
        )
        await self._tell(plan, body, event_id=plan.event_id, timestamp=timestamp)

    async def add_claim(
        self,
        plan: ReplayPlan,
        claim_id: str,
        *,
        holds_seconds: float,
        claimed_by: str | None = None,
        withdrawn: bool = False,
    ) -> None:
        """Claim the replay that the plan is of, or end that claim. Raises `StoreError`.

        Whether the claim holds is in the log: plan again with its id.
        """
        body = DeadLetterReplayClaimed(
            dead_letter_id=plan.dead_letter_id,
            replay_count=plan.replay_count,
            claim_id=claim_id,
            claimed_by=None if claimed_by is None else storable_text(claimed_by),
            holds_ms=round(holds_seconds * 1000),
            withdrawn=withdrawn,
        )
        event_id = replay_claim_event_id(
            plan.dead_letter_id, plan.replay_count, claim_id, withdrawn=withdrawn
        )
        await self._tell(plan, body, event_id=event_id, timestamp=self.clock.now())

    async def add_action(self, plan: ReplayPlan, action: OperatorActed) -> None:
        """Record what an operator asked for about the plan's letter, or how that ended. Raises `StoreError`.

        Returns when the store has acknowledged it.
        """
        texts = {name: getattr(action, name) for name in ("action_id", "actor", "reason", "problem")}
        storable = {name: storable_text(text) for name, text in texts.items() if text is not None}
        event_id = operator_event_id(
            plan.dead_letter_id, action.action, action.action_id or "", action.outcome or ""
        )
        await self._tell(plan, replace(action, **storable), event_id=event_id, timestamp=self.clock.now())

    async def _tell(self, plan: ReplayPlan, body: Body, *, event_id: EventId, timestamp: Instant) -> None:
        envelope = Envelope(
            event_id=event_id,
            timestamp=timestamp,
            task_id=plan.task_id,
            cause=plan.letter_event_id,
            parent_task_id=plan.parent_task_id,
            session_id=plan.session_id,
            correlation_id=plan.correlation_id,
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
