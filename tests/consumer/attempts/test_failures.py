"""What is read of an exception, however it behaves."""

from __future__ import annotations

import asyncio

import pytest

from relayna.consumer.attempts.failures import failure_of
from relayna.consumer.attempts.outcome import Failed


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("even this fails")


class Odd(Exception):
    def __str__(self) -> str:
        return 7  # type: ignore[return-value]  # noqa: PLE0307 - the point


class Temporary(ValueError):
    pass


def test_name_and_text() -> None:
    assert failure_of(ValueError("no")) == Failed(exception_type="ValueError", exception_message="no")


@pytest.mark.parametrize("error", [Mute(), Odd()])
def test_an_exception_that_cannot_be_printed_is_still_told(error: Exception) -> None:
    name = type(error).__name__
    assert failure_of(error) == Failed(
        exception_type=name, exception_message=f"<the text of this {name} cannot be had>"
    )


def test_a_group_around_one_exception_is_that_exception() -> None:
    nested = ExceptionGroup("tasks", [ExceptionGroup("tasks", [KeyError("a")])])
    assert failure_of(nested).exception_type == "KeyError"


def test_a_group_of_several_is_told_as_a_group() -> None:
    told = failure_of(ExceptionGroup("both", [KeyError("a"), ValueError("b")]))
    assert (told.exception_type, told.exception_message) == ("ExceptionGroup", "both (2 sub-exceptions)")


@pytest.mark.parametrize(
    ("error", "retryable"),
    [
        (ValueError(), False),
        (Temporary(), False),
        (KeyError(), True),
        (ExceptionGroup("x", [ValueError()]), False),
        (ExceptionGroup("x", [KeyError(), ExceptionGroup("y", [OSError(), ValueError()])]), False),
        (ExceptionGroup("x", [KeyError(), OSError()]), True),
        (asyncio.CancelledError(), True),
    ],
)
def test_what_a_retry_cannot_mend(error: BaseException, retryable: bool) -> None:
    assert failure_of(error, (ValueError,)).retryable is retryable
    assert failure_of(error).retryable
