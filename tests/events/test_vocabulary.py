"""The vocabulary as a whole: registered once, frozen, without methods, and clear about what ends an attempt."""

from __future__ import annotations

import inspect
from typing import get_args

import msgspec
import pytest
from events.event_strategies import EVENT_CLASSES
from msgspec import Struct

from relayna.events import Opaque, closes_attempt, type_name
from relayna.events.vocabulary import (
    CLOSING_TYPES,
    CURRENT_VERSIONS,
    DEAD_LETTER_TYPES,
    EVENT_TYPES,
    FAILED_TYPES,
    RECEIVED_TYPES,
    RETRY_TYPES,
    STATUS_TYPES,
    Body,
)

each_type = pytest.mark.parametrize("event_type", EVENT_CLASSES, ids=lambda event_type: event_type.__name__)


def any_of(event_type: type[Struct]) -> Struct:
    """An event with nothing said but what it needs."""
    required = [field.name for field in msgspec.structs.fields(event_type) if field.required]
    return event_type(**dict.fromkeys(required, "x"))


def test_each_type_is_registered_once_and_is_a_body() -> None:
    assert len(set(EVENT_CLASSES)) == len(EVENT_CLASSES) == len(CURRENT_VERSIONS)
    assert set(get_args(Body)) == {*EVENT_CLASSES, Opaque}
    assert {event_type.__name__: version for event_type, version in EVENT_TYPES} == CURRENT_VERSIONS


@each_type
def test_events_are_frozen_arrays_of_named_fields_without_methods(event_type: type[Struct]) -> None:
    config = event_type.__struct_config__
    assert (config.frozen, config.array_like) == (True, True)
    own = [name for name, value in vars(event_type).items() if inspect.isfunction(value)]
    assert own == []
    with pytest.raises(TypeError):
        event_type("positional")


@each_type
def test_events_are_named_in_the_past_tense_and_say_what_they_mean(event_type: type[Struct]) -> None:
    assert event_type.__name__.endswith(("ed", "Lost"))
    assert (event_type.__doc__ or "").endswith(".")


@each_type
def test_fields_that_came_later_would_be_optional(event_type: type[Struct]) -> None:
    required = [field.required for field in msgspec.structs.fields(event_type)]
    assert required == sorted(required, reverse=True)


@each_type
def test_an_event_closes_its_attempt_or_it_does_not(event_type: type[Struct]) -> None:
    event = any_of(event_type)
    assert closes_attempt(event) is (event_type in CLOSING_TYPES)  # type: ignore[arg-type]
    assert type_name(event) == event_type.__name__  # type: ignore[arg-type]


def test_these_and_no_others_close_an_attempt() -> None:
    assert {event_type.__name__ for event_type in CLOSING_TYPES} == {
        "TaskMessageAcked",
        "TaskMessageRejected",
        "WorkflowStageAcked",
        "AggregationMessageAcked",
        "ConsumerRetryScheduled",
        "AggregationRetryScheduled",
        "ConsumerDeadLetterPublished",
        "AggregationDeadLetterPublished",
    }


def test_groups_hold_registered_types_and_do_not_overlap() -> None:
    groups = [RECEIVED_TYPES, FAILED_TYPES, CLOSING_TYPES, STATUS_TYPES]
    members = [event_type for group in groups for event_type in group]
    assert len(set(members)) == len(members)
    assert set(members) <= set(EVENT_CLASSES)
    assert {*RETRY_TYPES, *DEAD_LETTER_TYPES} < set(CLOSING_TYPES)


def test_an_opaque_record_closes_nothing() -> None:
    assert not closes_attempt(Opaque(reason="corrupt"))
