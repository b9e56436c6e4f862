"""What spans are called and which attributes they have: OpenTelemetry's messaging conventions, and relayna's own.

Owns every name. Pure, and needs no tracing library. Source:
https://opentelemetry.io/docs/specs/semconv/messaging/rabbitmq/ (in development there, so names may still move).
"""

from __future__ import annotations

import hashlib
from typing import Final, TypeAlias

from relayna.consumer.messages.causal_headers import read_headers
from relayna.events.sanitise import storable_text
from relayna.signals import AttemptDetails, SendDetails
from relayna.topologies import as_short_string

__all__ = [
    "Attributes",
    "attempt_attributes",
    "attempt_span_name",
    "failure_attributes",
    "outcome_attributes",
    "send_attributes",
    "send_span_name",
]

_SYSTEM: Final = "messaging.system"
_OPERATION_NAME: Final = "messaging.operation.name"
_OPERATION_TYPE: Final = "messaging.operation.type"
_DESTINATION_NAME: Final = "messaging.destination.name"
_DESTINATION_TEMPLATE: Final = "messaging.destination.template"
_ROUTING_KEY: Final = "messaging.rabbitmq.destination.routing_key"
_DELIVERY_TAG: Final = "messaging.rabbitmq.message.delivery_tag"
_MESSAGE_ID: Final = "messaging.message.id"
_CONVERSATION_ID: Final = "messaging.message.conversation_id"
_BODY_SIZE: Final = "messaging.message.body.size"
_ERROR_TYPE: Final = "error.type"
_TASK_ID: Final = "relayna.task_id"
_SESSION_ID: Final = "relayna.session_id"
_ATTEMPT_ID: Final = "relayna.attempt_id"
_RETRY_ATTEMPT: Final = "relayna.retry_attempt"
_OUTCOME: Final = "relayna.outcome"

_SEND: Final = "send"
_PROCESS: Final = "process"

Attributes: TypeAlias = dict[str, str | int]
"""What OpenTelemetry takes."""


def send_span_name(attributes: Attributes) -> str:
    """The name of a publish's span: its destination has few values, so a task's id is not part of it."""
    return f"{_SEND} {attributes.get(_DESTINATION_TEMPLATE) or attributes[_DESTINATION_NAME]}"


def attempt_span_name(details: AttemptDetails) -> str:
    """The name of an attempt's span: one a queue, whichever way a copy of the message came there."""
    return f"{_PROCESS} {details.queue_name}"


def send_attributes(details: SendDetails) -> Attributes:
    """What is known of a message before it is published."""
    causal = read_headers(details.headers)
    destination = [part for part in (details.exchange, details.routing_key) if part]
    template = None
    if causal.task_id is not None and _names_the_task(details.routing_key, causal.task_id):
        template = f"{details.exchange}:{{task_id}}"
    return _kept(
        {
            **_of_any_message(details, _SEND),
            _DESTINATION_NAME: ":".join(destination) or "amq.default",
            _DESTINATION_TEMPLATE: template,
            _TASK_ID: causal.task_id,
            _SESSION_ID: causal.session_id,
            _RETRY_ATTEMPT: causal.retry_attempt,
        }
    )


def attempt_attributes(details: AttemptDetails) -> Attributes:
    """What is known of a delivery before it is handled."""
    queue_name = None if details.queue_name == details.routing_key else details.queue_name
    destination = [part for part in (details.exchange, details.routing_key, queue_name) if part]
    return _kept(
        {
            **_of_any_message(details, _PROCESS),
            _DESTINATION_NAME: ":".join(destination),
            _DELIVERY_TAG: details.delivery_tag,
            _TASK_ID: details.task_id,
            _SESSION_ID: details.session_id,
            _ATTEMPT_ID: details.attempt_id,
            _RETRY_ATTEMPT: details.retry_attempt,
        }
    )


def failure_attributes(error_type: str) -> Attributes:
    """Why it failed: the exception's name, as graphs show it."""
    return {_ERROR_TYPE: storable_text(error_type)}


def outcome_attributes(outcome: str) -> Attributes:
    """What became of a delivery."""
    return {_OUTCOME: outcome}


def _of_any_message(details: SendDetails, operation: str) -> dict[str, str | int | None]:
    return {
        _SYSTEM: "rabbitmq",
        _OPERATION_NAME: operation,
        _OPERATION_TYPE: operation,
        _ROUTING_KEY: details.routing_key or None,
        _MESSAGE_ID: details.message_id,
        _CONVERSATION_ID: details.correlation_id,
        _BODY_SIZE: details.body_size,
    }


def _kept(attributes: dict[str, str | int | None]) -> Attributes:
    """Those that are known. What UTF-8 cannot hold is replaced: an exporter would drop the span for it."""
    return {
        name: storable_text(value) if isinstance(value, str) else value
        for name, value in attributes.items()
        if value is not None
    }


def _names_the_task(routing_key: str, task_id: str) -> bool:
    """Whether it is the key of a task's statuses (`topologies.status_route`)."""
    key = as_short_string(task_id)
    return routing_key in (key, hashlib.sha256(key.encode()).hexdigest())
