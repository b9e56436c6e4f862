"""Write a golden frame of every event type and version that no golden frame holds yet.

Run it after adding an event type, raising a version or raising the frame version:

    python -m tools.add_golden_frame

A golden frame is what some relayna once wrote: `tests/golden/frame-v1.msgpack` and its reading,
`frame-v1.json`. It is never written again, so that old streams stay readable (tests/events/test_golden.py).
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import NoneType
from typing import Any, NewType, get_args, get_origin

import msgspec
from msgspec import Struct

from relayna.events import EVENT_TYPES, Envelope, Event, decode_frame, encode_event, encode_frame, to_plain
from relayna.events.codec import FRAME_VERSION
from relayna.ids import AttemptId, StreamId, TaskId, attempt_event_id
from relayna.instants import Instant
from relayna.mint import CountingMint

GOLDEN = Path(__file__).parent.parent / "tests" / "golden"
TASK_ID = TaskId("order/7 é")
STREAM_ID = StreamId("1767225600123-0")
_NEW_YEAR_2026 = 1_767_225_600_000_000
_MAP = {"text": "é\n", "number": 1.5, "big": 2**63, "none": None, "list": [1, {"deep": True}]}


def held_versions(golden: Path = GOLDEN) -> set[tuple[int, str, int]]:
    """(frame version, event type, its version) of everything that golden frames hold."""
    held: set[tuple[int, str, int]] = set()
    for path in golden.glob("frame-*.msgpack"):
        version, _, _, _, events = msgspec.msgpack.decode(path.read_bytes())
        held |= {(version, event[0], event[1]) for event in events}
    return held


def missing_types(golden: Path = GOLDEN) -> list[type[Struct]]:
    """The event types whose current version no golden frame of the current frame version holds."""
    held = held_versions(golden)
    return [
        event_type
        for event_type, version in EVENT_TYPES
        if (FRAME_VERSION, event_type.__name__, version) not in held
    ]


def sample(kind: Any, name: str) -> Any:  # Any: a field's type, and a value of it
    """A telling value of a field's type: never the default, so that a lost field is seen."""
    if isinstance(kind, NewType):
        return sample(kind.__supertype__, name)
    arguments = [argument for argument in get_args(kind) if argument is not NoneType]
    if get_origin(kind) is dict:
        return _MAP
    if get_origin(kind) is tuple:
        return tuple(sample(argument, name) for argument in arguments if argument is not ...)
    if arguments:
        return sample(arguments[0], name)
    return {str: f"a {name}", int: len(name), float: 1.5, bool: True, bytes: b"\x00raw\xff"}[kind]


def golden_events(event_types: list[type[Struct]]) -> list[Event]:
    """One event of each type, every field filled in."""
    mint = CountingMint()
    attempt_id: AttemptId = mint.attempt_id()
    events = []
    for seq, event_type in enumerate(event_types):
        envelope = Envelope(
            event_id=attempt_event_id(attempt_id, seq),
            timestamp=Instant(_NEW_YEAR_2026 + seq * 1_000_001),
            task_id=TASK_ID,
            attempt_id=attempt_id,
            seq=seq,
            cause=attempt_event_id(attempt_id, seq - 1) if seq else None,
            correlation_id="a correlation_id",
            producer=mint.producer(),
        )
        fields = {field.name: sample(field.type, field.name) for field in msgspec.structs.fields(event_type)}
        body: Any = event_type(**fields)  # Any: the registered types are the body types
        events.append(Event(envelope=envelope, body=body))
    return events


def main() -> int:
    """Write the next golden frame, if anything is missing; never touch one that is there."""
    event_types = missing_types()
    if not event_types:
        print("Every event type and version has its golden frame already.")
        return 0
    taken = len(list(GOLDEN.glob(f"frame-v{FRAME_VERSION}*.msgpack")))
    name = f"frame-v{FRAME_VERSION}" + (f"-{taken + 1}" if taken else "")
    payload = encode_frame(
        TASK_ID,
        "shared_tasks_shared_status",
        _NEW_YEAR_2026 // 1000,
        [encode_event(event) for event in golden_events(event_types)],
    )
    reading = [
        to_plain(event) for event in decode_frame(payload, task_id=TASK_ID, stream_id=STREAM_ID).events
    ]
    GOLDEN.mkdir(exist_ok=True)
    with (GOLDEN / f"{name}.msgpack").open("xb") as frame:
        frame.write(payload)
    with (GOLDEN / f"{name}.json").open("xb") as readable:
        readable.write(msgspec.json.format(msgspec.json.encode(reading), indent=2) + b"\n")
    print(f"Wrote tests/golden/{name}.msgpack and its reading, of {len(event_types)} event types.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
