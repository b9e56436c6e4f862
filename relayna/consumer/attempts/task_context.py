"""What handlers of tasks, and of what children report to a shard, can ask for. Owns spawning and manual retries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import UNSET

from relayna.consumer.attempts.context import Context
from relayna.consumer.attempts.outbox import Publication
from relayna.consumer.attempts.outcome import ManualRetryRequest
from relayna.consumer.messages.envelopes import TaskEnvelope
from relayna.errors import InvalidQuery
from relayna.events import ChildRegistered, TaskPublished
from relayna.ids import MessageId, TaskId
from relayna.streams.keys import checked_task_id
from relayna.topologies import Route, aggregation_route, task_route

__all__ = ["TaskContext"]


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
    ) -> TaskId:
        """Ask for a child task and return its id, which is derived from this delivery unless given.

        Held until the handler has succeeded, unless `now`. However often this delivery is handled, the same
        `group_key` names the same child; without one, the first spawned does, the second, and so on. Raises
        `BrokerError` when it is published.
        """
        self._check_open()
        message_id = self._derived("spawn", self._ordinal("spawn") if group_key is None else group_key)
        child = checked_task_id(message_id if task_id is None else task_id)
        route = task_route(self._client.topology, task_type)
        envelope = TaskEnvelope(
            task_id=child,
            payload=payload,
            task_type=task_type,
            correlation_id=self.correlation_id,
            parent_task_id=self.task_id,
            session_id=self._incoming.session_id,
        )
        await self._send(self._birth(envelope, route, message_id, priority), now=now)
        return child

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

    def _birth(
        self, envelope: TaskEnvelope, route: Route, message_id: MessageId, priority: int | None
    ) -> Publication:
        child, task_type = envelope.task_id, envelope.task_type
        published = TaskPublished(
            message_id=message_id, task_type=task_type, exchange=route.exchange, routing_key=route.routing_key
        )
        return Publication(
            route=route,
            envelope=envelope,
            headers=self._headers(message_id, task_id=child, parent_task_id=self.task_id),
            message_id=message_id,
            fact=ChildRegistered(child_task_id=child, message_id=message_id, task_type=task_type),
            child=(child, published),
            user_headers=self.headers,
            priority=priority,
        )
