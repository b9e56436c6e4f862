"""Consumers: deliveries in, events out, every message settled once its facts are safe."""

from __future__ import annotations

from relayna.consumer.aggregation import AggregationConsumer
from relayna.consumer.attempts.context import AttemptOver, Context
from relayna.consumer.attempts.task_context import TaskContext
from relayna.consumer.attempts.workflow_context import WorkflowContext
from relayna.consumer.broker import Broker, Delivery, Message, Settlement, Subscription
from relayna.consumer.client import RelaynaClient
from relayna.consumer.memory import MemoryBroker
from relayna.consumer.messages.envelopes import (
    MalformedMessage,
    StatusEnvelope,
    TaskEnvelope,
    WorkflowEnvelope,
)
from relayna.consumer.retry_policy import RetryPolicy
from relayna.consumer.task import TaskConsumer
from relayna.consumer.workflow import WorkflowConsumer

__all__ = [
    # consumers and what handlers get
    "AggregationConsumer", "Context", "RelaynaClient", "RetryPolicy", "StatusEnvelope", "TaskConsumer",
    "TaskContext", "TaskEnvelope", "WorkflowConsumer", "WorkflowContext", "WorkflowEnvelope",
    # brokers
    "Broker", "Delivery", "MemoryBroker", "Message", "Settlement", "Subscription",
    # errors
    "AttemptOver", "MalformedMessage",
]  # fmt: skip
