"""Stored inputs made messages again: with fresh ids, in a new session, straight to the queue that they came from.

Owns what a replayed message says of itself and what is told of it. The original's ids are in its run edge alone, so
nothing of the original changes. Publishes nothing: `producer.py` does.
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from relayna.consumer.messages.causal_headers import CausalHeaders
from relayna.consumer.messages.envelope_codec import EnvelopeCodec
from relayna.consumer.messages.envelopes import MalformedMessage, TaskEnvelope, WorkflowEnvelope
from relayna.consumer.messages.outgoing import build_message
from relayna.consumer.publications import ProducerPublication, ToldFact
from relayna.events import Body, OperatorActed, RunEdgeRecorded, TaskPublished, WorkflowMessagePublished
from relayna.events.content_hash import payload_hash
from relayna.ids import MessageId, SessionId, TaskId, copied_event_id, message_event_id, operator_event_id
from relayna.topologies import Route

__all__ = ["ReplayedInput", "StageReplays"]


class ReplayedInput(Struct, frozen=True, kw_only=True):
    """One stored input, and the new message that it becomes."""

    body: bytes
    kind: Literal["task", "workflow"]
    stage: str | None
    queue_name: str
    message_id: MessageId
    """The new one's."""
    run_id: TaskId
    """The new run's."""
    source_run: TaskId
    """The original's."""
    input_hash: str | None = None
    """Of the payload that was handled; none where it is not known."""


class StageReplays:
    """One replay of a session from a stage; the first of `runs` gives the new session its id."""

    def __init__(
        self, *, envelopes: EnvelopeCodec, session_id: SessionId, batch_id: str, metadata: dict[str, str]
    ) -> None:
        """`metadata` is told with the edges from the original's runs."""
        self._envelopes = envelopes
        self._session_id = session_id
        self._batch_id = batch_id
        self._metadata = {**metadata, "batch_id": batch_id}
        self._begun: set[TaskId] = set()

    def publication(self, given: ReplayedInput, action: OperatorActed | None = None) -> ProducerPublication:
        """The new message with its facts: that it was published, from which run its own comes, and who asked.

        Call it in the order in which they are published. Raises `MalformedMessage` for what is no such body.
        """
        envelope = self._envelope(given)
        route = Route("", given.queue_name)
        published = ToldFact(
            envelope=envelope,
            event_id=message_event_id(given.message_id, "published"),
            body=self._published(given, envelope, route),
        )
        headers = CausalHeaders(
            cause=published.event_id,
            task_id=given.run_id,
            session_id=self._session_id,
            message_id=given.message_id,
            stage=given.stage,
            batch_id=self._batch_id,
        )
        message = build_message(
            self._envelopes.encode(envelope), headers, correlation_id=envelope.correlation_id
        )
        asked = () if action is None else (self._asked(envelope, action),)
        facts = (published, *self._edges(given, envelope), *asked)
        return ProducerPublication(route=route, message_id=given.message_id, message=message, facts=facts)

    def _envelope(self, given: ReplayedInput) -> TaskEnvelope | WorkflowEnvelope:
        told: dict[str, Any] = {  # Any: by field
            "task_id": given.run_id, "session_id": self._session_id, "parent_task_id": None,
        }  # fmt: skip
        if given.kind == "workflow":
            workflow = self._envelopes.read(given.body, WorkflowEnvelope)
            told |= {"message_id": given.message_id, "stage": given.stage, "origin_stage": None}
            _check_payload(given, workflow)
            return replace(workflow, **told, meta=_own_meta(workflow.meta))
        task = self._envelopes.read(given.body, TaskEnvelope)
        _check_payload(given, task)
        return replace(task, **told, meta=_own_meta(task.meta))

    def _published(
        self, given: ReplayedInput, envelope: TaskEnvelope | WorkflowEnvelope, route: Route
    ) -> Body:
        if isinstance(envelope, TaskEnvelope):
            return TaskPublished(
                message_id=given.message_id,
                task_type=envelope.task_type,
                exchange=route.exchange,
                routing_key=route.routing_key,
                batch_id=self._batch_id,
            )
        return WorkflowMessagePublished(
            message_id=given.message_id, stage=given.stage, routing_key=route.routing_key
        )

    def _edges(self, given: ReplayedInput, envelope: TaskEnvelope | WorkflowEnvelope) -> tuple[ToldFact, ...]:
        """Once for each new run; told in the first one's history as well, from where all of the session are found."""
        if given.run_id in self._begun:
            return ()
        self._begun.add(given.run_id)
        own = message_event_id(MessageId(given.run_id), "replayed_from")
        edge = RunEdgeRecorded(
            kind="replayed_from",
            source_run=given.source_run,
            target_run=given.run_id,
            metadata=dict(self._metadata),
        )
        told = ToldFact(envelope=envelope, event_id=own, body=edge)
        first = TaskId(self._session_id)
        if given.run_id == first:
            return (told,)
        copied = ToldFact(
            envelope=replace(envelope, task_id=first), event_id=copied_event_id(own, first), body=edge
        )
        return told, copied

    def _asked(self, envelope: TaskEnvelope | WorkflowEnvelope, action: OperatorActed) -> ToldFact:
        event_id = operator_event_id(
            self._session_id, action.action, action.action_id or "", action.outcome or ""
        )
        return ToldFact(envelope=envelope, event_id=event_id, body=action)


def _check_payload(given: ReplayedInput, envelope: TaskEnvelope | WorkflowEnvelope) -> None:
    """A contract may have other names for its fields: read without them, a body seems to have no payload."""
    if given.input_hash not in (None, payload_hash(envelope.payload, given.body)):
        problem = (
            "its payload is not what was handled, as read without the aliases of its contract; "
            "replay from a program that gives SessionReplay the same aliases as its workers"
        )
        raise MalformedMessage(type(envelope).__name__, problem)


def _own_meta(meta: dict[str, Any]) -> dict[str, Any]:  # Any: the user's own JSON object
    """Some producers name the parent here, and a replayed message has none."""
    return {name: value for name, value in meta.items() if name != "parent_task_id"}
