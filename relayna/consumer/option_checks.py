"""What users hand in, checked at once: a mistake is told where it was made.

Owns the words.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable

from relayna.consumer.retry_policy import RetryPolicy
from relayna.errors import InvalidQuery, InvalidSetting

__all__ = ["check_handler", "check_numbers", "check_retry_policy", "check_status"]


def check_handler(handler: object) -> None:
    """It must be callable with a message and a context. Raises `InvalidSetting`."""
    if not callable(handler):
        raise InvalidSetting(
            "handler", "argument", f"{handler!r} cannot be called; give a function of (task, context)"
        )
    if not _takes_two(handler):
        name = getattr(handler, "__name__", repr(handler))
        raise InvalidSetting(
            "handler", "argument", f"{name} does not take two arguments; it is called with (task, context)"
        )


def check_retry_policy(policy: object) -> None:
    """It must be a `RetryPolicy`, or nothing. Raises `InvalidSetting`."""
    if policy is not None and not isinstance(policy, RetryPolicy):
        raise InvalidSetting(
            "retry_policy", "argument", f"{policy!r} is no RetryPolicy; write RetryPolicy(max_retries=…)"
        )


def check_numbers(prefetch: int, queues: int, drain_seconds: float, handler_timeout: float | None) -> None:
    """They must make sense together. Raises `InvalidSetting`."""
    for name, holds, problem in (
        ("prefetch", prefetch >= 1, f"{prefetch} must be at least 1"),
        ("queues", queues > 0, "there is none to take from"),
        ("drain_seconds", drain_seconds >= 0, f"{drain_seconds} must be at least 0"),
        (
            "handler_timeout",
            handler_timeout is None or handler_timeout > 0,
            f"{handler_timeout} must be more than 0 seconds, or None for no limit",
        ),
    ):
        if not holds:
            raise InvalidSetting(name, "argument", problem)


def check_status(status: object) -> None:
    """It must be text that says something. Raises `InvalidQuery`."""
    if not isinstance(status, str):
        raise InvalidQuery("status", f"it is of type {type(status).__name__}; a status is text")
    if not status:
        raise InvalidQuery("status", "it is empty; name the status")


def _takes_two(handler: Callable[..., object]) -> bool:
    try:
        inspect.signature(handler).bind(None, None)
    except TypeError:
        return False
    except ValueError:
        return True  # written in C, and silent about its arguments
    return True
