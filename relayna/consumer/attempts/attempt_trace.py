"""What one attempt tells of where its time went: spans, marks and outputs, numbered from any thread.

Owns span ids, nesting, and that the attempt's own span `task` is told last. Never waits, takes no lock and never
raises for the recorder's sake. What handlers call is in `trace_context.py`.
"""

from __future__ import annotations

import contextlib
import itertools
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Literal, Self, TypeAlias

from msgspec.structs import replace

from relayna.clock import Clock
from relayna.consumer.attempts.attempt_observer import AttemptObserver
from relayna.events import OutputRecorded, SpanEnded
from relayna.ids import EventId, attempt_event_id, counted_event_id
from relayna.instants import Instant
from relayna.projections.trace.names import derived_span_id, traceparent_parts
from relayna.projections.trace.spans import DUMP, TASK

__all__ = ["AttemptTrace", "OpenSpan", "PhaseType"]

PhaseType: TypeAlias = Literal["compute", "network"]

_current: ContextVar[OpenSpan | None] = ContextVar("relayna_open_span", default=None)
"""The innermost open span of whatever runs here: contexts flow into tasks, and into threads of `to_thread`."""


class AttemptTrace:
    """One attempt's spans. Made when the handler first asks for one."""

    def __init__(
        self, observer: AttemptObserver, clock: Clock, *, data_id: str, traceparent: str | None
    ) -> None:
        self.data_id = data_id
        self._observer = observer
        self._clock = clock
        self._linked_to = traceparent if traceparent_parts(traceparent) else None
        self._began = observer.opened_at or clock.now()
        self._root_id = derived_span_id(observer.attempt_id, 0)
        self._numbers = itertools.count(1)  # one step of it is atomic: no two threads get the same
        self._dumps: dict[str, SpanEnded] = {}
        self._is_over = False

    def open(self, span: OpenSpan) -> None:
        """It begins: inside of whatever span of this attempt is open here, else of the attempt's own."""
        around = _current.get()
        is_mine = around is not None and around.trace is self
        span.parent_span_id = around.span_id if around is not None and is_mine else self._root_id
        span.span_id = derived_span_id(self._observer.attempt_id, next(self._numbers))
        span.started_at = self._clock.now()

    def end(self, span: OpenSpan) -> None:
        """It is over. A dump is told a little later: how large it was may be said when its output is recorded."""
        told = self._span(
            span.name,
            span.started_at,
            self._clock.now(),
            type=span.type,
            data_id=span.data_id,
            span_id=span.span_id,
            parent_span_id=span.parent_span_id,
            batch_id=span.batch_id,
            payload_bytes=span.payload_bytes,
        )
        if span.name != DUMP:
            self._record(told)
            return
        before = self._dumps.pop(span.data_id, None)
        self._dumps[span.data_id] = told
        if before is not None:
            self._record(before)
        if self._is_over:  # looked at last: a thread may outlive its handler
            self._tell_dumps()

    def mark(self, name: str, *, data_id: str, batch_id: str | None) -> None:
        """A moment, without a length."""
        now = self._clock.now()
        number = next(self._numbers)
        self._record(
            self._span(
                name,
                now,
                now,
                type="marker",
                data_id=data_id,
                span_id=derived_span_id(self._observer.attempt_id, number),
                parent_span_id=self._root_id,
                batch_id=batch_id,
                payload_bytes=None,
            ),
            number,
        )

    def output(self, output: OutputRecorded) -> None:
        """An output is there. Its size is its dump's too: of the one that is open here, or that ended last."""
        size, around = output.payload_bytes, _current.get()
        dump = self._dumps.pop(output.data_id, None)
        is_open = around is not None and around.trace is self and around.name == DUMP
        if size is not None and around is not None and is_open and around.payload_bytes is None:
            around.payload_bytes = size
        elif size is not None and dump is not None and dump.payload_bytes is None:
            dump = replace(dump, payload_bytes=size)
        if dump is not None:
            self._record(dump)
        event_id = counted_event_id(self._observer.attempt_id, "output", next(self._numbers))
        self._say(output, event_id)

    def finish(self) -> None:
        """The attempt is about to be closed: what is held back is told, and the span of all of it."""
        if self._is_over:
            return
        self._is_over = True
        self._tell_dumps()
        root = self._span(
            TASK,
            self._began,
            self._clock.now(),
            type="compute",
            data_id=self.data_id,
            span_id=self._root_id,
            parent_span_id=None,
            batch_id=None,
            payload_bytes=None,
        )
        self._record(root, 0)

    def _tell_dumps(self) -> None:
        """What is held back; each once, whoever takes it."""
        for data_id in list(self._dumps):
            dump = self._dumps.pop(data_id, None)
            if dump is not None:
                self._record(dump)

    def _span(
        self,
        name: str,
        started_at: Instant,
        ended_at: Instant,
        *,
        type: str,  # noqa: A002 - the event's own word
        data_id: str,
        span_id: str,
        parent_span_id: str | None,
        batch_id: str | None,
        payload_bytes: int | None,
    ) -> SpanEnded:
        return SpanEnded(
            name=name,
            started_at=started_at,
            ended_at=max(started_at, ended_at),  # clocks are put back now and then
            type=type,
            data_id=data_id,
            span_id=span_id,
            parent_span_id=parent_span_id,
            batch_id=batch_id,
            payload_bytes=payload_bytes,
            linked_to=self._linked_to,
        )

    def _record(self, span: SpanEnded, number: int | None = None) -> None:
        number = next(self._numbers) if number is None else number
        self._say(span, counted_event_id(self._observer.attempt_id, "span", number))

    def _say(self, body: SpanEnded | OutputRecorded, event_id: EventId) -> None:
        self._observer.record_beside(
            body, event_id=event_id, cause=attempt_event_id(self._observer.attempt_id, 0)
        )


class OpenSpan:
    """A phase of an attempt, as a context manager to be entered once. It ends also when something is raised in it."""

    def __init__(
        self,
        trace: AttemptTrace,
        name: str,
        *,
        type: PhaseType,  # noqa: A002 - the event's own word
        data_id: str,
        batch_id: str | None,
        payload_bytes: int | None,
    ) -> None:
        self.trace = trace
        self.name = name
        self.type = type
        self.data_id = data_id
        self.batch_id = batch_id
        self.payload_bytes = payload_bytes
        """Bytes that it moves; may be set while it is open, when they are known."""
        self.span_id = ""
        self.parent_span_id: str | None = None
        self.started_at = Instant(0)
        self._outer: Token[OpenSpan | None] | None = None

    def __enter__(self) -> Self:
        """It begins now."""
        self.trace.open(self)
        self._outer = _current.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """It ends now."""
        if self._outer is not None:
            with contextlib.suppress(ValueError):  # it was entered in another context, which is over
                _current.reset(self._outer)
        self.trace.end(self)
