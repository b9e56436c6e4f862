"""Consumers: deliveries in, events out, every message settled once its facts are safe."""

from __future__ import annotations

from relayna.consumer.aggregation import AggregationConsumer
from relayna.consumer.attempts.context import AttemptOver, Context
from relayna.consumer.attempts.lineage_context import LineageContext
from relayna.consumer.attempts.suspension import ChildrenEnded, ChildrenNotEnded
from relayna.consumer.attempts.task_context import TaskContext
from relayna.consumer.attempts.workflow_context import WorkflowContext
from relayna.consumer.broker import Broker, Delivery, Message, Settlement, Subscription
from relayna.consumer.client import RelaynaClient
from relayna.consumer.dead_letters import DeadLetterRecorder
from relayna.consumer.memory import MemoryBroker
from relayna.consumer.messages.envelopes import (
    BatchTaskEnvelope,
    MalformedMessage,
    StatusEnvelope,
    TaskEnvelope,
    WorkflowEnvelope,
)
from relayna.consumer.messages.payloads import InvalidPayload
from relayna.consumer.retry_policy import RetryPolicy
from relayna.consumer.run_start import RunStart
from relayna.consumer.running import run_consumers
from relayna.consumer.status_hub import StatusHub
from relayna.consumer.task import TaskConsumer
from relayna.consumer.task_request import TaskRequest, TasksNotPublished
from relayna.consumer.workflow import WorkflowConsumer

__all__ = [
    # consumers and what handlers get
    "AggregationConsumer", "BatchTaskEnvelope", "ChildrenEnded", "Context", "LineageContext", "RelaynaClient", "RetryPolicy",
    "RunStart", "StatusEnvelope", "TaskConsumer", "TaskContext", "TaskEnvelope", "TaskRequest", "WorkflowConsumer", "WorkflowContext", "WorkflowEnvelope",
    "run_consumers",
    # recorders of what passes no worker
    "DeadLetterRecorder", "StatusHub",
    # brokers
    "Broker", "Delivery", "MemoryBroker", "Message", "Settlement", "Subscription",
    # errors
    "AttemptOver", "ChildrenNotEnded", "InvalidPayload", "MalformedMessage", "TasksNotPublished",
]  # fmt: skip
