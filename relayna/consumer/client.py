"""The way in for producers, and what consumers share: a topology on a broker, with or without a sink.

Owns publishing from outside any attempt.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Self

from relayna.clock import Clock, SystemClock
from relayna.consumer.attempts.last_chances import LastChances
from relayna.consumer.batch_request import BatchRequest
from relayna.consumer.broker import Broker
from relayna.consumer.edge_admission import EdgeAdmission
from relayna.consumer.measured_spans import measured_spans
from relayna.consumer.messages.envelope_codec import EnvelopeCodec
from relayna.consumer.messages.envelopes import StatusEnvelope, WorkflowEnvelope
from relayna.consumer.messages.incoming import batched_message_id
from relayna.consumer.option_checks import check_sink, check_status, checked_tasks
from relayna.consumer.producer import Producer
from relayna.consumer.publications import ProducerPublication, Publications, publish_all
from relayna.consumer.run_start import RunStart, waking_callback
from relayna.consumer.sender import Sender
from relayna.consumer.task_request import TaskRequest, TasksNotPublished
from relayna.events import DEFAULT_REDACTION, Redact
from relayna.ids import MessageId, SessionId, message_event_id
from relayna.instants import format_instant
from relayna.mint import Mint, RandomMint
from relayna.settings import lineage_emits
from relayna.signals import Counters, IgnoredCounters, ServedMeasures, Spans, have_report
from relayna.storage import PayloadStorage
from relayna.streams.keys import checked_task_id
from relayna.streams.sink import ObservationSink
from relayna.topologies import (
    ContractAliasConfig,
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

    Without a `broker`, it is the RabbitMQ at the topology's `rabbitmq_url`, with the defaults of `RabbitMQBroker`.
    With an `observation_sink`, what it publishes is recorded too, so that queue waits are known and a task
    that nobody took yet shows as queued. `aliases` are other names for the fields of message bodies. `spans`
    makes spans of what it publishes and of its consumers' attempts: `relayna.observability.OpenTelemetrySpans`.
    `counters` says where numbers go; with `relayna.observability.metrics.WorkerMetrics`, the broker and the sink
    report there too, unless they were told otherwise, and others may look while the client is open. `redact` hides secrets in the texts of exceptions, also in logs and spans.
    With a `storage`, consumers keep what messages hold there while `RELAYNA_LINEAGE_EMIT` is on, as it came.
    """

    _open: AsyncExitStack | None = None

    def __init__(
        self,
        *,
        topology: Topology,
        broker: Broker | None = None,
        observation_sink: ObservationSink | None = None,
        clock: Clock | None = None,
        mint: Mint | None = None,
        counters: Counters | None = None,
        spans: Spans | None = None,
        aliases: ContractAliasConfig | None = None,
        confirm_timeout: float = 10.0,
        redact: Redact | None = DEFAULT_REDACTION,
        storage: PayloadStorage | None = None,
    ) -> None:
        check_sink(observation_sink)
        self.topology = topology
        self.storage = storage
        self.redact = redact
        self.topology_kind = topology_kind(topology)
        self.terminal_statuses = terminal_statuses(topology)
        self.observation_sink = observation_sink
        self.clock = SystemClock() if clock is None else clock
        self.mint = RandomMint() if mint is None else mint
        self.counters = IgnoredCounters() if counters is None else counters
        self.broker = _rabbitmq_of(topology, self.counters) if broker is None else broker
        self.spans = measured_spans(spans, counters, self.clock)
        have_report((self.broker, observation_sink), counters)
        self.last_chances = LastChances()
        self.sender = Sender(self.broker, confirm_timeout=confirm_timeout, spans=self.spans, clock=self.clock)
        self.producer = self.mint.producer()
        self.edges = EdgeAdmission(self.counters, is_told=observation_sink is not None)
        self._producer = Producer(
            sender=self.sender, sink=observation_sink, edges=self.edges, clock=self.clock, name=self.producer,
            topology_kind=self.topology_kind,
        )  # fmt: skip
        self.envelopes = EnvelopeCodec(aliases)
        self._publications = Publications(self.envelopes, told=self._producer.tells)

    async def __aenter__(self) -> Self:
        """Open the broker and the sink, and declare the topology."""
        async with AsyncExitStack() as stack:
            if isinstance(self.counters, ServedMeasures):
                await stack.enter_async_context(self.counters)
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
        message_id: str | None = None,
        started_by: RunStart | None = None,
    ) -> MessageId:
        """Publish a task and return its message's id.

        Raises `BrokerError`, and `InvalidPayload` (a `TypeError`) for what JSON cannot hold. After an
        `OutcomeUnknown` the task may be on its way all the same: publish it again with the `message_id` that the
        error names, and it is done once.
        The options are those of `TaskRequest`.
        """
        request = TaskRequest(
            task_id=task_id,
            payload=payload,
            task_type=task_type,
            correlation_id=correlation_id,
            parent_task_id=parent_task_id,
            session_id=session_id,
            priority=priority,
            headers=headers or {},
            message_id=message_id,
            started_by=started_by,
        )
        return await self._producer.publish(self._task_publication(request))

    async def publish_tasks(self, tasks: Iterable[TaskRequest]) -> list[MessageId]:
        """Publish many tasks, several at a time and in no order; their messages' ids, in the order given.

        Returns when all are confirmed. Raises `TasksNotPublished`, which says which are not, once there is an
        answer for each; before anything is sent, `InvalidQuery` and `InvalidPayload`.

            try:
                await client.publish_tasks(tasks)
            except TasksNotPublished as error:
                again = [replace(tasks[n], message_id=error.message_ids[n]) for n in error.failures]
        """
        publications = [self._task_publication(task) for task in checked_tasks(tasks)]
        failures = await publish_all(publications, self._producer.publish)
        message_ids = [publication.message_id for publication in publications]
        if failures:
            raise TasksNotPublished(message_ids, failures)
        return message_ids

    async def publish_batch(
        self, tasks: Iterable[TaskRequest], *, batch_id: str | None = None, message_id: str | None = None
    ) -> list[MessageId]:
        """Publish many tasks in one message; the ids that their own messages will have, in the order given.

        The tasks share route, headers and priority, else `InvalidQuery`. Whoever takes the message publishes
        each as a task of its own. Raises `BrokerError` and `InvalidPayload`; after an
        `OutcomeUnknown`, publish the same tasks again with the `message_id` that it names.
        """
        own = MessageId(message_id) if message_id else self.mint.message_id()
        batch = BatchRequest(batch_id=own if batch_id is None else batch_id, tasks=checked_tasks(tasks))
        route, repeated = batch.route(self.topology), message_id is not None
        await self._producer.publish(self._publications.batch(batch, route, own, repeated=repeated))
        return [batched_message_id(own, ordinal) for ordinal in range(len(batch.tasks))]

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
        check_status(status)
        message_id = self.mint.message_id()
        envelope = StatusEnvelope(
            task_id=checked_task_id(task_id),
            status=status,
            message=message,
            meta=dict(meta or {}),
            timestamp=format_instant(self.clock.now()),
            correlation_id=correlation_id,
        )
        route = status_route(self.topology, task_id)
        return await self._producer.publish(self._publications.status(envelope, route, message_id))

    def record_callback(
        self,
        task_id: str,
        *,
        label: str | None = None,
        metadata: Mapping[str, Any] | None = None,  # Any: the user's own JSON object
    ) -> None:
        """Say that a callback from outside has woken a run; handlers have `Context.callback`.

        Nobody is asked whether there is such a run: an id that is misspelt begins a run of its own, with nothing
        but this callback in it. Recorded while `RELAYNA_LINEAGE_EMIT` is on; it never waits. Raises `InvalidQuery`.
        """
        edge = waking_callback(task_id, label=label, metadata=metadata)
        if lineage_emits():
            self._producer.tell_edge(edge, message_event_id(self.mint.message_id(), "callback"))

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
            task_id=checked_task_id(task_id),
            message_id=message_id,
            stage=stage,
            payload=payload,
            correlation_id=correlation_id,
            session_id=SessionId(session_id or task_id),
        )
        publication = self._publications.workflow(envelope, route, message_id, headers=headers)
        return await self._producer.publish(publication)

    def _task_publication(self, request: TaskRequest) -> ProducerPublication:
        message_id = MessageId(request.message_id) if request.message_id else self.mint.message_id()
        return self._publications.task(request, task_route(self.topology, request.task_type), message_id)


def _rabbitmq_of(topology: Topology, counters: Counters) -> Broker:
    from relayna.consumer.rabbitmq import RabbitMQBroker  # the driver takes time to load

    return RabbitMQBroker(topology.rabbitmq_url, counters=counters)
