"""Spans that harm no message: what a tracer raises is counted, and the work goes on without it.

Owns that guard, for every implementation of `Spans`. Makes no spans.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from types import TracebackType
from typing import Any, Final, Generic, TypeVar

from relayna.signals import AttemptDetails, AttemptSpan, Counters, IgnoredAttemptSpan, SendDetails, Spans

__all__ = ["GuardedSpans"]

_log: Final = logging.getLogger("relayna.consumer")
_Entered = TypeVar("_Entered")


class GuardedSpans:
    """The same spans; `relayna_spans_failed_total` counts what they raise, and the first of it is logged."""

    def __init__(self, spans: Spans, counters: Counters) -> None:
        self._spans = spans
        self._counters = counters
        self._has_failed = False

    def sending(
        self, details: SendDetails
    ) -> AbstractContextManager[Mapping[str, Any]]:  # Any: AMQP header values
        """Without the tracer's help, the headers as they are."""
        return _Guarded(partial(self._spans.sending, details), details.headers, self._note_failure)

    @contextmanager
    def processing(self, details: AttemptDetails) -> Iterator[AttemptSpan]:
        """Without the tracer's help, a span that keeps nothing."""
        opened = _Guarded[AttemptSpan](
            partial(self._spans.processing, details), IgnoredAttemptSpan(), self._note_failure
        )
        with opened as span:
            yield _GuardedAttemptSpan(span, self._note_failure)

    def _note_failure(self, error: Exception) -> None:
        self._counters.increment("relayna_spans_failed_total")
        if not self._has_failed:
            self._has_failed = True
            _log.warning("A span failed; further ones that do are only counted", exc_info=error)


class _Guarded(AbstractContextManager[_Entered], Generic[_Entered]):
    """Another context manager that may fail at either end; what is raised inside passes through."""

    def __init__(
        self,
        open_: Callable[[], AbstractContextManager[_Entered]],
        otherwise: _Entered,
        note_failure: Callable[[Exception], None],
    ) -> None:
        self._open = open_
        self._otherwise = otherwise
        self._note_failure = note_failure
        self._opened: AbstractContextManager[_Entered] | None = None

    def __enter__(self) -> _Entered:
        try:
            opened = self._open()
            entered = opened.__enter__()
        except Exception as failure:  # noqa: BLE001 - whatever a tracer raises is counted, and harms nobody
            self._note_failure(failure)
            return self._otherwise
        self._opened = opened
        return entered

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._opened is None:
            return
        try:
            self._opened.__exit__(kind, error, traceback)
        except Exception as failure:  # noqa: BLE001 - as above
            if failure is not error:
                self._note_failure(failure)


class _GuardedAttemptSpan:
    """A span that may be told anything."""

    def __init__(self, span: AttemptSpan, note_failure: Callable[[Exception], None]) -> None:
        self._span = span
        self._note_failure = note_failure

    def raised(self, error: BaseException) -> None:
        self._tell(partial(self._span.raised, error))

    def failed(self, error_type: str, message: str) -> None:
        self._tell(partial(self._span.failed, error_type, message))

    def ended(self, outcome: str) -> None:
        self._tell(partial(self._span.ended, outcome))

    def _tell(self, tell: Callable[[], None]) -> None:
        try:
            tell()
        except Exception as failure:  # noqa: BLE001 - as above
            self._note_failure(failure)
