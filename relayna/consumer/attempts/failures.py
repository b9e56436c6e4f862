"""What a raised exception says: its name and text, and whether trying again can help.

Owns the reading of exceptions, which are the user's own and may do anything when they are asked.
"""

from __future__ import annotations

from collections.abc import Sequence

from relayna.consumer.attempts.outcome import Failed

__all__ = ["failure_of"]


def failure_of(error: BaseException, non_retryable: Sequence[type[BaseException]] = ()) -> Failed:
    """The exception as a result. A group that holds one exception is that one; never raises.

    >>> failure_of(ExceptionGroup("unhandled", [KeyError("total")]))
    Failed(exception_type='KeyError', exception_message="'total'", retryable=True)
    """
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return Failed(
        exception_type=type(error).__name__,
        exception_message=_text(error),
        retryable=not _holds(error, tuple(non_retryable)),
    )


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - the text is the user's own code
        return f"<the text of this {type(error).__name__} cannot be had>"


def _holds(error: BaseException, types: tuple[type[BaseException], ...]) -> bool:
    """Whether it is one of these, or a group with one of them in it: a retry would meet it again."""
    if isinstance(error, BaseExceptionGroup):
        return any(_holds(inner, types) for inner in error.exceptions)
    return isinstance(error, types)
