"""What users hand in, checked at once: a mistake is told where it was made.

Owns the words.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from types import UnionType

from relayna.consumer.retry_policy import RetryPolicy
from relayna.consumer.service import Service
from relayna.consumer.task_request import TaskRequest
from relayna.errors import InvalidQuery, InvalidSetting

__all__ = [
    "check_handler",
    "check_numbers",
    "check_retry_policy",
    "check_seconds",
    "check_services",
    "check_sink",
    "check_status",
    "checked_tasks",
]


def check_handler(handler: object) -> None:
    """It must be callable with a message and a context. Raises `InvalidSetting`."""
    if inspect.iscoroutine(handler):
        handler.close()  # or Python warns, on top of this, that nobody awaited it
        name = handler.__name__
        raise InvalidSetting("handler", "argument", f"{name}() has been called; give {name} itself")
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
    """They must be numbers and make sense together. Raises `InvalidSetting`."""
    _check_number("prefetch", prefetch, int)
    _check_number("drain_seconds", drain_seconds, int | float)
    if handler_timeout is not None:
        _check_number("handler_timeout", handler_timeout, int | float)
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


def check_seconds(name: str, seconds: float | None, *, instead: str) -> None:
    """It must be a number above 0, or nothing, which `instead` explains. Raises `InvalidSetting`."""
    if seconds is None:
        return
    _check_number(name, seconds, int | float)
    if not seconds > 0:
        raise InvalidSetting(name, "argument", f"{seconds} must be more than 0 seconds, or {instead}")


def check_services(services: Iterable[object]) -> None:
    """Each must be something that runs: a consumer, a hub. Raises `InvalidSetting`."""
    for one in services:
        if inspect.isroutine(one):
            name = getattr(one, "__name__", repr(one))
            problem = f"{name} is a function; give what it makes: {name}(…)"
            raise InvalidSetting("consumers", "argument", problem)
        if not isinstance(one, Service):
            raise InvalidSetting("consumers", "argument", f"{one!r} is no consumer")


def check_sink(sink: object) -> None:
    """It must be an `ObservationSink`, or nothing. Raises `InvalidSetting`."""
    if sink is not None and not callable(getattr(sink, "record", None)):
        raise InvalidSetting(
            "observation_sink",
            "argument",
            f"a {type(sink).__name__} records nothing; pass make_redis_observation_sink(store) or a Recorder",
        )


def checked_tasks(tasks: Iterable[object]) -> tuple[TaskRequest, ...]:
    """Each must be a `TaskRequest`. Raises `InvalidQuery`."""
    checked: list[TaskRequest] = []
    for position, task in enumerate(tasks):
        if not isinstance(task, TaskRequest):
            kind = type(task).__name__
            problem = f"position {position} holds a {kind}; give TaskRequest(task_id=…, payload=…)"
            raise InvalidQuery("tasks", problem)
        checked.append(task)
    return tuple(checked)


def check_status(status: object) -> None:
    """It must be text that says something. Raises `InvalidQuery`."""
    if not isinstance(status, str):
        raise InvalidQuery("status", f"it is of type {type(status).__name__}; a status is text")
    if not status:
        raise InvalidQuery("status", "it is empty; name the status")


def _check_number(name: str, value: object, kind: type[int] | UnionType) -> None:
    if isinstance(value, bool) or not isinstance(value, kind):
        wanted = "whole number" if kind is int else "number"
        raise InvalidSetting(name, "argument", f"{value!r} is no {wanted}")


def _takes_two(handler: Callable[..., object]) -> bool:
    try:
        inspect.signature(handler).bind(None, None)
    except TypeError:
        return False
    except ValueError:
        return True  # written in C, and silent about its arguments
    return True
