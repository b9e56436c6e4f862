"""The consumers' workbench with a tracer: a real OpenTelemetry SDK that keeps its spans in memory."""

from __future__ import annotations

from consumer.bench import SHARED, Bench
from consumer.faults import NotingBroker
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanContext, Tracer

from relayna.clock import FrozenClock
from relayna.consumer import RelaynaClient
from relayna.observability import OpenTelemetrySpans
from relayna.signals import Spans
from relayna.topologies import Topology

__all__ = ["Traces", "TracedBench", "context_of", "traceparent_of"]


class Traces:
    """An SDK of the test's own; OpenTelemetry's global provider stays unset."""

    def __init__(self) -> None:
        self.provider = TracerProvider(shutdown_on_exit=False)
        self._exporter = InMemorySpanExporter()
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))

    @property
    def tracer(self) -> Tracer:
        """For the user's own spans."""
        return self.provider.get_tracer("the user's own")

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        """In the order in which they ended."""
        return self._exporter.get_finished_spans()

    def named(self, name: str) -> list[ReadableSpan]:
        """Those of one name."""
        return [span for span in self.spans if span.name == name]

    def children_of(self, span: ReadableSpan) -> list[str]:
        """The names of its children, in the order in which they ended."""
        own = context_of(span)
        return [
            one.name
            for one in self.spans
            if one.parent is not None
            and (one.parent.trace_id, one.parent.span_id) == (own.trace_id, own.span_id)
        ]


class TracedBench(Bench):
    """A bench whose client makes spans; by default they end in `traces`."""

    def __init__(self, topology: Topology = SHARED, *, spans: Spans | None = None) -> None:
        self.traces = Traces()
        self._spans = OpenTelemetrySpans(self.traces.provider) if spans is None else spans
        super().__init__(topology, broker=self._noting)

    def _noting(self, clock: FrozenClock) -> NotingBroker:
        self.noting = NotingBroker(clock=clock)
        return self.noting

    def client_of(self, topology: Topology) -> RelaynaClient:
        return RelaynaClient(
            topology=topology,
            broker=self.broker,
            observation_sink=self.sink,
            clock=self.workers_clock,
            mint=self.mint,
            counters=self.counters,
            spans=self._spans,
        )


def context_of(span: ReadableSpan) -> SpanContext:
    """Which span it is."""
    context = span.get_span_context()
    assert context is not None
    return context


def traceparent_of(span: ReadableSpan) -> str:
    """How a message says that this span made it."""
    context = context_of(span)
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
