"""Says what happens in one attempt: numbers its events and links each to the one before.

Owns `seq` and the ids of an attempt's events. Without a sink it says nothing, and nothing is linked to it.
"""

from __future__ import annotations

from relayna.clock import Clock
from relayna.consumer.attempts.shared_promise import SharedPromise
from relayna.consumer.edge_words import other_runs
from relayna.errors import RecorderClosed
from relayna.events import Body, Envelope, Event, RunEdgeRecorded
from relayna.ids import (
    AttemptId,
    EventId,
    SessionId,
    TaskId,
    attempt_event_id,
    copied_event_id,
    counted_event_id,
)
from relayna.instants import Instant
from relayna.streams.sink import Durability, ObservationSink

__all__ = ["AttemptObserver"]


class AttemptObserver:
    """One attempt's voice."""

    def __init__(
        self,
        *,
        sink: ObservationSink | None,
        clock: Clock,
        attempt_id: AttemptId,
        task_id: TaskId,
        cause: EventId | None,
        parent_task_id: TaskId | None,
        session_id: SessionId | None,
        correlation_id: str | None,
        producer: str,
        topology_kind: str,
        promise: SharedPromise | None = None,
    ) -> None:
        """Whoever gives a `promise`, about the same sink, waits with others for what was said to be stored."""
        self.attempt_id = attempt_id
        self.task_id = task_id
        self.parent_task_id = parent_task_id
        self.session_id = session_id
        self.correlation_id = correlation_id
        self.opened_at: Instant | None = None
        """When it said its first event; None without a sink."""
        self._sink = sink
        self._promise = SharedPromise(sink) if promise is None and sink is not None else promise
        self._clock = clock
        self._producer = producer
        self._topology_kind = topology_kind
        self._next_seq = 0
        self._lineage = 0
        self._last = cause
        self._promised_at: Instant | None = None

    @property
    def is_silent(self) -> bool:
        """Whether nobody listens."""
        return self._sink is None

    def record(self, body: Body) -> EventId | None:
        """Say the attempt's next event; its id, which messages name as their cause."""
        if self._sink is None:
            return None
        event_id = attempt_event_id(self.attempt_id, self._next_seq)
        self._say(body, event_id=event_id, seq=self._next_seq, cause=self._last)
        self._next_seq += 1
        self._last = event_id
        self._promised_at = None
        return event_id

    def next_event_id(self) -> EventId | None:
        """The id that the next event will have: messages must name it before it is said.

        The event will carry the time of this promise: whoever gets the message may be quicker than its confirm,
        and an effect must not seem to come before its cause.
        """
        if self._sink is None:
            return None
        self._promised_at = self._promised_at or self._clock.now()
        return attempt_event_id(self.attempt_id, self._next_seq)

    def record_beside(self, body: Body, *, event_id: EventId, cause: EventId | None) -> None:
        """Say something about the attempt that is not part of its sequence."""
        self._say(body, event_id=event_id, seq=None, cause=cause)

    def record_elsewhere(
        self, body: Body, *, own: EventId | None, task_id: TaskId, session_id: SessionId | None = None
    ) -> None:
        """Tell the fact `own` in the stream of a task that this one is the parent of.

        That task is of this one's session, unless another is given.
        """
        if self._sink is None or own is None:
            return
        envelope = Envelope(
            event_id=copied_event_id(own, task_id),
            timestamp=self._clock.now(),
            task_id=task_id,
            parent_task_id=self.task_id,
            session_id=session_id or self.session_id,
            correlation_id=self.correlation_id,
            producer=self._producer,
        )
        self._sink.record(Event(envelope=envelope, body=body), topology_kind=self._topology_kind)

    def record_lineage(self, body: Body, *, event_id: EventId | None = None) -> None:
        """Say what lineage wants to know, beside the attempt's sequence: the handler may be publishing meanwhile.

        An edge is told in the stream of its other end as well; it makes nobody a parent, and says nothing of
        sessions. With an `event_id`, repeats of the attempt say the same fact.
        """
        if event_id is None:
            self._lineage += 1
            event_id = counted_event_id(self.attempt_id, "lineage", self._lineage)
        self.record_beside(body, event_id=event_id, cause=attempt_event_id(self.attempt_id, 0))
        if self._sink is None or not isinstance(body, RunEdgeRecorded):
            return
        for run in other_runs(body, self.task_id):
            envelope = Envelope(
                event_id=copied_event_id(event_id, run),
                timestamp=self._clock.now(),
                task_id=run,
                producer=self._producer,
            )
            self._sink.record(Event(envelope=envelope, body=body), topology_kind=self._topology_kind)

    async def durable(self) -> Durability:
        """Wait until all that was said is stored, within the sink's budget. A closed sink stores nothing."""
        if self._promise is None:
            return Durability.STORED
        try:
            return await self._promise.durable()
        except RecorderClosed:
            return Durability.LOST

    def make_visible(self) -> None:
        """Have what was said stored soon, without waiting for it."""
        if self._promise is not None:
            self._promise.show()

    def _say(self, body: Body, *, event_id: EventId, seq: int | None, cause: EventId | None) -> None:
        if self._sink is None:
            return
        at = self._clock.now() if seq is None else self._promised_at or self._clock.now()
        if seq == 0:
            self.opened_at = at
        envelope = Envelope(
            event_id=event_id,
            timestamp=at,
            task_id=self.task_id,
            attempt_id=self.attempt_id,
            seq=seq,
            cause=cause,
            parent_task_id=self.parent_task_id,
            session_id=self.session_id,
            correlation_id=self.correlation_id,
            producer=self._producer,
        )
        self._sink.record(Event(envelope=envelope, body=body), topology_kind=self._topology_kind)
