"""The way in for producers, and what consumers share: a topology on a broker, with or without a sink.

Owns publishing from outside any attempt.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Self

from relayna.clock import Clock, SystemClock
from relayna.consumer.broker import Broker
from relayna.consumer.messages.causal_headers import CausalHeaders
from relayna.consumer.messages.envelopes import StatusEnvelope, TaskEnvelope, WorkflowEnvelope, encode_body
from relayna.consumer.messages.outgoing import build_message
from relayna.errors import InvalidQuery
from relayna.events import Body, Envelope, Event, StatusPublished, TaskPublished, WorkflowMessagePublished
from relayna.ids import EventId, MessageId, SessionId, TaskId, message_event_id
from relayna.instants import Instant, format_instant
from relayna.mint import Mint, RandomMint
from relayna.signals import Counters, IgnoredCounters
from relayna.streams.sink import ObservationSink
from relayna.topologies import (
    Route,
    Topology,
    declarations,
    entry_route,
    stage_route,
    status_route,
    task_route,
    terminal_statuses,
    topology_kind,
)

__all__ = ["RelaynaClient"]


class RelaynaClient:
    """A topology on a broker. Give the same one to the consumers of a process.

    With an `observation_sink`, what it publishes is recorded too, so that queue waits are known and a task
    that nobody took yet shows as queued.
    """

    def __init__(
        self,
        *,
        topology: Topology,
        broker: Broker,
        observation_sink: ObservationSink | None = None,
        clock: Clock | None = None,
        mint: Mint | None = None,
        counters: Counters | None = None,
        confirm_timeout: float = 10.0,
    ) -> None:
        self.topology = topology
        self.topology_kind = topology_kind(topology)
        self.terminal_statuses = terminal_statuses(topology)
        self.broker = broker
        self.observation_sink = observation_sink
        self.clock = SystemClock() if clock is None else clock
        self.mint = RandomMint() if mint is None else mint
        self.counters = IgnoredCounters() if counters is None else counters
        self.confirm_timeout = confirm_timeout
        self.producer = self.mint.producer()
        self._open: AsyncExitStack | None = None

    async def __aenter__(self) -> Self:
        """Open the broker and the sink, and declare the topology."""
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.broker)
            if self.observation_sink is not None:
                await stack.enter_async_context(self.observation_sink)
            await self.broker.declare(declarations(self.topology))
            self._open = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close both; what was recorded is flushed."""
        if self._open is not None:
            await self._open.__aexit__(kind, error, traceback)
            self._open = None

    async def publish_task(
        self,
        task_id: str,
        payload: Any = None,  # Any: the user's own JSON value
        *,
        task_type: str | None = None,
        correlation_id: str | None = None,
        parent_task_id: str | None = None,
        session_id: str | None = None,
        priority: int | None = None,
        headers: Mapping[str, Any] | None = None,  # Any: AMQP header values
    ) -> MessageId:
        """Publish a task and return its message's id. Raises `BrokerError`, and `TypeError` on odd payloads."""
        route = task_route(self.topology, task_type)
        message_id = self.mint.message_id()
        envelope = TaskEnvelope(
            task_id=_checked(task_id),
            payload=payload,
            task_type=task_type,
            correlation_id=correlation_id,
            parent_task_id=TaskId(parent_task_id) if parent_task_id else None,
            session_id=SessionId(session_id or parent_task_id or task_id),
        )
        fact = TaskPublished(
            message_id=message_id, task_type=task_type, exchange=route.exchange, routing_key=route.routing_key
        )
        await self._publish(
            envelope, route, message_id, fact, kind="published", priority=priority, headers=headers
        )
        return message_id

    async def publish_to_entry(
        self,
        entry: str,
        task_id: str,
        payload: Any = None,  # Any: the user's own JSON value
        **options: Any,  # Any: as for publish_to_stage
    ) -> MessageId:
        """Publish a workflow's first message by one of its entry routes. Raises `BrokerError`, `InvalidQuery`."""
        route = entry_route(self.topology, entry)
        stages = [one.target_stage for one in getattr(self.topology, "entry_routes", ()) if one.name == entry]
        return await self._publish_workflow(route, stages[0], task_id, payload, **options)

    async def publish_to_stage(
        self,
        stage: str,
        task_id: str,
        payload: Any = None,  # Any: the user's own JSON value
        *,
        correlation_id: str | None = None,
        session_id: str | None = None,
        headers: Mapping[str, Any] | None = None,  # Any: AMQP header values
    ) -> MessageId:
        """Publish a message to a stage from outside. Raises `BrokerError`, `InvalidQuery`."""
        return await self._publish_workflow(
            stage_route(self.topology, stage),
            stage,
            task_id,
            payload,
            correlation_id=correlation_id,
            session_id=session_id,
            headers=headers,
        )

    async def publish_status(
        self,
        task_id: str,
        status: str,
        *,
        message: str | None = None,
        meta: Mapping[str, Any] | None = None,  # Any: the user's own JSON object
        correlation_id: str | None = None,
    ) -> MessageId:
        """Publish a status of a task from outside its workers. Raises `BrokerError`, `InvalidQuery`."""
        if not status:
            raise InvalidQuery("status", "it is empty; name the status")
        message_id = self.mint.message_id()
        envelope = StatusEnvelope(
            task_id=_checked(task_id),
            status=status,
            message=message,
            meta=dict(meta or {}),
            timestamp=format_instant(self.clock.now()),
            correlation_id=correlation_id,
        )
        fact = StatusPublished(
            status=status, message=message, meta=dict(meta) if meta else None, message_id=message_id
        )
        await self._publish(envelope, status_route(self.topology, task_id), message_id, fact, kind="status")
        return message_id

    async def _publish_workflow(
        self,
        route: Route,
        stage: str,
        task_id: str,
        payload: Any,  # Any: the user's own JSON value
        *,
        correlation_id: str | None = None,
        session_id: str | None = None,
        headers: Mapping[str, Any] | None = None,  # Any: AMQP header values
    ) -> MessageId:
        message_id = self.mint.message_id()
        envelope = WorkflowEnvelope(
            task_id=_checked(task_id),
            message_id=message_id,
            stage=stage,
            payload=payload,
            correlation_id=correlation_id,
            session_id=SessionId(session_id or task_id),
        )
        fact = WorkflowMessagePublished(message_id=message_id, stage=stage, routing_key=route.routing_key)
        await self._publish(envelope, route, message_id, fact, kind="published", headers=headers)
        return message_id

    async def _publish(
        self,
        envelope: TaskEnvelope | StatusEnvelope | WorkflowEnvelope,
        route: Route,
        message_id: MessageId,
        fact: Body,
        *,
        kind: str,
        priority: int | None = None,
        headers: Mapping[str, Any] | None = None,  # Any: AMQP header values
    ) -> None:
        event_id = message_event_id(message_id, kind)
        now = self.clock.now()
        causal = CausalHeaders(
            cause=event_id if self.observation_sink is not None else None,
            task_id=envelope.task_id,
            session_id=envelope.session_id,
            parent_task_id=envelope.parent_task_id,
            message_id=message_id,
            stage=getattr(envelope, "stage", None),
        )
        message = build_message(
            encode_body(envelope),
            causal,
            correlation_id=envelope.correlation_id,
            user_headers=headers,
            priority=priority,
        )
        await self.broker.publish(
            message,
            exchange=route.exchange,
            routing_key=route.routing_key,
            confirm_timeout=self.confirm_timeout,
        )
        self._tell(envelope, fact, event_id, now)

    def _tell(
        self,
        envelope: TaskEnvelope | StatusEnvelope | WorkflowEnvelope,
        fact: Body,
        event_id: EventId,
        at: Instant,
    ) -> None:
        if self.observation_sink is None:
            return
        said = Envelope(
            event_id=event_id,
            timestamp=at,
            task_id=envelope.task_id,
            parent_task_id=envelope.parent_task_id,
            session_id=envelope.session_id,
            correlation_id=envelope.correlation_id,
            producer=self.producer,
        )
        self.observation_sink.record(Event(envelope=said, body=fact), topology_kind=self.topology_kind)


def _checked(task_id: str) -> TaskId:
    if not task_id:
        raise InvalidQuery("task_id", "it is empty; a task needs an id")
    return TaskId(task_id)
