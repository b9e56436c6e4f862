"""What can be found out about a store: its servers' settings and clocks, our rights, what lies under the prefix.

Owns the questions, and that they change nothing. Judges nothing: `relayna.observability.checks` does. What a
server does not tell us is absent, not an error.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from relayna.clock import Clock, SystemClock
from relayna.errors import StoreError
from relayna.ids import StreamId, TaskId, Tenant, stream_position
from relayna.streams.keys import DEFAULT_TENANT, KeyGrammar, TaskAddress
from relayna.streams.redis.client import Reply, StoreClient
from relayna.streams.redis.failures import Failed
from relayna.streams.redis.log import RedisLog
from relayna.streams.redis.permissions import permitted_on
from relayna.streams.redis.requests import Request
from relayna.streams.redis.scanning import literal_pattern, scan_keys
from relayna.streams.redis.server_time import read_time_ms
from relayna.streams.redis.store import Store

__all__ = ["Inspection", "SampledStream", "ServerFacts", "inspect_store"]

_STREAMS_SAMPLED: Final = 200
_STEPS_OF_A_SEARCH: Final = 20
_PREFIXES_NAMED: Final = 5

_WANTED: Final = (
    "PING", "TIME", "EXISTS stream", "PTTL stream", "PEXPIRETIME stream", "XADD stream * f x", "XADD feed * t x",
    "PEXPIRE stream 1 GT", "PEXPIRE feed 1 GT", "XRANGE stream - +", "XRANGE feed - +", "XREVRANGE stream + -",
    "XINFO STREAM stream", "XLEN stream", "XSETID stream 1-0", "COPY stream sealing", "RENAME sealing stream",
    "EVALSHA digest 2 feed stream", "EVAL script 2 feed stream", "GET shards", "SET shards 1 NX", "SCAN 0", "INFO",
    "MULTI", "EXEC",
)  # fmt: skip
"""All that relayna does to streams. What read models need, `relayna check --acl` tells."""


class ServerFacts(Struct, frozen=True, kw_only=True):
    """What one server says of itself."""

    name: str
    """Where it is, credentials masked. For whoever runs the store, not for clients of an API."""
    info: Mapping[str, str]
    """The reply to `INFO`; empty when we may not ask."""
    clock_ms: int | None = None
    """Its clock, in milliseconds."""
    our_clock_ms: float = 0
    """Ours, at half of the time that the question took."""
    round_trip_ms: float = 0


class SampledStream(Struct, frozen=True, gc=False):
    """The lifetime of one stream, in milliseconds by its server's clock."""

    first_ms: int
    """When its first entry was appended."""
    last_ms: int
    """When its last one was."""
    ends_ms: int | None
    """When it expires; None when it never does."""


class Inspection(Struct, frozen=True, kw_only=True):
    """Everything that was found out."""

    keys: KeyGrammar
    servers: Sequence[ServerFacts]
    refused: Sequence[str] | None
    """Commands that our user may not run; None when that cannot be asked."""
    shard_count: str | None
    """What the prefix is laid out over, as stored; None before anybody used it."""
    any_feed: bool
    """Whether anything was recorded under the prefix lately."""
    other_prefixes: Sequence[str]
    """Where something may have been recorded instead, when nothing was here."""
    streams: Sequence[SampledStream]
    """Some of the streams under the prefix."""


async def inspect_store(
    log: RedisLog, *, clock: Clock | None = None, tenant: Tenant = DEFAULT_TENANT
) -> Inspection:
    """Ask the store that the log is in, over connections of its own. The log need not be open.

    Rights are those on the tenant's streams. Raises `StoreError` when there is nobody to ask.
    """
    store = log.address.store(connections=2)
    try:
        await store.open()
        return await _inspected(store, log.keys, clock or SystemClock(), tenant)
    finally:
        await store.aclose()


