"""The states of streams without their entries. Owns the reply of `state.lua`, and when that is asked.

`XINFO` alone sends two entries of each stream along. Of a few streams that costs less than a script, in the network
and in the server; of many it does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from relayna.errors import StoreRefused
from relayna.ids import StreamId
from relayna.streams.keys import KeyGrammar, TaskAddress
from relayna.streams.log import StreamState
from relayna.streams.redis.client import Reply
from relayna.streams.redis.failures import Failed
from relayna.streams.redis.pages import stream_state
from relayna.streams.redis.requests import Request
from relayna.streams.redis.script import ScriptCall, load_script
from relayna.streams.redis.store import Store

__all__ = ["stream_states"]

_FEW: Final = 4


async def stream_states(
    store: Store, keys: KeyGrammar, addresses: Sequence[TaskAddress]
) -> list[StreamState]:
    """The state of each stream, in the order given. Raises `StoreUnreachable` or `StoreRefused`."""
    if not addresses:
        return []
    if len(addresses) <= _FEW:
        return [
            _told(reply)
            for reply in await store.exchange([_looked_at(keys.events(one)) for one in addresses])
        ]
    calls = [ScriptCall([keys.events(address)], []) for address in addresses]
    return [_state(reply) for reply in await load_script("state.lua").run(store, calls)]


def _looked_at(stream: str) -> Request:
    return Request((("XINFO", "STREAM", stream), ("PTTL", stream)), stream)


def _told(reply: Reply) -> StreamState:
    match reply:
        case [Failed() as failed, _] if not _is_none(failed):
            raise failed.error
        case [info, expiry]:
            return stream_state(info, expiry)
        case Failed():
            raise reply.error
        case _:
            raise StoreRefused("XINFO STREAM", f"unexpected reply {reply!r:.100}")


def _is_none(failed: Failed) -> bool:
    """Whether no stream lies there."""
    problem = getattr(failed.error, "problem", "")
    return problem.startswith("WRONGTYPE") or "no such key" in problem


def _state(reply: Reply) -> StreamState:
    match reply:
        case None:
            return StreamState()
        case [int() as length, int() as added, bytes() as last_id, int() as remaining, bytes() as first_id]:
            return StreamState(
                length=length,
                entries_added=added,
                last_id=StreamId(last_id.decode()),
                expires_in_ms=remaining if remaining >= 0 else None,
                first_id=StreamId(first_id.decode()) if first_id else None,
            )
        case Failed():
            raise reply.error
        case _:
            raise StoreRefused("state.lua", f"unexpected reply {reply!r:.100}")
