"""The attempts of an incident as OpenTelemetry traces, in OTLP's JSON: a file for whatever reads that.

Owns which trace and span an attempt is, what it says, and which attempt it links to. Sends nothing. Source:
https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding, and its conventions for messaging.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final, TypeAlias

import msgspec

from relayna.events.vocabulary import RECEIVED_TYPES
from relayna.ids import AttemptId, EventId
from relayna.instants import Instant, parse_instant
from relayna.observability.incident.bundle import Incident
from relayna.observability.wording import node_state
from relayna.projections.causal_edges import ATTEMPT_KINDS, FAILED_STATES
from relayna.projections.graph import ExecutionGraph, ExecutionGraphNode
from relayna.projections.hangings import hangings

__all__ = ["otlp_json", "otlp_traces"]

_Json: TypeAlias = dict[str, Any]  # Any: JSON values

_CONSUMER: Final = 5
_UNSET, _OK, _ERROR = 0, 1, 2
_ATTRIBUTES: Final = {
    "queue_name": "messaging.destination.name",
    "routing_key": "messaging.rabbitmq.destination.routing_key",
    "message_id": "messaging.message.id",
    "exception_type": "error.type",
    "outcome": "relayna.outcome",
    "retry_attempt": "relayna.retry_attempt",
    "stage": "relayna.stage",
    "consumer_name": "relayna.consumer_name",
    "task_type": "relayna.task_type",
    "queue_wait_ms": "relayna.queue_wait_ms",
}
"""Annotations of an attempt, and what traces call them."""


def otlp_json(incident: Incident) -> bytes:
    """The traces as one line of JSON."""
    return msgspec.json.encode(otlp_traces(incident)) + b"\n"


def otlp_traces(incident: Incident) -> _Json:
    """A trace for each session, a span for each attempt; a task without a session belongs to that of its root.

    Ids are made from those that are recorded, so the same attempts are the same spans. What has no known end
    ends where it began.
    """
    graph = incident.graph()
    spans = _Spans(incident, graph)
    told = [spans.of(node) for node in graph.nodes if node.kind in ATTEMPT_KINDS]
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": _attributes({"service.name": "relayna"})},
                "scopeSpans": [{"scope": {"name": "relayna"}, "spans": [span for span in told if span]}],
            }
        ]
    }


class _Spans:
    """The attempts, and what is known of what led to each."""

    def __init__(self, incident: Incident, graph: ExecutionGraph) -> None:
        self._tenant = incident.origin.tenant
        self._root = str(incident.task_id)
        self._nodes = {node.id: node for node in graph.nodes}
        self._by_ref = {
            str(node.annotations.get("ref")): node for node in graph.nodes if node.kind in ATTEMPT_KINDS
        }
        self._above = {node_id: hanging.parent for node_id, hanging in hangings(graph).items()}
        self._events = {event.envelope.event_id: event.envelope for event in incident.events()}
        self._opened: dict[AttemptId, EventId | None] = {}
        self._sessions: dict[str, str] = {}
        for event in incident.events():
            envelope = event.envelope
            if envelope.session_id is not None:
                self._sessions.setdefault(envelope.task_id, envelope.session_id)
            if envelope.attempt_id is not None and isinstance(event.body, RECEIVED_TYPES):
                self._opened.setdefault(envelope.attempt_id, envelope.cause)

    def of(self, node: ExecutionGraphNode) -> _Json | None:
        """The attempt's span; none for one without a time."""
        begun, told = parse_instant(node.timestamp), node.annotations
        if begun is None:
            return None
        state = node_state(node)
        length = told.get("duration_ms")
        ended = Instant(begun + length * 1_000) if isinstance(length, int) else begun
        code = _ERROR if state in FAILED_STATES else _OK if state == "succeeded" else _UNSET
        message = told.get("exception_message") if code == _ERROR else None
        cause = self._cause(node)
        span = {
            **self._context(node),
            "name": f"process {told.get('queue_name') or node.annotations.get('stage') or 'unknown queue'}",
            "kind": _CONSUMER,
            "startTimeUnixNano": _nanoseconds(begun),
            "endTimeUnixNano": _nanoseconds(ended),
            "attributes": _attributes(self._told(node)),
            "events": [_exception(node, ended)] if told.get("exception_type") else [],
            "links": [] if cause is None else [self._context(cause)],
            "status": {"code": code} if message is None else {"code": code, "message": message},
        }
        return {name: value for name, value in span.items() if value != []}

    def _context(self, node: ExecutionGraphNode) -> _Json:
        session = self._sessions.get(node.task_id, self._sessions.get(self._root, self._root))
        ref = str(node.annotations.get("ref"))
        return {
            "traceId": _digest(f"{self._tenant}~{session}", 16),
            "spanId": _digest(f"{self._tenant}~{node.task_id}~{ref}", 8),
        }

    def _told(self, node: ExecutionGraphNode) -> _Json:
        return {
            "messaging.system": "rabbitmq",
            "messaging.operation.type": "process",
            "relayna.task_id": node.task_id,
            "relayna.session_id": self._sessions.get(node.task_id),
            "relayna.attempt_id": node.annotations.get("ref"),
            **{name: node.annotations.get(annotation) for annotation, name in _ATTRIBUTES.items()},
        }

    def _cause(self, node: ExecutionGraphNode) -> ExecutionGraphNode | None:
        """The attempt that led to this one: by recorded causes, else as the graph has it."""
        own = str(node.annotations.get("ref"))
        cause = self._opened.get(AttemptId(own))
        seen: set[EventId] = set()
        while cause is not None and cause not in seen and (envelope := self._events.get(cause)) is not None:
            seen.add(cause)
            if envelope.attempt_id not in (None, own):
                return self._by_ref.get(str(envelope.attempt_id))
            cause = envelope.cause
        return self._attempt_above(node)

    def _attempt_above(self, node: ExecutionGraphNode) -> ExecutionGraphNode | None:
        at, passed = self._above.get(node.id), {node.id}
        while at is not None and at not in passed:
            if self._nodes[at].kind in ATTEMPT_KINDS:
                return self._nodes[at]
            passed.add(at)
            at = self._above.get(at)
        return None


def _exception(node: ExecutionGraphNode, at: Instant) -> _Json:
    told = {
        "exception.type": node.annotations.get("exception_type"),
        "exception.message": node.annotations.get("exception_message"),
    }
    return {"timeUnixNano": _nanoseconds(at), "name": "exception", "attributes": _attributes(told)}


def _attributes(told: _Json) -> list[_Json]:
    """Those that are known; OTLP's JSON writes whole numbers as text."""
    return [
        {
            "key": name,
            "value": {"intValue": str(value)} if isinstance(value, int) else {"stringValue": str(value)},
        }
        for name, value in told.items()
        if value is not None
    ]


def _digest(of: str, size: int) -> str:
    return hashlib.sha256(of.encode()).hexdigest()[: size * 2]


def _nanoseconds(instant: Instant) -> str:
    return str(max(0, instant) * 1_000)
