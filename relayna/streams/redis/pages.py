"""Replies of the server as pages of the log.

Owns the shapes of stream replies. An entry that relayna did not write becomes one with an empty payload,
so that a reader can warn of it by its id; it never hides its neighbours.
"""

from __future__ import annotations

from relayna.errors import StoreRefused
from relayna.ids import StreamId, TaskId, Tenant
from relayna.streams.keys import KeyGrammar, TaskAddress
from relayna.streams.log import Entry, FeedReference, StreamPage, StreamRange, StreamState
from relayna.streams.redis.client import Reply
from relayna.streams.redis.failures import Failed

__all__ = ["feed_references", "stream_entries", "stream_page", "stream_state"]


def stream_page(wanted: StreamRange, keys: KeyGrammar, replies: Reply) -> StreamPage:
    """From the replies to `XINFO STREAM`, `PTTL` and `XRANGE`. Raises `StoreRefused`."""
    if not isinstance(replies, list) or len(replies) != 3:
        raise StoreRefused(f"XRANGE {keys.events(wanted.address)}", f"unexpected reply {replies!r:.100}")
    info, expiry, entries = replies
    if isinstance(entries, Failed):  # absent streams are no error to XRANGE, so this is a real one
        raise StoreRefused(f"XRANGE {keys.events(wanted.address)}", _problem(entries))
    found = stream_entries(entries)
    if wanted.newest:
        found.reverse()
    return StreamPage(address=wanted.address, entries=found, state=stream_state(info, expiry))


def stream_entries(reply: Reply) -> list[Entry]:
    """From the reply to `XRANGE` of a task's stream."""
    return [Entry(stream_id, value) for stream_id, value in _values(reply, b"f")]


def feed_references(reply: Reply) -> list[FeedReference]:
    """From the reply to `XRANGE` of a feed."""
    return [FeedReference(stream_id, _address(value)) for stream_id, value in _values(reply, b"t")]


def stream_state(info: Reply, expiry: Reply) -> StreamState:
    """From the replies to `XINFO STREAM` and `PTTL`."""
    if not isinstance(info, list):  # "no such key"
        return StreamState()
    facts = dict(zip(info[::2], info[1::2], strict=True))
    first = facts[b"first-entry"]
    return StreamState(
        length=_number(facts[b"length"]),
        entries_added=_number(facts[b"entries-added"]),
        last_id=StreamId(_text(facts[b"last-generated-id"])),
        expires_in_ms=expiry if isinstance(expiry, int) and expiry >= 0 else None,
        first_id=StreamId(_text(first[0])) if isinstance(first, list) and first else None,
    )


def _values(reply: Reply, name: bytes) -> list[tuple[StreamId, bytes]]:
    values: list[tuple[StreamId, bytes]] = []
    for entry in reply if isinstance(reply, list) else []:
        match entry:
            case [bytes() as stream_id, [field, bytes() as value, *_]] if field == name:
                values.append((StreamId(stream_id.decode()), value))
            case [bytes() as stream_id, *_]:
                values.append((StreamId(stream_id.decode()), b""))
    return values


def _address(reference: bytes) -> TaskAddress:
    try:
        text = reference.decode(errors="surrogatepass")
    except UnicodeDecodeError:  # not ours; it names no task, and reading on must not stop at it
        text = reference.decode(errors="replace")
    tenant, _, task_id = text.partition("~")
    return TaskAddress(TaskId(task_id), Tenant(tenant))


def _problem(failed: Failed) -> str:
    return failed.error.problem if isinstance(failed.error, StoreRefused) else str(failed.error)


def _number(reply: Reply) -> int:
    return reply if isinstance(reply, int) else 0


def _text(reply: Reply) -> str:
    return reply.decode() if isinstance(reply, bytes) else ""
