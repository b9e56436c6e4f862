"""Who in a cluster has which slot, and what a node says when it has not.

Owns the reading of `CLUSTER SLOTS` and of redirections
(https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/). Asks nobody.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from typing import Final, Literal

from msgspec import Struct, field
from redis.crc import key_slot

from relayna.errors import StoreRefused
from relayna.store_url import Endpoint
from relayna.streams.redis.client import Reply
from relayna.streams.redis.failures import Failed

__all__ = ["Redirection", "SlotMap", "read_redirection", "read_slots", "slot_of"]

_UNKNOWN_HOSTS: Final = (None, b"", b"?")


class SlotMap(Struct):
    """The masters by slot: as the cluster told it, and as redirections have corrected it since."""

    starts: list[int] = field(default_factory=list)
    ranges: list[tuple[int, Endpoint]] = field(default_factory=list)
    """For each start, the last slot of the range and who has it."""
    learned: dict[int, Endpoint] = field(default_factory=dict)

    def node_of(self, slot: int) -> Endpoint | None:
        """Who has the slot, as far as is known."""
        if slot in self.learned:
            return self.learned[slot]
        at = bisect_right(self.starts, slot) - 1
        return self.ranges[at][1] if at >= 0 and slot <= self.ranges[at][0] else None

    @property
    def nodes(self) -> list[Endpoint]:
        """All masters, each once."""
        return list(dict.fromkeys([*(node for _, node in self.ranges), *self.learned.values()]))


class Redirection(Struct, frozen=True, gc=False):
    """A node's word that another one has the slot, for good (`MOVED`) or for this one time (`ASK`)."""

    kind: Literal["MOVED", "ASK"]
    slot: int
    node: Endpoint


def slot_of(key: bytes | str) -> int:
    """The slot in which a key lives."""
    return int(key_slot(key if isinstance(key, bytes) else key.encode(errors="surrogatepass")))


def read_slots(reply: Reply, asked: Endpoint) -> SlotMap:
    """From the reply to `CLUSTER SLOTS` of this node, which may leave its own host to be understood."""
    found: list[tuple[int, int, Endpoint]] = []
    for row in reply if isinstance(reply, list) else []:
        match row:
            case [int() as first, int() as last, [host, int() as port, *rest], *_]:
                name = _host(host, rest, asked)
                if name is not None:
                    found.append((first, last, Endpoint(name, port)))
    found.sort()
    return SlotMap([first for first, _, _ in found], [(last, node) for _, last, node in found])


def read_redirection(reply: Reply, asked: Endpoint) -> Redirection | None:
    """Where this answer of a node sends us, if anywhere."""
    if not isinstance(reply, Failed) or not isinstance(reply.error, StoreRefused):
        return None
    match reply.error.problem.split(" "):
        case [("MOVED" | "ASK") as kind, slot, place] if slot.isdigit():
            host, _, port = place.rpartition(":")
            name = asked.host if host in ("", "?") else host.strip("[]")
            return Redirection(kind, int(slot), Endpoint(name, int(port))) if port.isdigit() else None
        case _:
            return None


def _host(host: Reply, rest: list[Reply], asked: Endpoint) -> str | None:
    if isinstance(host, bytes) and host not in _UNKNOWN_HOSTS:
        return host.decode()
    if host == b"?":  # it was to be known by a name that nobody gave it; its address may stand beside
        return _facts(rest).get(b"ip")
    return asked.host


def _facts(rest: list[Reply]) -> Mapping[bytes, str]:
    facts = rest[1] if len(rest) > 1 and isinstance(rest[1], list) else []
    return {
        name: value.decode()
        for name, value in zip(facts[::2], facts[1::2], strict=False)
        if isinstance(name, bytes) and isinstance(value, bytes)
    }
