"""Spans by OpenTelemetry: one a publish, one an attempt, linked by `traceparent`.

Owns the making of spans and the reading and writing of `traceparent`; what spans are called and say is in
`span_attributes.py`. Needs `opentelemetry-api`, the extra `relayna[otel]`, which is imported only here and only
when spans are asked for; the SDK and its exporters are the user's own choice. Without an SDK nothing is
recorded, and nothing is written into messages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from relayna.consumer.attempts.failures import failure_of
from relayna.errors import ConfigurationError
from relayna.events import DEFAULT_REDACTION, Redact
from relayna.events.sanitise import storable_text
from relayna.observability.span_attributes import (
    attempt_attributes,
    attempt_span_name,
    failure_attributes,
    outcome_attributes,
    send_attributes,
    send_span_name,
)
from relayna.signals import AttemptDetails, AttemptSpan, SendDetails

if TYPE_CHECKING:
    from opentelemetry.trace import Link, Span, TracerProvider

__all__ = ["OpenTelemetrySpans"]

_TRACEPARENT: Final = "traceparent"
_TRACESTATE: Final = "tracestate"
_TRACE_HEADERS: Final = (_TRACEPARENT, _TRACESTATE)


class OpenTelemetrySpans:
    """Give it to a `RelaynaClient`, and its publishes and its consumers' attempts become spans.

    `send {destination}` (PRODUCER) is a child of whatever span is current. `process {queue}` (CONSUMER) is the
    root of a trace of its own, from receipt to settlement, and the current span meanwhile: the handler's own
    spans and its publishes are its children, also from threads. Both link to the creation context, which is
    the message's `traceparent`. That is written once, by the first publish of a message that has none, and
    then carried over by copies, retries, replays and children; one that cannot be read is left as it is.

    It is always W3C Trace Context, whatever propagators are configured: a message may outlive the
    configuration of whoever published it.
    """

    def __init__(
        self, tracer_provider: TracerProvider | None = None, *, redact: Redact | None = DEFAULT_REDACTION
    ) -> None:
        """Without a provider, OpenTelemetry's global one. `redact` hides secrets in what exceptions say.

        Raises `ConfigurationError` without the extra.
        """
        try:
            from opentelemetry import trace
            from opentelemetry.context import Context
            from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
        except ImportError:
            raise ConfigurationError(
                "Spans need `opentelemetry-api`. Install relayna with its extra `otel`."
            ) from None
        self._trace = trace
        self._redact = redact
        self._no_context = Context()
        self._propagator = TraceContextTextMapPropagator()
        self._tracer = trace.get_tracer("relayna", tracer_provider=tracer_provider)

    @contextmanager
    def sending(self, details: SendDetails) -> Iterator[Mapping[str, Any]]:  # Any: AMQP header values
        """A span around a publish; it fails with what is raised inside. Yields the headers to publish."""
        attributes = send_attributes(details)
        # Never the current span: a driver may start tasks meanwhile that live longer than the publish.
        span = self._tracer.start_span(
            send_span_name(attributes),
            kind=self._trace.SpanKind.PRODUCER,
            attributes=attributes,
            links=self._creation_links(details.headers),
        )
        try:
            yield self._with_traceparent(details.headers, span)
        except BaseException as error:
            failure = failure_of(error, redact=self._redact)
            self._fail(span, failure.exception_type, failure.exception_message)
            raise
        finally:
            span.end()

    @contextmanager
    def processing(self, details: AttemptDetails) -> Iterator[AttemptSpan]:
        """A span around an attempt, current while it lasts. Yields what the attempt is told to."""
        span = self._tracer.start_span(
            attempt_span_name(details),
            # No parent: a span that is current where consumers are started would hold all they ever do.
            context=self._no_context,
            kind=self._trace.SpanKind.CONSUMER,
            attributes=attempt_attributes(details),
            links=self._creation_links(details.headers),
        )
        attempt = _OpenAttempt(span, self._fail, self._redact)
        with self._trace.use_span(
            span, end_on_exit=True, record_exception=False, set_status_on_exception=False
        ):
            try:
                yield attempt
            except BaseException as error:
                if not attempt.has_ended:
                    failure = failure_of(error, redact=self._redact)
                    attempt.failed(failure.exception_type, failure.exception_message)
                raise

    def _fail(self, span: Span, error_type: str, message: str) -> None:
        span.set_attributes(failure_attributes(error_type))
        span.set_status(self._trace.Status(self._trace.StatusCode.ERROR, storable_text(message)))

    def _creation_links(self, headers: Mapping[str, Any]) -> list[Link]:  # Any: AMQP header values
        """To the context in which the message was made; none when it carries none that can be read."""
        told = {name: _text(headers[name]) for name in _TRACE_HEADERS if name in headers}
        read = self._propagator.extract(told, context=self._no_context)
        creation = self._trace.get_current_span(read).get_span_context()
        return [self._trace.Link(creation)] if creation.is_valid else []

    def _with_traceparent(
        self,
        headers: Mapping[str, Any],  # Any: AMQP header values
        span: Span,
    ) -> Mapping[str, Any]:  # Any: AMQP header values
        if _TRACEPARENT in headers:
            return headers
        written: dict[str, str] = {}
        self._propagator.inject(written, context=self._trace.set_span_in_context(span, self._no_context))
        if not written:
            return headers  # no SDK: there is no such span
        # A `tracestate` that came without its `traceparent` belongs to another trace.
        return {**{name: value for name, value in headers.items() if name != _TRACESTATE}, **written}


class _OpenAttempt:
    """The span of an attempt that is told what happens."""

    def __init__(self, span: Span, fail: Callable[[Span, str, str], None], redact: Redact | None) -> None:
        self.has_ended = False
        self._span = span
        self._fail = fail
        self._redact = redact

    def raised(self, error: BaseException) -> None:
        failure = failure_of(error, redact=self._redact)
        said = {
            "exception.message": storable_text(failure.exception_message),
            "exception.stacktrace": storable_text(failure.traceback or ""),
        }
        self._span.record_exception(error, attributes=said)

    def failed(self, error_type: str, message: str) -> None:
        self._fail(self._span, error_type, message)

    def ended(self, outcome: str) -> None:
        self.has_ended = True
        self._span.set_attributes(outcome_attributes(outcome))


def _text(value: object) -> str:
    """A header's value as text; AMQP carries any type, and drivers hand out bytes that are not UTF-8."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return value if isinstance(value, str) else ""
