"""What a handler can say of where its time goes and what comes of it: spans, marks and outputs.

Owns the words. They work in the handler's task and in any thread, never wait, and cost a handler that says none
of them nothing. How they are recorded is in `attempt_trace.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from relayna.consumer.attempts.attempt_observer import AttemptObserver
from relayna.consumer.attempts.attempt_trace import AttemptTrace, OpenSpan, PhaseType
from relayna.consumer.client import RelaynaClient
from relayna.consumer.messages.incoming import Incoming
from relayna.errors import InvalidQuery
from relayna.events import OutputRecorded
from relayna.projections.trace.names import QUEUING

__all__ = ["TraceContext"]


class TraceContext:
    """The part of a `Context` that tells of spans and outputs."""

    _client: RelaynaClient
    _incoming: Incoming[Any]  # Any: whichever envelope
    _observer: AttemptObserver
    _trace: AttemptTrace | None = None

    def span(
        self,
        name: str,
        type: PhaseType = "compute",  # noqa: A002 - the event's own word
        *,
        data_id: str | None = None,
        batch_id: str | None = None,
        payload_bytes: int | None = None,
    ) -> OpenSpan:
        """A phase of the work: `with context.span("resize"):`. It ends, and is recorded, also when it raises.

        `type` is `compute` or `network`; the span at whose end others can read the output is called
        `dump to storage`. It is of the task's own data and done for it alone, unless `data_id` or `batch_id` say
        otherwise; with `batch_id=""` it is done for nobody, and no total counts it. Spans nest in the handler's
        task, in tasks and in threads that inherit its context, and else are directly in the attempt. Raises
        `InvalidQuery` for a type that is none of the two.
        """
        if type not in ("compute", "network"):
            raise InvalidQuery(
                "type", f"{str(type)[:40]!r} is neither 'compute' nor 'network'; for a moment, mark"
            )
        trace = self._traced()
        of = data_id or trace.data_id
        return OpenSpan(
            trace,
            name,
            type=type,
            data_id=of,
            batch_id=of if batch_id is None else batch_id or None,
            payload_bytes=payload_bytes,
        )

    def mark(self, name: str, *, data_id: str | None = None, batch_id: str | None = None) -> None:
        """A moment worth knowing, of no length."""
        trace = self._traced()
        trace.mark(name, data_id=data_id or trace.data_id, batch_id=batch_id)

    def merged(self, children: Iterable[str]) -> str:
        """This attempt handles the data of these as well, in one batch; the batch's id, which is its own data's.

        Each of them gets a mark `queuing for execution` that names the batch, so that the spans which they share
        here count on their path too. Where one of them goes on by itself, `batch_id` of its own spans is this id.
        Raises `InvalidQuery` for children that are one text.
        """
        if isinstance(children, str):
            raise InvalidQuery("children", f"{children[:40]!r} is text; give a list of ids")
        trace = self._traced()
        for child in dict.fromkeys(children):
            trace.mark(QUEUING, data_id=child, batch_id=trace.data_id)
        return trace.data_id

    def record_output(
        self,
        data_id: str | None = None,
        *,
        sources: Iterable[str] = (),
        asset_guid: str | None = None,
        version: int = 1,
        user_id: str | None = None,
        payload_bytes: int | None = None,
    ) -> None:
        """Data that others can read is there: by default the task's own, named by its id.

        `sources` are the data that it was made from. It is a `version` of the asset `asset_guid`, or an asset by
        itself, of `user_id`, or of whom the message's `meta` names so. `payload_bytes` is also told on the span
        `dump to storage` that is open, or ended last. Raises `InvalidQuery` for a version below 1, and for sources
        that are one text.
        """
        if isinstance(sources, str):
            raise InvalidQuery("sources", f"{sources[:40]!r} is text; give a list of ids")
        if version < 1:
            raise InvalidQuery("version", f"{version} is less than 1")
        trace = self._traced()
        trace.output(
            OutputRecorded(
                data_id=data_id or trace.data_id,
                sources=tuple(dict.fromkeys(sources)),
                asset_guid=asset_guid,
                version=version,
                user_id=user_id or self._owner(),
                payload_bytes=payload_bytes,
            )
        )

    def finish_trace(self) -> None:
        """The consumer is about to close the attempt."""
        if self._trace is not None:
            self._trace.finish()

    def _traced(self) -> AttemptTrace:
        trace = self._trace
        if trace is None:
            made = AttemptTrace(
                self._observer,
                self._client.clock,
                data_id=self._incoming.task_id,
                traceparent=self._traceparent(),
            )
            # One step, also when two threads come at once: the first one's is everybody's.
            trace = self.__dict__.setdefault("_trace", made)
        return trace

    def _traceparent(self) -> str | None:
        told = self._incoming.delivery.message.headers.get("traceparent")
        if isinstance(told, bytes):
            return told.decode(errors="replace")
        return told if isinstance(told, str) else None

    def _owner(self) -> str | None:
        told = getattr(self._incoming.envelope, "meta", {}).get("user_id")
        return told if isinstance(told, str) and told else None
