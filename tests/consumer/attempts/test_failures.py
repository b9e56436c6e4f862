"""What is read of an exception, however it behaves."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

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


def told(error: BaseException) -> Failed:
    """All but the traceback."""
    return replace(failure_of(error), traceback=None)


def test_name_and_text() -> None:
    assert told(ValueError("no")) == Failed(exception_type="ValueError", exception_message="no")


def test_where_it_came_from() -> None:
    def handler() -> None:
        raise KeyError("width")

    try:
        handler()
    except KeyError as error:
        traceback = failure_of(error).traceback
    assert traceback is not None
    assert "in handler" in traceback
    assert "in test_where_it_came_from" not in traceback  # whoever called it is no news
    assert traceback.endswith("KeyError: 'width'")


def test_of_a_long_traceback_the_end_is_kept() -> None:
    traceback = failure_of(ValueError("x" * 20_000 + "the end")).traceback
    assert traceback is not None
    assert len(traceback) == 8_000
    assert traceback.endswith("the end")


@pytest.mark.parametrize("error", [Mute(), Odd()])
def test_an_exception_that_cannot_be_printed_is_still_told(error: Exception) -> None:
    name = type(error).__name__
    assert told(error) == Failed(
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
