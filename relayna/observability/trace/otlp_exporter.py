"""Sends a session's spans to a collector, by OTLP over HTTP.

Owns how recorded spans become OpenTelemetry's own, and how many go at once. Needs the extra `relayna[otlp]`, which is
imported only here and only when an exporter is made.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from relayna.errors import ConfigurationError, RelaynaError
from relayna.events import SpanEnded
from relayna.observability.trace.otel_json import span_json
from relayna.projections.trace.names import analysis_trace_id, derived_span_id, traceparent_parts
from relayna.projections.trace.recorded import ToldSpan

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

__all__ = ["ExportFailed", "OtlpExporter"]

_AT_ONCE: Final = 512
_SIMPLE: Final = (str, bool, int, float)
_LARGEST: Final = 2**63 - 1
_LATEST: Final = (2**64 - 1) // 1_000
"""Microseconds: times are sent as nanoseconds, in 64 bits without a sign."""


class ExportFailed(RelaynaError):
    """The collector did not take the spans."""

    def __init__(self, endpoint: str, sent: int) -> None:
        self.endpoint = endpoint
        self.sent = sent
        super().__init__(
            f"The collector at {endpoint} did not take the spans; it has {sent:,} of them. "
            "See that it runs and takes OTLP over HTTP, as on port 4318 at /v1/traces; to send them again is safe."
        )


class OtlpExporter:
    """Sends spans to one collector; the same spans always have the same ids."""

    def __init__(
        self, endpoint: str, *, headers: Mapping[str, str] | None = None, timeout_seconds: float = 10.0
    ) -> None:
        """`endpoint` is the whole URL, as http://127.0.0.1:4318/v1/traces. Raises `ConfigurationError` without the extra."""
        if not re.match(r"https?://", endpoint):
            raise ConfigurationError(
                f"{endpoint!r} is no URL of a collector, as http://127.0.0.1:4318/v1/traces."
            )
        try:
            from opentelemetry import trace
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk import trace as sdk
            from opentelemetry.sdk.resources import Resource
        except ImportError:
            raise ConfigurationError(
                "Sending spans needs OpenTelemetry's exporter. Install relayna with its extra `otlp`."
            ) from None
        self._trace = trace
        self._sdk = sdk
        self._resource = Resource({"service.name": "relayna"})
        self._endpoint = endpoint
        self._exporter = OTLPSpanExporter(
            endpoint=endpoint, headers=dict(headers or {}), timeout=timeout_seconds
        )

    def export(self, spans: Iterable[ToldSpan], session_id: str) -> int:
        """Send a session's spans and say how many. Waits: call it from a thread. Raises `ExportFailed`.

        Spans before 1970 or after 2554 are left out: the protocol has no such times.
        """
        waiting, sent = (told for told in spans if _has_times(told.body)), 0
        while some := list(islice(waiting, _AT_ONCE)):
            result = self._exporter.export([self._readable(told, session_id) for told in some])
            if result.name != "SUCCESS":
                raise ExportFailed(self._endpoint, sent)
            sent += len(some)
        return sent

    def close(self) -> None:
        """Give its connections back."""
        self._exporter.shutdown()  # type: ignore[no-untyped-call]

    def _readable(self, told: ToldSpan, session_id: str) -> ReadableSpan:
        body = told.body
        trace_id = body.trace_id or analysis_trace_id(session_id)
        own_id = body.span_id or derived_span_id(f"{told.task_id}.{body.name}", body.started_at)
        attributes = span_json(told, session_id)["attributes"]
        return self._sdk.ReadableSpan(
            name=body.name,
            context=self._context(trace_id, own_id),
            parent=None if body.parent_span_id is None else self._context(trace_id, body.parent_span_id),
            resource=self._resource,
            attributes={name: _attribute(value) for name, value in attributes.items()},
            links=self._links(body.linked_to),
            kind=self._trace.SpanKind.INTERNAL,
            start_time=body.started_at * 1_000,
            end_time=body.ended_at * 1_000,
        )

    def _links(self, traceparent: str | None) -> Sequence[Any]:  # Any: OpenTelemetry's links
        parts = traceparent_parts(traceparent)
        return [] if parts is None else [self._trace.Link(self._context(*parts))]

    def _context(self, trace_id: str, span_id: str) -> Any:  # Any: OpenTelemetry's context of a span
        return self._trace.SpanContext(
            int(trace_id, 16), int(span_id, 16), is_remote=False, trace_flags=self._trace.TraceFlags(1)
        )


def _has_times(span: SpanEnded) -> bool:
    return span.started_at >= 0 and span.ended_at <= _LATEST


def _attribute(value: object) -> Any:  # Any: what OpenTelemetry takes as an attribute
    """The value, as text where OpenTelemetry knows no such values."""
    if _is_simple(value):
        return value
    if isinstance(value, list) and len({type(one) for one in value}) == 1 and all(map(_is_simple, value)):
        return value
    return str(value)


def _is_simple(value: object) -> bool:
    return isinstance(value, _SIMPLE) and not (isinstance(value, int) and abs(value) > _LARGEST)