async def _inspected(store: Store, keys: KeyGrammar, clock: Clock, tenant: Tenant) -> Inspection:
    clients = await store.servers()
    feeds = [keys.feed(shard) for shard in range(keys.shard_count)]
    asked = [Request((("GET", keys.shards()),), keys.shards())]
    asked += [Request((("EXISTS", feed),), feed) for feed in feeds]
    stored, *feeds_there = await store.exchange(asked)
    if isinstance(stored, Failed) and not await _answers(store):
        raise stored.error
    any_feed = any(reply == 1 for reply in feeds_there)
    return Inspection(
        keys=keys,
        servers=[await _server(name, client, clock) for name, client in clients.items()],
        refused=await _refused(store, keys, tenant),
        shard_count=stored.decode(errors="replace") if isinstance(stored, bytes) else None,
        any_feed=any_feed,
        other_prefixes=[] if any_feed else await _other_prefixes(clients.values(), keys),
        streams=await _streams(store, clients.values(), keys) if any_feed else [],
    )


async def _answers(store: Store) -> bool:
    try:
        await store.ping()
    except StoreError:
        return False
    return True


async def _server(name: str, client: StoreClient, clock: Clock) -> ServerFacts:
    (info,) = await client.exchange([("INFO",)])
    before = clock.now()
    (time,) = await client.exchange([("TIME",)])
    after = clock.now()
    return ServerFacts(
        name=name,
        info=_fields(info),
        clock_ms=None if isinstance(time, Failed) else read_time_ms(time),
        our_clock_ms=(before + after) / 2000,
        round_trip_ms=(after - before) / 1000,
    )


def _fields(info: Reply) -> dict[str, str]:
    text = info.decode(errors="replace") if isinstance(info, bytes) else ""
    pairs = (line.partition(":") for line in text.splitlines() if not line.startswith("#"))
    return {name: value for name, colon, value in pairs if colon}


async def _refused(store: Store, keys: KeyGrammar, tenant: Tenant) -> list[str] | None:
    probe = TaskAddress(TaskId("relayna-check"), tenant)
    shard = keys.shard_of(probe)
    names = {
        "feed": keys.feed(shard),
        "stream": keys.events(probe),
        "sealing": keys.sealing(shard),
        "shards": keys.shards(),
    }
    commands = [tuple(names.get(word, word) for word in command.split()) for command in _WANTED]
    try:
        answers = await permitted_on(store, keys, commands)
    except StoreError as error:
        return ["EVALSHA", "EVAL"] if "NOPERM" in str(error) else None
    refused = [command[0] for command, allowed in zip(commands, answers, strict=False) if allowed is False]
    return list(dict.fromkeys(refused))


async def _other_prefixes(clients: Iterable[StoreClient], keys: KeyGrammar) -> list[str]:
    found: set[str] = set()
    for client in clients:
        found.update(key.removesuffix(":shards") for key in await _some_keys(client, "*:shards"))
    return sorted(found - {keys.prefix})[:_PREFIXES_NAMED]


async def _streams(store: Store, clients: Iterable[StoreClient], keys: KeyGrammar) -> list[SampledStream]:
    pattern = f"{literal_pattern(keys.prefix)}:{{*}}:*:events"
    names = [name for client in clients for name in await _some_keys(client, pattern)][:_STREAMS_SAMPLED]
    requests = [Request((("XINFO", "STREAM", name), ("PEXPIRETIME", name)), name) for name in names]
    found = [_sampled(reply) for reply in await store.exchange(requests)]
    return [stream for stream in found if stream is not None]


async def _some_keys(client: StoreClient, pattern: str) -> list[str]:
    keys: list[str] = []
    try:
        async for some in scan_keys(client, pattern, most_steps=_STEPS_OF_A_SEARCH):
            keys += some
            if len(keys) >= _STREAMS_SAMPLED:
                break
    except StoreError:  # we may not; what it is asked for is not vital
        return keys
    return keys


def _sampled(reply: Reply) -> SampledStream | None:
    match reply:
        case [[*info], int() as ends]:
            facts = dict(zip(info[::2], info[1::2], strict=False))
        case _:
            return None
    match facts.get(b"first-entry"), facts.get(b"last-generated-id"):
        case [bytes() as first, *_], bytes() as last:
            return SampledStream(_milliseconds(first), _milliseconds(last), ends if ends >= 0 else None)
        case _:
            return None


def _milliseconds(stream_id: bytes) -> int:
    return stream_position(StreamId(stream_id.decode()))[0]
