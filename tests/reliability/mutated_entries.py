"""Stream entries that were valid once: damaged as disks, networks and other programs damage them.

Owns the kinds of damage. The same seed gives the same entries.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from projections.golden_histories import GOLDEN_HISTORIES
from projections.random_histories import random_history

from relayna.events import Event, RecordedEvent, encode_event, encode_frame

__all__ = ["mutated_streams"]

_ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 2**63, -(2**63), 2**64 - 1, 1.5, float("nan"), float("inf"), -0.0, "", "\0", "\ud7ff\u202e",
    "a" * 70_000, b"", b"\xff" * 40, [], {}, [[]], {"": None}, {1: 2}, [0] * 300, {"task_id": "x"}, "@", "1.0@1", "9" * 40,
)  # fmt: skip
"""In place of any value."""


def mutated_streams(entries: int, per_stream: int, chance: random.Random) -> Iterator[list[bytes]]:
    """The entries of one stream after another: most of them damaged, a few whole, and in any order."""
    seed = chance.randrange(2**32)
    for start in range(0, entries, per_stream):
        seed += 1
        whole = _frames(seed, chance)
        wanted = min(per_stream, entries - start)
        damaged = [_damaged(chance.choice(whole), whole, chance) for _ in range(wanted)]
        kept = damaged + chance.sample(whole, k=min(len(whole), per_stream // 4))
        chance.shuffle(kept)
        yield kept


def _frames(seed: int, chance: random.Random) -> list[bytes]:
    events = [event for event in _history(seed, chance) if isinstance(event, RecordedEvent)]
    frames = []
    while events:
        some, events = events[: chance.randint(1, 4)], events[4:]
        said = [encode_event(Event(envelope=event.envelope, body=event.body)) for event in some]
        kind = chance.choice([None, "shared_status_workflow", "no kind"])
        frames.append(encode_frame(some[0].envelope.task_id, kind, some[0].first_append_ms, said))
    return frames


def _history(seed: int, chance: random.Random) -> list[Any]:
    if chance.random() < 0.2:
        return chance.choice(GOLDEN_HISTORIES)()
    return [*random_history(seed)]


def _damaged(frame: bytes, others: list[bytes], chance: random.Random) -> bytes:
    damage = chance.choice(_DAMAGES)
    return damage(frame, others, chance)


def _bits_flipped(frame: bytes, others: list[bytes], chance: random.Random) -> bytes:
    data = bytearray(frame)
    for _ in range(chance.randint(1, 8)):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(data)


def _cut(frame: bytes, others: list[bytes], chance: random.Random) -> bytes:
    return frame[: chance.randrange(len(frame))]


def _grown(frame: bytes, others: list[bytes], chance: random.Random) -> bytes:
    place = chance.randrange(len(frame))
    return frame[:place] + chance.randbytes(chance.randint(1, 12)) + frame[place:]


def _spliced(frame: bytes, others: list[bytes], chance: random.Random) -> bytes:
    other = chance.choice(others)
    return frame[: chance.randrange(len(frame))] + other[chance.randrange(len(other)) :]


def _noise(frame: bytes, others: list[bytes], chance: random.Random) -> bytes:
    return chance.randbytes(chance.randint(0, 200))


def _nested(frame: bytes, others: list[bytes], chance: random.Random) -> bytes:
    return b"\x91" * chance.randint(1, 5_000) + frame


def _revalued(frame: bytes, others: list[bytes], chance: random.Random) -> bytes:
    """Well formed still, with odd values in some places."""
    value = msgspec.msgpack.decode(frame)
    for _ in range(chance.randint(1, 4)):
        value = _with_odd(value, chance)
    return msgspec.msgpack.encode(value)


def _with_odd(value: Any, chance: random.Random) -> Any:
    if isinstance(value, list) and value and chance.random() < 0.9:
        place = chance.randrange(len(value))
        inner = _with_odd(value[place], chance)
        return [*value[:place], inner, *value[place + 1 :]]
    if isinstance(value, dict) and value and chance.random() < 0.7:
        name = chance.choice([*value])
        return {**value, name: _with_odd(value[name], chance)}
    return chance.choice(_ODD)


def _rearranged(frame: bytes, others: list[bytes], chance: random.Random) -> bytes:
    """Well formed still, with parts left out, doubled or from another record."""
    value = msgspec.msgpack.decode(frame)
    events = value[4]
    match chance.randrange(4):
        case 0:
            events.append(chance.choice(events))
        case 1:
            event = chance.choice(events)
            del event[chance.randrange(len(event))]
        case 2:
            events.append(chance.choice(msgspec.msgpack.decode(chance.choice(others))[4]))
            events[0][3] = events[-1][3]
        case _:
            event = chance.choice(events)
            event[0], event[1] = chance.choice(["Opaque", "NoSuchThing", "", event[0]]), chance.randint(-1, 9)
    return msgspec.msgpack.encode(value)


_DAMAGES: tuple[Callable[[bytes, list[bytes], random.Random], bytes], ...] = (
    _bits_flipped, _bits_flipped, _cut, _grown, _spliced, _noise, _nested, _revalued, _revalued, _revalued, _rearranged,
    _rearranged,
)  # fmt: skip
