"""What a handler can do beside its work: tell statuses, ask for another try, ask for other work.

Owns the handler's side. Publishes are held until the handler has succeeded, but statuses go out at once.
`lineage_context.py` has the words of lineage; `task_context.py` and `workflow_context.py` add what tasks and stages
can do.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from msgspec.structs import replace

from relayna.consumer.attempts.attempt_observer import AttemptObserver
from relayna.consumer.attempts.lineage_context import LineageContext
from relayna.consumer.attempts.outbox import Outbox, Publication
from relayna.consumer.attempts.outcome import ManualRetryRequest
from relayna.consumer.attempts.trace_context import TraceContext
from relayna.consumer.client import RelaynaClient
from relayna.consumer.messages.causal_headers import CausalHeaders, carried_headers
from relayna.consumer.messages.envelopes import StatusEnvelope
from relayna.consumer.messages.incoming import Incoming, derived_message_id
from relayna.consumer.option_checks import check_status
from relayna.errors import RelaynaError
from relayna.events import StatusPublished, TaskLifecycleStatusPublished
from relayna.ids import AttemptId, MessageId, TaskId
from relayna.instants import format_instant
from relayna.topologies import Route, status_route

__all__ = ["AttemptOver", "Context"]


class AttemptOver(RelaynaError):
    """A handler that has returned, or its left-over tasks, asked for something."""

    def __init__(self, task_id: str) -> None:
        self.task_id = task_id
        super().__init__(
            f"The attempt at task {task_id!r} is over; await everything before the handler returns."
        )


class Context(LineageContext, TraceContext):
    """What every handler gets beside its message."""

    def __init__(
        self,
        *,
        client: RelaynaClient,
        incoming: Incoming[Any],  # Any: whichever envelope
        observer: AttemptObserver,
        outbox: Outbox,
        stage: str | None = None,
    ) -> None:
        self._client = client
        self._incoming = incoming
        self._observer = observer
        self._outbox = outbox
        self._stage = stage
        self._asked: dict[str, int] = {}
        self._spawned = {}
        self._grouped: dict[str, TaskId] = {}
        self._open = True
        self.manual_retry_request: ManualRetryRequest | None = None
        self.joined_message_ids: tuple[MessageId, ...] = ()

    @property
    def task_id(self) -> TaskId:
        """The task at hand."""
        return self._incoming.task_id

    @property
    def attempt_id(self) -> AttemptId:
        """This handling of it."""
        return self._observer.attempt_id

    @property
    def retry_attempt(self) -> int:
        """0 the first time, 1 after the first retry."""
        return self._incoming.headers.retry_attempt

    @property
    def correlation_id(self) -> str | None:
        """The user's own thread through systems."""
        return self._incoming.correlation_id

    @property
    def batch_id(self) -> str | None:
        """The batch that the task came in; None for one that came by itself."""
        return self._incoming.headers.batch_id

    @functools.cached_property
    def headers(self) -> Mapping[str, Any]:  # Any: AMQP header values
        """The message's own headers, without relayna's. Whatever is published from here carries them on."""
        return MappingProxyType(carried_headers(self._incoming.delivery.message.headers))

    async def publish_status(
        self,
        status: str,
        *,
        message: str | None = None,
        meta: Mapping[str, Any] | None = None,  # Any: the user's own JSON object
    ) -> None:
        """Publish a status of this task, at once. Raises `BrokerError`."""
        self._check_open()
        await self._outbox.publish_now(self._status(status, message, meta, lifecycle=False))

    async def publish_lifecycle_status(self, status: str, *, message: str | None = None) -> None:
        """Publish a status in the consumer's own name; handlers use `publish_status`."""
        await self._outbox.publish_now(self._status(status, message, None, lifecycle=True))

    async def _send(self, publication: Publication, *, now: bool) -> None:
        if now:
            await self._outbox.publish_now(publication)
        else:
            self._outbox.hold(publication)

    def close(self) -> None:
        """The handler is done: nothing more can be asked for."""
        self._open = False

    def _check_open(self) -> None:
        if not self._open:
            raise AttemptOver(self.task_id)

    def _ordinal(self, kind: str) -> int:
        """How many of this kind were asked for before; what else was asked for moves no number."""
        ordinal = self._asked.get(kind, 0)
        self._asked[kind] = ordinal + 1
        return ordinal

    def _derived(self, *label: str | int) -> MessageId:
        identity = self._incoming.identity
        return self._client.mint.message_id() if identity is None else derived_message_id(identity, *label)

    def _headers(self, message_id: MessageId, **changes: Any) -> CausalHeaders:  # Any: by field
        own = CausalHeaders(
            task_id=self.task_id,
            session_id=self._incoming.session_id,
            parent_task_id=self._incoming.parent_task_id,
            message_id=message_id,
            repeated=self._incoming.repeated,
        )
        return replace(own, **changes)

    def _status(
        self,
        status: str,
        message: str | None,
        meta: Mapping[str, Any] | None,  # Any: the user's own JSON object
        *,
        lifecycle: bool,
        route: Route | None = None,
        parent_task_id: TaskId | None = None,
    ) -> Publication:
        check_status(status)
        # A repeated attempt repeats the task's end, and it stays one end; its way there is its own
        # (docs/decisions/0005).
        kind = "status" if route is None else "report"
        if status in self._client.terminal_statuses:
            message_id = self._derived(kind, status)
        else:
            message_id = self._derived(kind, self.attempt_id, self._ordinal(kind))
        kept = dict(meta) if meta else None
        told: type[TaskLifecycleStatusPublished | StatusPublished]
        told = TaskLifecycleStatusPublished if lifecycle else StatusPublished
        return Publication(
            route=route or status_route(self._client.topology, self.task_id),
            envelope=StatusEnvelope(
                task_id=self.task_id,
                status=status,
                message=message,
                meta=kept or {},
                timestamp=format_instant(self._client.clock.now()),
                correlation_id=self.correlation_id,
                parent_task_id=parent_task_id or self._incoming.parent_task_id,
                session_id=self._incoming.session_id,
                stage=self._stage,
            ),
            headers=self._headers(message_id, parent_task_id=parent_task_id or self._incoming.parent_task_id),
            message_id=message_id,
            fact=told(status=status, message=message, meta=kept, message_id=message_id, stage=self._stage),
            user_headers=self.headers,
        )
