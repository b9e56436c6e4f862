"""What the execution projections remember: each task's facts once, whatever way they came.

Owns the commutative part: which of several tellings of one fact is kept, and that repeats change nothing.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct, field

from relayna.events import RecordedEvent
from relayna.events.codec import decode_recorded, encode_recorded
from relayna.events.history import RecordWarning, StreamFact
from relayna.events.sanitise import sanitise_body, storable_text
from relayna.ids import EventId, TaskId, stream_position
from relayna.projections.fact_ids import fact_id
from relayna.projections.projection import Item

__all__ = ["ExecutionState", "TaskRecords", "apply", "initial", "restore", "snapshot"]


class TaskRecords(Struct):
    """All that is known of one task."""

    events: dict[EventId, RecordedEvent] = field(default_factory=dict)
    """By the fact's own id."""
    disputed: set[EventId] = field(default_factory=set)
    """Ids under which different facts were told."""
    facts: set[StreamFact] = field(default_factory=set)
    warnings: set[RecordWarning] = field(default_factory=set)


class ExecutionState(Struct):
    """The asked-for task and every task that the history speaks of."""

    root: TaskId
    tasks: dict[TaskId, TaskRecords] = field(default_factory=dict)


class _Snapshot(Struct, array_like=True):
    root: TaskId
    tasks: dict[TaskId, tuple[list[bytes], list[EventId], list[StreamFact], list[RecordWarning]]]


def initial(root: TaskId) -> ExecutionState:
    """Nothing known yet. An id that no record can hold is asked for as records would hold it."""
    return ExecutionState(root=TaskId(storable_text(root)))


def apply(state: ExecutionState, item: Item) -> None:
    """Take one event, stream fact or warning in."""
    if not isinstance(item, RecordedEvent):
        item = sanitise_body(item, thorough=True)
        records = _records(state, item.task_id)
        (records.facts if isinstance(item, StreamFact) else records.warnings).add(item)  # type: ignore[arg-type]
        return
    envelope = item.envelope
    records = state.tasks.get(envelope.task_id) or _records(state, envelope.task_id)
    own_id = fact_id(envelope)
    known = records.events.setdefault(own_id, item)
    if known is not item:
        records.events[own_id] = _kept(records, own_id, known, item)


def snapshot(state: ExecutionState) -> bytes:
    """The state as bytes; the same bytes for the same knowledge."""
    tasks = {
        task_id: (
            sorted(encode_recorded(event) for event in records.events.values()),
            sorted(records.disputed),
            sorted(records.facts, key=lambda fact: (fact.name, fact.value is not None, fact.value or "")),
            sorted(records.warnings, key=lambda warning: (warning.code, warning.detail)),
        )
        for task_id, records in sorted(state.tasks.items())
    }
    return msgspec.msgpack.encode(_Snapshot(state.root, tasks))


def restore(data: bytes) -> ExecutionState:
    """The state that `snapshot` wrote. Raises `msgspec.DecodeError` on other bytes."""
    read = msgspec.msgpack.decode(data, type=_Snapshot)
    state = initial(read.root)
    for task_id, (events, disputed, facts, warnings) in read.tasks.items():
        records = _records(state, task_id)
        for event in map(decode_recorded, events):
            records.events[fact_id(event.envelope)] = event
        records.disputed.update(disputed)
        records.facts.update(facts)
        records.warnings.update(warnings)
    return state


def _records(state: ExecutionState, task_id: TaskId) -> TaskRecords:
    return state.tasks.setdefault(task_id, TaskRecords())


def _kept(records: TaskRecords, own_id: EventId, one: RecordedEvent, other: RecordedEvent) -> RecordedEvent:
    # Compared as bytes: to Python 1, 1.0 and True are equal, and NaN is not equal to itself.
    if _fact(one) != _fact(other):
        records.disputed.add(own_id)
    # Neither is known to be right; the choice must not depend on which came first.
    return min(one, other, key=_rank)


def _fact(event: RecordedEvent) -> bytes:
    """What is told, whoever tells it and when: a redelivered carrier tells the same fact again."""
    return msgspec.msgpack.encode((type(event.body).__name__, event.body), order="sorted")


def _rank(event: RecordedEvent) -> tuple[bytes, tuple[int, int, int, int], bytes]:
    said = msgspec.msgpack.encode((type(event.body).__name__, event.envelope, event.body), order="sorted")
    milliseconds, counter = stream_position(event.stream_id)
    place = (event.first_append_ms or 0, milliseconds, counter, event.index)
    return said, place, encode_recorded(event)  # maps may spell the same with their keys in another order
