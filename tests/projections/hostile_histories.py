"""Hypothesis strategies for histories that no honest worker records: few ids, used for everything."""

from __future__ import annotations

from typing import Any

import msgspec
from events.event_strategies import EVENT_CLASSES, values_of
from hypothesis import strategies as st

from relayna.events import Envelope, Opaque, RecordedEvent
from relayna.events.history import RecordWarning, StreamFact
from relayna.instants import UNTIMED, Instant

TASKS = ["root", "child", "a:b%", "", "child@root", "grand\nchild"]
ATTEMPTS = ["a", "b", "c", "", "m"]
MESSAGES = ["m", "n", "a:b"]
STAGES = ["s", "t", ""]
EVENT_IDS = [
    *(f"{attempt}.{number}" for attempt in ATTEMPTS for number in (0, 1, 2, 7)),
    *(f"{message}.published" for message in MESSAGES),
    "a.1@root", "a.1@child", "x@y", ".", "", "a.²", "b.99999999999999999999999", "letter.replayed.1",
]  # fmt: skip

instants = (
    st.sampled_from([0, 1, 1_000_000, 2_000_000, -(2**55), 2**60])
    | st.just(UNTIMED)
    | st.integers(-(2**62), 2**62)
)
seqs = st.none() | st.integers(-2, 8) | st.sampled_from([2**63 - 1, -(2**63)])
_small_numbers = st.sampled_from([0, 1, 2, -1, 2**62])
_POOLS: dict[str, st.SearchStrategy[Any]] = {
    "message_id": st.sampled_from(MESSAGES),
    "dead_letter_id": st.sampled_from(["letter", "other"]),
    "child_task_id": st.sampled_from(TASKS),
    "stage": st.sampled_from(STAGES),
    "origin_stage": st.sampled_from(STAGES),
    "status": st.sampled_from(["processing", "completed", "manual_retrying", "", "☃"]),
    "retry_attempt": _small_numbers,
    "replay_count": _small_numbers,
    "delivery_count": _small_numbers,
    "joined_message_ids": st.lists(st.sampled_from(MESSAGES), max_size=3).map(tuple),
    "seq_ranges": st.lists(st.tuples(_small_numbers, _small_numbers), max_size=4).map(tuple),
    "meta": st.none()
    | st.sampled_from([{"parent_task_id": "root"}, {"parent_task_id": 7}, {"n": 1}, {"n": 1.0}]),
    "reason": st.none() | st.sampled_from(["manual_retry", "poison"]),
    "cpu_process_seconds": st.floats(),  # NaN and the infinities, too
}


def _bodies_of(event_type: type[msgspec.Struct]) -> st.SearchStrategy[Any]:
    fields = msgspec.structs.fields(event_type)
    values = {field.name: _POOLS.get(field.name, values_of(field.type)) for field in fields}
    required = {field.name: values[field.name] for field in fields if field.required}
    optional = {field.name: values[field.name] for field in fields if not field.required}
    return st.fixed_dictionaries(required, optional=optional).map(lambda given: event_type(**given))


opaque = st.builds(
    Opaque,
    reason=st.sampled_from(["unknown_type", "unknown_version", "corrupt"]),
    type_name=st.none() | st.just("TaskDreamt"),
    digest=st.none() | st.sampled_from(["1", "2"]),
)
bodies = st.one_of([*map(_bodies_of, EVENT_CLASSES), opaque])

envelopes = st.builds(
    Envelope,
    event_id=st.sampled_from(EVENT_IDS),
    timestamp=instants.map(Instant),
    task_id=st.sampled_from(["root"] * 8 + TASKS),  # most meet in one stream
    attempt_id=st.none() | st.sampled_from(ATTEMPTS),
    seq=seqs,
    cause=st.none() | st.sampled_from(EVENT_IDS),
    parent_task_id=st.none() | st.sampled_from(TASKS),
)

events = st.builds(
    RecordedEvent,
    envelope=envelopes,
    body=bodies,
    stream_id=st.sampled_from(["0-0", "5-1", "10-0"]),
    first_append_ms=st.none() | st.integers(0, 3),
)
facts = st.builds(
    StreamFact,
    task_id=st.sampled_from(TASKS),
    name=st.sampled_from(["topology_kind", "trimmed", "expired", "limit_reached"]),
    value=st.none() | st.sampled_from(["shared_status_workflow", ""]),
)
warnings = st.builds(
    RecordWarning,
    task_id=st.sampled_from([*TASKS, "\ud800"]),
    code=st.just("bad_field"),
    detail=st.text(max_size=3),
)

_items = events | events | events | facts | warnings
histories = st.integers(0, 30).flatmap(lambda size: st.lists(_items, min_size=size, max_size=size))
"""Items in any order, for `root` and the tasks that they speak of."""
