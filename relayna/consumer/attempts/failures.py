"""What a raised exception says: its name and text, and whether trying again can help.

Owns the reading of exceptions, which are the user's own and may do anything when they are asked.
"""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from typing import Final

from relayna.consumer.attempts.outcome import Failed
from relayna.events import DEFAULT_REDACTION, Redact
from relayna.events.redaction import masked_by

__all__ = ["failure_of", "traceback_of"]

_LONGEST_TRACEBACK: Final = 8_000


def failure_of(
    error: BaseException,
    non_retryable: Sequence[type[BaseException]] = (),
    *,
    redact: Redact | None = DEFAULT_REDACTION,
) -> Failed:
    """The exception as a result, its texts without secrets. A group that holds one exception is that one; never raises.

    >>> failed = failure_of(ExceptionGroup("unhandled", [KeyError("total")]))
    >>> failed.exception_type, failed.exception_message, failed.retryable
    ('KeyError', "'total'", True)
    """
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return Failed(
        exception_type=type(error).__name__,
        exception_message=masked_by(redact, _text(error)),
        retryable=not _holds(error, tuple(non_retryable)),
        traceback=masked_by(redact, _traceback(error)),
    )


def traceback_of(error: BaseException, redact: Redact | None) -> str:
    """All that is known of an exception, for a program's log, without secrets; never raises."""
    return failure_of(error, redact=redact).traceback or type(error).__name__


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - the text is the user's own code
        return f"<the text of this {type(error).__name__} cannot be had>"


def _traceback(error: BaseException) -> str:
    """Where it came from, without the frame of ours that called the handler; its end, when it is long."""
    own = error.__traceback__
    beyond = own.tb_next if own is not None and own.tb_next is not None else own
    try:
        lines = traceback.format_exception(type(error), error, beyond)
    except Exception:  # noqa: BLE001 - printing an error runs the user's own code
        return _text(error)
    return "".join(lines).rstrip()[-_LONGEST_TRACEBACK:]


def _holds(error: BaseException, types: tuple[type[BaseException], ...]) -> bool:
    """Whether it is one of these, or a group with one of them in it: a retry would meet it again."""
    if isinstance(error, BaseExceptionGroup):
        return any(_holds(inner, types) for inner in error.exceptions)
    return isinstance(error, types)
