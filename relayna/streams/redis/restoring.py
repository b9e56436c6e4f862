"""Streams brought back as they were: the same frames under the same ids, and as many known to be missing.

Owns the arguments and the reply of `restore.lua`. Touches no stream that is there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from relayna.errors import StoreRefused
from relayna.streams.keys import TaskAddress
from relayna.streams.log import FEED_FUSE, FEED_RETENTION_SECONDS, Entry
from relayna.streams.redis.failures import Failed
from relayna.streams.redis.log import RedisLog
from relayna.streams.redis.places import feed_reference
from relayna.streams.redis.script import ScriptCall, load_script

__all__ = ["restore_stream"]

_FRAMES_A_CALL: Final = 500
_BYTES_A_CALL: Final = 1024 * 1024


async def restore_stream(
    log: RedisLog, address: TaskAddress, entries: Sequence[Entry], *, missing: int, retention_seconds: int
) -> int:
    """Bring the entries, in order, back into a stream that is not there; how many were brought.

    `missing` is how many others the stream once held: it is said to be trimmed then. Brings fewer than
    were given when there is a stream, or when somebody appends to it meanwhile. Raises `StoreError`.
    """
    keys, newest, brought = log.keys, "", 0
    for some in _portions(entries):
        frames = [part for entry in some for part in (entry.stream_id, entry.payload)]
        feed = (FEED_RETENTION_SECONDS * 1000, FEED_FUSE, feed_reference(address))
        arguments = [newest, retention_seconds * 1000, *feed, missing + brought + len(some), *frames]
        call = ScriptCall([keys.feed(keys.shard_of(address)), keys.events(address)], arguments)
        (answer,) = await load_script("restore.lua").run(log.store, [call])
        if isinstance(answer, Failed):
            raise answer.error
        if not isinstance(answer, int):
            raise StoreRefused("EVALSHA", f"unexpected reply {answer!r:.100}")
        if answer < 0:
            break
        newest, brought = some[-1].stream_id, brought + answer
    return brought


def _portions(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    portion: list[Entry] = []
    size = 0
    for entry in entries:
        if portion and (len(portion) == _FRAMES_A_CALL or size + len(entry.payload) > _BYTES_A_CALL):
            yield portion
            portion, size = [], 0
        portion.append(entry)
        size += len(entry.payload)
    if portion:
        yield portion
