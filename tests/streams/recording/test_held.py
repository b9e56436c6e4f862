"""Events as the recorder holds them."""

from __future__ import annotations

from typing import Any

import pytest
from streams.recording_steps import ATTEMPT, sampled

from relayna.events import EVENT_TYPES, Event, encode_event
from relayna.streams.recording.held import SOURCES, VITAL_TYPES, hold, hold_unreadable, storable_task_id


def test_an_event_is_held_as_its_bytes_and_what_its_loss_must_say() -> None:
    event = sampled(7)
    held = hold(event, "shared_status_workflow", None)
    assert held.data == encode_event(event)
    assert (held.task_id, held.attempt_id, held.seq) == ("order", ATTEMPT, 7)
    assert (held.topology_kind, held.event_type) == ("shared_status_workflow", type(event.body))


def test_every_type_has_a_source_and_what_may_be_shed_is_written_down() -> None:
    assert SOURCES.keys() == {event_type for event_type, _ in EVENT_TYPES}
    assert {event_type.__name__ for event_type in SOURCES.keys() - VITAL_TYPES} == {
        "SpanEnded",
        "TaskPublished",
        "TaskMessageReceived",
        "TaskHandlerFailed",
        "TaskResourceSampled",
        "AggregationMessageReceived",
        "AggregationHandlerFailed",
        "WorkflowMessagePublished",
        "WorkflowMessageReceived",
        "WorkflowStageFailed",
    }


@pytest.mark.parametrize(
    ("given", "stored"), [("a", "a"), ("\u00e9", "\u00e9"), ("a\ud800", "a\ufffd"), ("", "")]
)
def test_an_id_is_what_the_codec_stores(given: str, stored: str) -> None:
    assert storable_task_id(given) == stored


@pytest.mark.parametrize("nonsense", [None, 7, b"bytes"])
def test_what_is_no_text_is_no_id(nonsense: Any) -> None:
    with pytest.raises(TypeError, match="where text belongs"):
        storable_task_id(nonsense)


@pytest.mark.parametrize("nonsense", [None, "event", Event(envelope=None, body=None), sampled(0, task_id=7)])  # type: ignore[arg-type]
def test_the_loss_of_what_names_no_task_cannot_be_told(nonsense: Any) -> None:
    assert hold_unreadable(nonsense) is None


def test_the_loss_of_an_unreadable_event_is_that_of_its_attempt() -> None:
    held = hold_unreadable(sampled(7, attempt_id=[]))
    assert held is not None
    assert (held.task_id, held.attempt_id, held.seq, held.data) == ("order", None, 7, b"")
