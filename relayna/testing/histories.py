"""Histories for tests: what relayna's consumers would have recorded, written as one would tell it.

Owns the story of a task. `attempt_histories.py` owns those of its attempts.

    events = (
        history("order-7").published()
        .attempt().fails("TimeoutError").retried(delay_ms=500)
        .attempt(skew=-3600).status("charged").acked()
        .events
    )
"""

from __future__ import annotations

from relayna.events import RecordedEvent, StatusPublished, TaskPublished, WorkflowMessagePublished
from relayna.ids import TaskId, message_event_id
from relayna.testing.attempt_histories import AttemptHistory
from relayna.testing.scribe import Scribe, Sent

__all__ = ["TaskHistory", "history"]


def history(task_id: str, *, tick: float = 0.001, lifecycle_statuses: bool = True) -> TaskHistory:
    """A new world with one task and nothing recorded yet.

    `tick` is how many seconds pass after each event. Without `lifecycle_statuses` the consumers publish no
    statuses of their own.
    """
    return TaskHistory(TaskId(task_id), Scribe(tick=tick), lifecycle_statuses=lifecycle_statuses)


class TaskHistory:
    """One task's story; its children live in the same world, on the same clock."""

    def __init__(self, task_id: TaskId, scribe: Scribe, *, lifecycle_statuses: bool = True) -> None:
        self.task_id = task_id
        self.scribe = scribe
        self.lifecycle_statuses = lifecycle_statuses
        self.waiting: Sent | None = None
        """The message that the next attempt handles, unless it is told another."""

    @property
    def events(self) -> list[RecordedEvent]:
        """Everything recorded in this world so far, of all its tasks."""
        return list(self.scribe.events)

    def after(self, seconds: float) -> TaskHistory:
        """Let time pass."""
        self.scribe.pass_time(seconds)
        return self

    def published(self, *, task_type: str | None = None, skew: float = 0) -> TaskHistory:
        """A producer publishes the task and records it."""
        message = Sent(message_id=self.scribe.message_id(), cause=None)
        body = TaskPublished(message_id=message.message_id, task_type=task_type)
        self.waiting = self.scribe.publish(self.task_id, message, body, skew=skew)
        return self

    def sent_by_others(self) -> TaskHistory:
        """A program that knows nothing of relayna publishes the task: no record and no cause."""
        self.waiting = Sent(message_id=self.scribe.message_id(), cause=None)
        return self

    def enters(self, stage: str, *, skew: float = 0) -> TaskHistory:
        """A producer publishes the entry message of a workflow, for `stage`."""
        message = Sent(message_id=self.scribe.message_id(), cause=None, kind="workflow", stage=stage)
        body = WorkflowMessagePublished(message_id=message.message_id, stage=stage)
        self.waiting = self.scribe.publish(self.task_id, message, body, skew=skew)
        return self

    def status(self, text: str, *, skew: float = 0) -> TaskHistory:
        """A status published by a program outside any attempt."""
        message_id = self.scribe.message_id()
        body = StatusPublished(status=text, message_id=message_id)
        self.scribe.write(self.task_id, message_event_id(message_id, "status"), body, skew=skew)
        return self

    def attempt(
        self,
        of: Sent | None = None,
        *,
        skew: float = 0,
        redelivered: bool = False,
        delivery_count: int | None = None,
    ) -> AttemptHistory:
        """A consumer begins to handle `of`, else the waiting message. `skew` is its clock's, in seconds."""
        message = of or self.waiting
        if message is None:
            raise ValueError(
                f"Task {self.task_id!r} has no message to handle: publish one before its attempt."
            )
        return AttemptHistory(
            self, message, skew=skew, redelivered=redelivered, delivery_count=delivery_count
        )
