"""A task that somebody wants done, as a value: what `RelaynaClient.publish_tasks` takes.

Owns its fields and their checks, and the error that says which of several failed. Publishes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct, field

from relayna.consumer.messages.envelopes import TaskEnvelope
from relayna.consumer.run_start import RunStart
from relayna.errors import BrokerError, InvalidQuery
from relayna.ids import MessageId, SessionId, TaskId
from relayna.streams.keys import checked_task_id

__all__ = ["TaskRequest", "TasksNotPublished"]


class TaskRequest(Struct, frozen=True, kw_only=True):
    """One task to publish. Raises `InvalidQuery` without a task id."""

    task_id: str
    payload: Any = None  # Any: the user's own JSON value
    task_type: str | None = None
    correlation_id: str | None = None
    parent_task_id: str | None = None
    session_id: str | None = None
    """Whose run this is; the parent's unless given, else the task's own id."""
    priority: int | None = None
    """0 to the topology's `max_priority`, higher first; without `max_priority` RabbitMQ looks at none."""
    headers: Mapping[str, Any] = field(default_factory=dict)  # Any: AMQP header values
    message_id: str | None = None
    """The id of an earlier publish of which it is unknown whether it arrived.

    The message is then marked `x-relayna-repeated`: its consumer looks in the task's stream first, and handles
    it only when the earlier one was not handled to its end.
    """
    started_by: RunStart | None = None
    """What starts this run, where it is no plain start: told while `RELAYNA_LINEAGE_EMIT` is on. It changes neither the
    session nor the parent."""

    def __post_init__(self) -> None:
        """Raises `InvalidQuery`."""
        checked_task_id(self.task_id)
        if self.parent_task_id is not None:
            checked_task_id(self.parent_task_id)
        if self.started_by is None:
            return
        given: object = self.started_by
        if not isinstance(given, RunStart):
            raise InvalidQuery("started_by", f"it is of type {type(given).__name__}; give a RunStart")
        if self.started_by.source_run == self.task_id:
            raise InvalidQuery("started_by", f"{self.task_id!r} is this very run; no run starts itself")

    def envelope(self) -> TaskEnvelope:
        """What travels in the message's body."""
        return TaskEnvelope(
            task_id=TaskId(self.task_id),
            payload=self.payload,
            task_type=self.task_type,
            correlation_id=self.correlation_id,
            parent_task_id=TaskId(self.parent_task_id) if self.parent_task_id else None,
            session_id=SessionId(self.session_id or self.parent_task_id or self.task_id),
        )


class TasksNotPublished(BrokerError):
    """Of several tasks, those at the positions in `failures` are not known to be published; the others are.

    `message_ids` are those of all, in the order given: to publish one of them again is safe with the same id.
    """

    def __init__(self, message_ids: Sequence[MessageId], failures: Mapping[int, BrokerError]) -> None:
        self.message_ids = tuple(message_ids)
        self.failures = dict(sorted(failures.items()))
        first, error = next(iter(self.failures.items()))
        super().__init__(
            f"{len(self.failures)} of {len(self.message_ids)} tasks are not known to be published, the first at "
            f"position {first}: {error} Publish those in `failures` again, with their `message_ids`."
        )
