"""What a record's payload says: a frame, and the stream that it goes to.

`[tenant, task id, frame, tells]` in MessagePack. Fields are only ever added at the end, and ones that are not
known are passed over. Pure.
"""

from __future__ import annotations

from typing import Final, get_args

import msgspec
from msgspec import Struct

from relayna.events.sanitise import storable_text
from relayna.ids import TaskId, Tenant
from relayna.streams.keys import TaskAddress
from relayna.streams.log import Append, Tells

__all__ = ["decode_append", "encode_append"]


class _Payload(Struct, frozen=True, array_like=True, gc=False):
    tenant: str
    task_id: str
    frame: bytes
    tells: object = None
    """What the frame says of its task; a word that is not known is none."""


_TELLS: Final[tuple[Tells, ...]] = get_args(Tells)
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Payload)


def encode_append(append: Append) -> bytes:
    """A record's payload. The task's id is spelled as the codec stores it (`storable_text`)."""
    address = append.address
    payload = _Payload(
        storable_text(address.tenant), storable_text(address.task_id), append.payload, append.tells
    )
    return _encoder.encode(payload)


def decode_append(payload: bytes) -> Append | None:
    """What `encode_append` wrote; nothing when it did not write this. Never raises."""
    try:
        read = _decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    tells = next((known for known in _TELLS if known == read.tells), None)
    return Append(TaskAddress(TaskId(read.task_id), Tenant(read.tenant)), read.frame, tells)
