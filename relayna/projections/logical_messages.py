"""Workflow messages: one for all retried, replayed and repeated copies, and the attempt that sent it.

Owns who made a message: what its records say, else the newest attempt of its stage of origin.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import Struct, field

from relayna.events import WorkflowMessagePublished, WorkflowMessageReceived
from relayna.events.vocabulary import CLOSING_TYPES
from relayna.ids import EventId
from relayna.instants import Instant
from relayna.projections.attempts import Attempt, Attempts
from relayna.projections.attribution import OBSERVED, Attribution, attribute
from relayna.projections.fact_ids import cause_of, is_copy
from relayna.projections.few import Few
from relayna.projections.ordering import PlacedEvent

__all__ = ["LogicalMessage", "message_origin"]

_TELL_STAGES: Final = (WorkflowMessagePublished, WorkflowMessageReceived)


class LogicalMessage(Struct, kw_only=True, gc=False):
    """A workflow message with all its retried, replayed and repeated copies."""

    message_id: str
    node_id: str
    published: PlacedEvent | None = None
    attempts: list[Attempt] = field(default_factory=list)
    joined: Few[Attempt] = ()
    """Attempts that took it in beside their own message."""
    origin: Attribution = Attribution(None, "inferred", "no_origin_stage")
    """The stage attempt that published it; none when it came from outside."""

    def first(self) -> PlacedEvent | None:
        """Its earliest record."""
        return self.published or (self.attempts[0].opened if self.attempts else None)

    def stages(self) -> tuple[str | None, str | None]:
        """Where it goes and where it comes from."""
        stage = origin_stage = None
        for placed in (self.published, *(attempt.opened for attempt in self.attempts)):
            body = placed.event.body if placed else None
            if isinstance(body, _TELL_STAGES):
                stage, origin_stage = stage or body.stage, origin_stage or body.origin_stage
            if stage and origin_stage:
                break
        if not stage:
            stage = next((attempt.stage for attempt in self.attempts if attempt.stage), None)
        return stage, origin_stage or None


def message_origin(
    message: LogicalMessage, attempts: Attempts, recorded: Mapping[EventId, PlacedEvent]
) -> Attribution:
    """Which attempt made this message, and how that is known."""
    said = _by_ids(message, attempts, recorded)
    if said is not None:
        return said
    first = message.first()
    _, origin_stage = message.stages()
    if origin_stage is None or first is None:
        return Attribution(None, "inferred", "no_origin_stage")
    maker = attempts.newest_of_stage(origin_stage, Instant(first.key[0]))
    if maker is None or any(maker is attempt for attempt in message.attempts):
        return Attribution(None, "inferred", "no_attempt_begun_by_then")
    return Attribution(maker, "inferred", "origin_stage")


def _by_ids(
    message: LogicalMessage, attempts: Attempts, recorded: Mapping[EventId, PlacedEvent]
) -> Attribution | None:
    published = message.published
    if published is not None:
        maker = attempts.with_id(published.event.envelope.attempt_id)
        if maker is not None:
            return Attribution(maker, OBSERVED)
        from_outside = is_copy(published.event.envelope) or message.stages()[1] is None
        return Attribution(None, OBSERVED) if from_outside else None
    opened = message.attempts[0].opened if message.attempts else None
    cause = cause_of(opened.event.envelope) if opened else None
    causing = recorded.get(cause) if cause is not None else None
    if causing is None:
        return None
    if isinstance(causing.event.body, CLOSING_TYPES):
        # Asked for by hand when that attempt ended: a message of its own, which only its cause tells of.
        return attribute(attempts, causing, recorded)
    return Attribution(None, OBSERVED) if message.stages()[1] is None else None
