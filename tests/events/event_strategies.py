"""Hypothesis strategies for every event type, built from the fields of its class."""

from __future__ import annotations

from types import NoneType
from typing import Any, NewType, get_args, get_origin

import msgspec
from hypothesis import strategies as st
from msgspec import Struct

from relayna.events import EVENT_TYPES, Envelope, Event
from relayna.ids import EventId, TaskId
from relayna.instants import Instant, parse_instant

EVENT_CLASSES = [event_type for event_type, _ in EVENT_TYPES]

FIRST_INSTANT = parse_instant("0001-01-01T00:00:00Z")
LAST_INSTANT = parse_instant("9999-12-31T23:59:59.999999Z")
assert FIRST_INSTANT is not None
assert LAST_INSTANT is not None

texts = st.text(st.characters(codec="utf-8"), max_size=20)
integers = st.integers(-(2**63), 2**63 - 1)
numbers = st.floats(allow_nan=False, allow_infinity=False)
instants = st.integers(FIRST_INSTANT, LAST_INSTANT).map(Instant)

json_values = st.recursive(
    st.none() | st.booleans() | integers | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
json_maps = st.dictionaries(texts, json_values, max_size=4)

odd_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(64, 20_000).map(lambda bits: 2**bits)  # more digits than Python prints
    | st.floats()
    | st.text(st.characters())  # lone surrogates too
    | st.binary(max_size=20)
    | st.datetimes()
    | st.uuids()
    | st.decimals()
    | st.builds(object)
    | st.just(float),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner)
        | st.dictionaries(
            st.text(max_size=5) | st.integers() | st.none() | st.tuples(st.text()), inner, max_size=3
        )
    ),
    max_leaves=8,
)
"""What a careless program may put anywhere."""


def values_of(kind: Any) -> st.SearchStrategy[Any]:
    """Values of a field's type."""
    if isinstance(kind, NewType):
        return values_of(kind.__supertype__)
    arguments = get_args(kind)
    if get_origin(kind) is dict:
        return json_maps
    if get_origin(kind) is tuple:
        if arguments[-1] is ...:
            return st.lists(values_of(arguments[0]), max_size=3).map(tuple)
        return st.tuples(*(values_of(argument) for argument in arguments))
    if arguments:
        return st.one_of([values_of(argument) for argument in arguments])
    return {
        str: texts,
        int: integers,
        float: numbers,
        bool: st.booleans(),
        bytes: st.binary(max_size=30),
        NoneType: st.none(),
    }[kind]


def bodies_of(event_type: type[Struct]) -> st.SearchStrategy[Any]:
    """Bodies of one type, any of their optional fields left out."""
    fields = msgspec.structs.fields(event_type)
    required = {field.name: values_of(field.type) for field in fields if field.required}
    optional = {field.name: values_of(field.type) for field in fields if not field.required}
    return st.fixed_dictionaries(required, optional=optional).map(lambda given: event_type(**given))


bodies = st.one_of([bodies_of(event_type) for event_type in EVENT_CLASSES])

envelopes = st.builds(
    Envelope,
    event_id=texts.filter(bool).map(EventId),
    timestamp=instants,
    task_id=st.just(TaskId("task")),
    attempt_id=st.none() | texts,
    seq=st.none() | st.integers(0, 2**63 - 1),
    cause=st.none() | texts,
    parent_task_id=st.none() | texts,
    session_id=st.none() | texts,
    correlation_id=st.none() | texts,
    producer=st.none() | texts,
)

events = st.builds(Event, envelope=envelopes, body=bodies)


def event_of(body: Any, **envelope: Any) -> Event:
    """An event of `task` with this body."""
    given = {
        "event_id": "0011223344556677.0",
        "timestamp": 1_767_225_600_000_000,
        "task_id": "task",
        **envelope,
    }
    return Event(envelope=Envelope(**given), body=body)
