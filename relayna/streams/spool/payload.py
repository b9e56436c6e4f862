"""What a record's payload says: a frame, and the stream that it goes to.

`[tenant, task id, frame]` in MessagePack. Fields are only ever added at the end, and ones that are not
known are passed over. Pure.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from relayna.events.sanitise import storable_text
from relayna.ids import TaskId, Tenant
from relayna.streams.keys import TaskAddress
from relayna.streams.log import Append

__all__ = ["decode_append", "encode_append"]


class _Payload(Struct, frozen=True, array_like=True, gc=False):
    tenant: str
    task_id: str
    frame: bytes


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Payload)


def encode_append(append: Append) -> bytes:
    """A record's payload. The task's id is spelled as the codec stores it (`storable_text`)."""
    address = append.address
    return _encoder.encode(
        _Payload(storable_text(address.tenant), storable_text(address.task_id), append.payload)
    )


def decode_append(payload: bytes) -> Append | None:
    """What `encode_append` wrote; nothing when it did not write this. Never raises."""
    try:
        read = _decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return Append(TaskAddress(TaskId(read.task_id), Tenant(read.tenant)), read.frame)
