"""The own ids of facts, whichever stream tells them."""

from __future__ import annotations

import pytest

from relayna.events import Envelope
from relayna.projections.fact_ids import attempt_named_by, cause_of, fact_id, is_copy


def envelope(event_id: str, cause: str | None = None, task_id: str = "C") -> Envelope:
    return Envelope(event_id=event_id, timestamp=0, task_id=task_id, cause=cause)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("event_id", "own", "copied"),
    [
        ("a.1", "a.1", False),
        ("a.1@C", "a.1", True),
        ("user@host", "user@host", False),
        ("x@y@C", "x@y", True),
    ],
)
def test_only_the_suffix_of_the_stream_names_a_copy(event_id: str, own: str, copied: bool) -> None:
    assert fact_id(envelope(event_id)) == own
    assert is_copy(envelope(event_id)) is copied
    assert cause_of(envelope("b.0", cause=event_id)) == own


def test_a_task_whose_name_holds_the_sign() -> None:
    assert fact_id(envelope("a.1@me@home", task_id="me@home")) == "a.1"


def test_a_fact_without_a_cause() -> None:
    assert cause_of(envelope("a.1")) is None


def test_the_attempt_in_an_event_id() -> None:
    assert attempt_named_by("00ff.12") == "00ff"  # type: ignore[arg-type]
    assert attempt_named_by("nothing") == ""  # type: ignore[arg-type]
