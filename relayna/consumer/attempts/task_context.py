"""What handlers of tasks, and of what children report to a shard, can ask for. Owns spawning and manual retries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias, get_args

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from relayna.consumer.attempts.context import Context
from relayna.consumer.attempts.outbox import Publication
from relayna.consumer.attempts.outcome import ManualRetryRequest
from relayna.consumer.edge_words import check_choice, check_text
from relayna.consumer.messages.envelopes import TaskEnvelope
from relayna.consumer.messages.incoming import derived_message_id
from relayna.errors import InvalidQuery
from relayna.events import ChildRegistered, RunEdgeRecorded, TaskPublished
from relayna.ids import MessageId, SessionId, TaskId
from relayna.settings import lineage_emits
from relayna.streams.keys import checked_task_id
from relayna.topologies import aggregation_route, task_route

__all__ = ["SpawnVariant", "TaskContext"]

SpawnVariant: TypeAlias = Literal["handoff", "a2a_message"]
_VARIANTS: Final[tuple[str, ...]] = get_args(SpawnVariant)


class TaskContext(Context):
    """For handlers of tasks, and of what children report to a shard."""

    async def publish_aggregation_status(
        self,
        status: str,
        *,
        message: str | None = None,
        meta: Mapping[str, Any] | None = None,  # Any: the user's own JSON object
        parent_task_id: str | None = None,
        now: bool = False,
    ) -> None:
        """Report this task's status to the shard that gathers its parent's children.

        Held until the handler has succeeded, unless `now`. Raises `InvalidQuery` without a parent or without
        aggregation in the topology, and `BrokerError` when it is published.
        """
        self._check_open()
        parent = self._incoming.parent_task_id if parent_task_id is None else checked_task_id(parent_task_id)
        if parent is None:
            raise InvalidQuery("parent_task_id", f"task {self.task_id!r} has no parent; name one")
        route = aggregation_route(self._client.topology, parent)
        report = self._status(status, message, meta, lifecycle=False, route=route, parent_task_id=parent)
        await self._send(report, now=now)

    async def spawn(
        self,
        payload: Any = None,  # Any: the user's own JSON value
        *,
        task_id: str | None = None,
        task_type: str | None = None,
        group_key: str | None = None,
        priority: int | None = None,
        now: bool = False,
        variant: SpawnVariant | None = None,
        label: str | None = None,
        session_id: str | None = None,
    ) -> TaskId:
        """Ask for a child task and return its id, which is derived from this delivery unless given.

        Held until the handler has succeeded, unless `now`. However often this message is handled, retries and replays
        included, the same `group_key` names the same child, which is asked for once; without one, in each delivery
        the first spawned does, the second, and so on. A child of another `session_id` than this task's belongs to
        that session. Raises `InvalidQuery`, and `BrokerError` when it is published.
        """
        self._check_open()
        _check_words(variant, label, session_id, group_key)
        if group_key is not None and group_key in self._grouped:
            return self._grouped[group_key]
        message_id = self._message_of_child(group_key)
        told = ChildRegistered(
            child_task_id=checked_task_id(message_id if task_id is None else task_id),
            message_id=message_id,
            task_type=task_type,
            variant=variant,
            group_key=group_key,
            label=label,
        )
        envelope = self._envelope_of_child(told, payload, session_id)
        await self._send_child(self._birth(envelope, told, message_id, priority), told, now=now)
        return told.child_task_id

    async def manual_retry(
        self,
        *,
        task_type: str | None = None,
        payload: Any = UNSET,  # Any: the user's own JSON value; unset keeps the old one
        reason: str | None = None,
    ) -> None:
        """Have the task handled again after this handler returns, as another type or with another payload.

        Raises `InvalidQuery` when the topology has no such type or when this is no task but a child's report,
        and `TypeError` for payloads that JSON cannot hold.
        """
        self._check_open()
        envelope = self._incoming.envelope
        if not isinstance(envelope, TaskEnvelope):
            raise InvalidQuery("manual_retry", "this is a child's report; only tasks can be retried by hand")
        task_route(self._client.topology, task_type or envelope.task_type)
        if payload is not UNSET:
            payload = msgspec.Raw(msgspec.json.encode(payload))  # as it is now, whatever becomes of it later
        self.manual_retry_request = ManualRetryRequest(task_type=task_type, payload=payload, reason=reason)

    def _message_of_child(self, group_key: str | None) -> MessageId:
        identity = self._incoming.identity
        if group_key is None or identity is None:
            return self._derived("spawn", self._ordinal("spawn"))
        # A retry and a replay are other deliveries of the same message.
        return derived_message_id(replace(identity, retry_attempt=0, replay_count=0), "spawn", group_key)

    def _envelope_of_child(
        self,
        told: ChildRegistered,
        payload: Any,  # Any: the user's own JSON value
        session_id: str | None,
    ) -> TaskEnvelope:
        return TaskEnvelope(
            task_id=told.child_task_id,
            payload=payload,
            task_type=told.task_type,
            correlation_id=self.correlation_id,
            parent_task_id=self.task_id,
            session_id=SessionId(session_id) if session_id else self._incoming.session_id,
        )

    async def _send_child(self, publication: Publication, told: ChildRegistered, *, now: bool) -> None:
        if told.group_key is not None:
            self._grouped[told.group_key] = told.child_task_id
        try:
            await self._send(publication, now=now)
        except BaseException:
            if told.group_key is not None:
                del self._grouped[told.group_key]
            raise
        self._spawned[told.child_task_id] = now or self._spawned.get(told.child_task_id, False)

    def _birth(
        self, envelope: TaskEnvelope, told: ChildRegistered, message_id: MessageId, priority: int | None
    ) -> Publication:
        route = task_route(self._client.topology, told.task_type)
        published = TaskPublished(
            message_id=message_id,
            task_type=told.task_type,
            exchange=route.exchange,
            routing_key=route.routing_key,
        )
        headers = self._headers(
            message_id,
            task_id=told.child_task_id,
            parent_task_id=self.task_id,
            session_id=envelope.session_id,
            repeated=self._incoming.repeated or self._may_repeat(told),
        )
        return Publication(
            route=route,
            envelope=envelope,
            headers=headers,
            message_id=message_id,
            fact=told,
            child=(told.child_task_id, published),
            birth=self._edge_to(told, envelope.session_id) if lineage_emits() else None,
            user_headers=self.headers,
            priority=priority,
        )

    def _may_repeat(self, told: ChildRegistered) -> bool:
        """Whether an earlier attempt at this message may have published the same child."""
        headers = self._incoming.headers
        return told.group_key is not None and bool(headers.retry_attempt or headers.replay_count)

    def _edge_to(self, told: ChildRegistered, session_id: SessionId | None) -> RunEdgeRecorded:
        return RunEdgeRecorded(
            kind="spawn" if session_id == self._incoming.session_id else "cross_session_bridge",
            source_run=self.task_id,
            target_run=told.child_task_id,
            variant=told.variant,
            group_key=told.group_key,
            label=told.label,
        )


def _check_words(
    variant: str | None, label: str | None, session_id: str | None, group_key: str | None
) -> None:
    if variant is not None:
        check_choice("variant", variant, _VARIANTS)
    check_text("label", label)
    check_text("session_id", session_id)
    check_text("group_key", group_key)
