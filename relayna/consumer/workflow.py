"""The consumer of one stage of a workflow."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

from relayna.consumer.attempts.facts import WorkflowFacts
from relayna.consumer.attempts.workflow_context import WorkflowContext
from relayna.consumer.client import RelaynaClient
from relayna.consumer.consumer import ConsumedQueue, Consumer
from relayna.consumer.messages.envelopes import WorkflowEnvelope
from relayna.topologies import stage_named

__all__ = ["WorkflowConsumer", "WorkflowHandler"]

WorkflowHandler = Callable[[WorkflowEnvelope, WorkflowContext], Awaitable[object] | object]
"""A coroutine function, or a plain function, which then runs in a thread. What it returns is not used."""


class WorkflowConsumer(Consumer[WorkflowEnvelope]):
    """Handles the messages of one stage.

    Publishes `processing`, `retrying` and `failed` by itself, but not `completed`: a stage that succeeds does
    not end the workflow. The last stage's handler publishes that. Takes the options of `Consumer`.
    """

    lifecycle: ClassVar[frozenset[str]] = frozenset({"processing", "retrying", "failed"})

    def __init__(
        self,
        *,
        rabbitmq: RelaynaClient,
        stage: str,
        handler: WorkflowHandler,
        **options: Any,  # Any: the options of Consumer, checked there
    ) -> None:
        queue = stage_named(rabbitmq.topology, stage).queue
        super().__init__(
            rabbitmq=rabbitmq,
            handler=handler,
            queues=(ConsumedQueue(name=queue, place=stage, stage=stage),),
            envelope=WorkflowEnvelope,
            facts=WorkflowFacts(),
            context=WorkflowContext,
            **options,
        )
