"""What handlers of workflow stages can ask for. Owns messages to other stages and joins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec.structs import replace

from relayna.consumer.attempts.context import Context
from relayna.consumer.attempts.outbox import Publication
from relayna.consumer.messages.envelopes import WorkflowEnvelope
from relayna.errors import InvalidQuery
from relayna.events import WorkflowMessagePublished
from relayna.ids import MessageId
from relayna.topologies import stage_route

__all__ = ["WorkflowContext"]


class WorkflowContext(Context):
    """For handlers of workflow stages."""

    async def publish_to_stage(
        self,
        stage: str,
        payload: Any = None,  # Any: the user's own JSON value
        *,
        meta: Mapping[str, Any] | None = None,  # Any: the user's own JSON object
        group_key: str | None = None,
        now: bool = False,
    ) -> MessageId:
        """Send the workflow on to a stage and return the message's id; held until the handler has succeeded."""
        envelope = WorkflowEnvelope(
            task_id=self.task_id,
            message_id=self._derived(
                "stage", stage, self._ordinal(f"stage:{stage}") if group_key is None else group_key
            ),
            stage=stage,
            payload=payload,
            meta=dict(meta or {}),
        )
        return await self.publish_workflow_message(envelope, now=now)

    async def publish_workflow_message(self, envelope: WorkflowEnvelope, *, now: bool = False) -> MessageId:
        """Send a message of this task to the stage that it names. Raises `InvalidQuery`, `BrokerError`."""
        self._check_open()
        if envelope.stage is None:
            raise InvalidQuery("stage", "the message names none; say where it goes")
        route = stage_route(self._client.topology, envelope.stage)
        message_id = envelope.message_id or self._derived(
            "stage", envelope.stage, self._ordinal(f"stage:{envelope.stage}")
        )
        sent = replace(
            envelope,
            task_id=self.task_id,
            message_id=message_id,
            origin_stage=self._stage,
            correlation_id=envelope.correlation_id or self.correlation_id,
            parent_task_id=self._incoming.parent_task_id,
            session_id=self._incoming.session_id,
        )
        fact = WorkflowMessagePublished(
            message_id=message_id,
            stage=envelope.stage,
            origin_stage=self._stage,
            routing_key=route.routing_key,
            meta=dict(envelope.meta) or None,
        )
        publication = Publication(
            route=route,
            envelope=sent,
            headers=self._headers(message_id, stage=envelope.stage, origin_stage=self._stage),
            message_id=message_id,
            fact=fact,
            user_headers=self.headers,
        )
        await self._send(publication, now=now)
        return message_id

    def join(self, message_ids: Iterable[str]) -> None:
        """Say that this attempt takes in those messages too: a fan-in is drawn as one."""
        self._check_open()
        self.joined_message_ids += tuple(MessageId(message_id) for message_id in message_ids)
