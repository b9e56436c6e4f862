"""Inspections for the tests of checks: a store as it should be, and with something changed."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from relayna.observability.checks import Check, judge
from relayna.streams.keys import KeyGrammar
from relayna.streams.redis.inspection import Inspection, SampledStream, ServerFacts

__all__ = ["DAY_MS", "SOUND", "finding", "server"]

DAY_MS = 86_400_000
NOW_MS = 1_800_000_000_000

_INFO = {
    "valkey_version": "9.1.0",
    "redis_version": "7.2.4",
    "maxmemory_policy": "noeviction",
    "maxmemory": str(2**30),
    "used_memory": str(2**28),
    "aof_enabled": "1",
    "aof_last_write_status": "ok",
}


def server(*without: str, clock_ms: int | None = NOW_MS, **info: str) -> ServerFacts:
    """A sound server, with some of what it says changed or left out."""
    said = {name: value for name, value in {**_INFO, **info}.items() if name not in without}
    return ServerFacts(
        name="redis://***@secret-host:6379/0",
        info=said,
        clock_ms=clock_ms,
        our_clock_ms=NOW_MS,
        round_trip_ms=2,
    )


SOUND = Inspection(
    keys=KeyGrammar("relayna", 64),
    servers=[server()],
    refused=[],
    shard_count="64",
    any_feed=True,
    other_prefixes=[],
    streams=[SampledStream(NOW_MS - DAY_MS, NOW_MS, NOW_MS + 7 * DAY_MS)],
)


def finding(name: str, **changed: Any) -> Check:  # Any: fields of the inspection
    """What the check of that name finds of a sound store with these changes."""
    checks = judge(replace(SOUND, **changed), retention_seconds=604_800, open_retention_seconds=2_592_000)
    [found] = [check for check in checks if check.name == name]
    return found
