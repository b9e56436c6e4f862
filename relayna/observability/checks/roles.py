"""Roles on the store, and the rights that each needs: what the files of deploy/acl grant, and no more.

Owns the table, and the judgement of a user by a role. Asks nobody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal, TypeAlias, get_args

from relayna.ids import TaskId, Tenant
from relayna.observability.checks.check import Check
from relayna.streams.keys import KeyGrammar, TaskAddress

__all__ = ["ROLES", "Role", "judge_rights", "probes"]

Role: TypeAlias = Literal["worker", "reader", "service", "operator"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)
"""From the one with the fewest rights to the one with the most."""

_SHOWN: Final = 12

_EVERYBODY: Final = ("PING", "HELLO", "INFO", "MULTI", "EXEC", "GET {shards}")
_OWN_READS: Final = (
    "XRANGE {stream} - +",
    "XREVRANGE {stream} + -",
    "XINFO STREAM {stream}",
    "PTTL {stream}",
)
_APPENDS: Final = (
    "EVAL s 2 {feed} {stream}", "EVALSHA s 2 {feed} {stream}", "XADD {stream} * f x", "XADD {feed} * t x",
    "PEXPIRE {stream} 1", "PEXPIRE {feed} 1", "PTTL {stream}",
    "EVAL s 1 {stream}", "EVALSHA s 1 {stream}",
)  # fmt: skip
_OTHERS_APPENDS: Final = (
    "EVAL s 2 {feed} {foreign}", "EVALSHA s 2 {feed} {foreign}", "XADD {foreign} * f x", "PEXPIRE {foreign} 1",
)  # fmt: skip
_READS: Final = (
    *_OWN_READS, "TIME", "XREAD STREAMS {stream} 0", "XLEN {stream}", "EVAL s 1 {stream}", "EVALSHA s 1 {stream}",
    "XRANGE {foreign} - +", "XINFO STREAM {foreign}", "XREAD STREAMS {foreign} 0", "EVALSHA s 1 {foreign}",
    "XRANGE {feed} - +", "HGET {models} f", "HGETALL {models}", "HKEYS {models}", "HMGET {rows} f",
    "ZRANGE {index} 0 1", "HGETALL {counts}", "HGETALL {runs}", "HGETALL {runs_of}", "HGET {runs_of} f",
    "HKEYS {runs_of}",
)  # fmt: skip
_READ_MODELS: Final = (
    "EVALSHA s 1 {lease}", "GET {lease}", "SET {lease} x", "DEL {lease}",
    "EVALSHA s 6 {lease} {models} {rows} {index} {counts} {feed}", "HSET {models} f x", "HDEL {models} f",
    "HINCRBY {models} f 1", "HSET {rows} f x", "HDEL {rows} f", "ZADD {index} 0 x", "ZREM {index} x",
    "HINCRBY {counts} f 1", "HDEL {counts} f", "EXISTS {counts}", "PEXPIREAT {rows} 1", "PEXPIRETIME {rows}",
    "UNLINK {rows}", "XTRIM {feed} MINID 1", "EVALSHA s 4 {lease} {models} {runs} {runs_of}", "HSET {runs} f x",
    "HDEL {runs} f", "HSET {runs_of} f x", "HDEL {runs_of} f", "PEXPIREAT {runs_of} 1", "PEXPIRETIME {runs_of}",
    "UNLINK {runs_of}",
)  # fmt: skip
_OPERATING: Final = (
    "SCAN 0", "SET {shards} 1", "EXISTS {stream}", "EXISTS {feed}", "COPY {stream} {sealing}", "RENAME {sealing} {stream}",
    "XSETID {stream} 1-0", "PEXPIRETIME {stream}", "XTRIM {stream} MINID 1", "EVALSHA s 2 {stream} {sealing}",
)  # fmt: skip
_NOBODY: Final = (
    "FLUSHALL", "FLUSHDB", "KEYS *", "CONFIG GET *", "CONFIG SET maxmemory 1", "SHUTDOWN", "DEBUG SLEEP 0", "ACL LIST",
    "ACL SETUSER x", "MONITOR", "CLIENT LIST", "CLIENT KILL 1:1", "SCRIPT FLUSH", "FUNCTION FLUSH", "MODULE LIST",
    "REPLICAOF NO ONE", "SLOWLOG GET", "SWAPDB 0 1", "PUBLISH c x", "SUBSCRIBE c", "GET {elsewhere}",
    "SET {elsewhere} x", "DEL {elsewhere}", "DEL {stream}", "UNLINK {stream}", "SET {stream} x", "XDEL {stream} 1-0",
    "DEL {feed}", "SET {feed} x", "DEL {shards}", "EVALSHA s 1 {elsewhere}", "COPY {stream} {elsewhere}",
)  # fmt: skip

_NEEDED: Final[Mapping[Role, frozenset[str]]] = {
    "worker": frozenset({*_EVERYBODY, *_OWN_READS, *_APPENDS}),
    "reader": frozenset({*_EVERYBODY, *_READS, *_READ_MODELS}),
    "service": frozenset({*_EVERYBODY, *_READS, *_READ_MODELS, *_APPENDS, *_OTHERS_APPENDS}),
    "operator": frozenset({*_EVERYBODY, *_READS, *_READ_MODELS, *_APPENDS, *_OTHERS_APPENDS, *_OPERATING}),
}


def probes(keys: KeyGrammar, tenant: Tenant) -> dict[str, tuple[str, ...]]:
    """Every right that is looked at, as a command with keys of this prefix and tenant; by how it is shown."""
    address = TaskAddress(TaskId("relayna-check"), tenant)
    other = Tenant("relayna-other" if tenant != "relayna-other" else "relayna-another")
    shard = keys.shard_of(address)
    names = {
        "stream": keys.events(address),
        "foreign": keys.events(TaskAddress(TaskId("relayna-check"), other)),
        "feed": keys.feed(shard),
        "sealing": keys.sealing(shard),
        "shards": keys.shards(),
        "lease": keys.lease(shard),
        "models": keys.models(shard),
        "rows": keys.rows(shard, tenant),
        "index": keys.index(shard, tenant),
        "counts": keys.counts(shard, tenant, 0),
        "runs": keys.runs(shard, tenant),
        "runs_of": keys.runs_of(shard, tenant, 0, 0),
        "elsewhere": "relayna-check-elsewhere",
    }
    every = dict.fromkeys(
        (
            *_EVERYBODY,
            *_OWN_READS,
            *_APPENDS,
            *_OTHERS_APPENDS,
            *_READS,
            *_READ_MODELS,
            *_OPERATING,
            *_NOBODY,
        )
    )
    return {
        shown: tuple(
            names[word[1:-1]] if word.startswith("{") and word.endswith("}") else word
            for word in shown.split()
        )
        for shown in every
    }


def judge_rights(rights: Mapping[str, bool | None], role: Role | None = None) -> list[Check]:
    """What a user lacks for a role, and what it could do beside; without one, for the largest that it can fill."""
    if role is None:
        role = next((one for one in reversed(ROLES) if not _missing(rights, one)), None)
    if role is None:
        lacks = "; ".join(f"{one}: {_listed(_missing(rights, one))}" for one in ROLES)
        return [
            Check(
                name="acl_role",
                state="failed",
                found=f"Our user can fill no role. It lacks, as a {lacks}.",
                advice=_LACKING,
            )
        ]
    missing = _missing(rights, role)
    more = [shown for shown, allowed in rights.items() if allowed and shown not in _NEEDED[role]]
    lacking = Check(name="acl_missing", state="ok", found=f"Our user may do all that {_article(role)} does.")
    if missing:
        found = f"Our user lacks what {_article(role)} does: {_listed(missing)}."
        lacking = Check(name="acl_missing", state="failed", found=found, advice=_LACKING)
    exceeding = Check(
        name="acl_exceeding", state="ok", found=f"Our user may do nothing that {_article(role)} does not."
    )
    if more:
        found = f"Our user may do more than {_article(role)} does: {_listed(more)}."
        exceeding = Check(name="acl_exceeding", state="warning", found=found, advice=_EXCEEDING)
    return [lacking, exceeding]


_LACKING: Final = "Give it the rules of that role's file in deploy/acl, with your prefix and tenant."
_EXCEEDING: Final = (
    "Take these away: ACL SETUSER with `reset` and the rules of that role's file in deploy/acl."
)


def _missing(rights: Mapping[str, bool | None], role: Role) -> list[str]:
    return [shown for shown, allowed in rights.items() if allowed is False and shown in _NEEDED[role]]


def _article(role: Role) -> str:
    return f"an {role}" if role == "operator" else f"a {role}"


def _listed(shown: Sequence[str]) -> str:
    named = ", ".join(one.replace("{", "").replace("}", "") for one in shown[:_SHOWN])
    return named if len(shown) <= _SHOWN else f"{named} and {len(shown) - _SHOWN} more"
