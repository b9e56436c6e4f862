"""Requests that are meant to cost a service more than they cost whoever sends them. Sixty, in twelve kinds."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Literal, TypeAlias

from msgspec import Struct

__all__ = ["BOMBS", "KINDS", "Bomb", "Kind", "bombs"]

Kind: TypeAlias = Literal[
    "depth", "digits", "keys", "compressed", "slow head", "slow body", "url", "headers", "parameters", "chunks",
    "pipelined", "no HTTP",
]  # fmt: skip
KINDS: Final[tuple[Kind, ...]] = Kind.__args__

_REFUSED: Final = frozenset({400, 405, 406, 408, 411, 413, 414, 415, 422, 431})
_HARMLESS: Final = _REFUSED | {200, 404}


class Bomb(Struct, frozen=True, kw_only=True):
    """What is sent, and how it may be answered."""

    kind: Kind
    pieces: Sequence[bytes]
    pause_seconds: float = 0.0
    """Between the pieces; one that pauses goes on until it is let go."""
    listens: bool = True
    """Whether it takes the answers before the server lets go."""
    statuses: frozenset[int] = _REFUSED


def bombs(count: int) -> list[Bomb]:
    """So many, at least one of each kind."""
    chosen = [next(bomb for bomb in BOMBS if bomb.kind == kind) for kind in KINDS]
    rest = [bomb for bomb in BOMBS if bomb not in chosen]
    return [*chosen, *rest][: max(count, len(KINDS))]


def _get(target: str = "/livez", *headers: str) -> bytes:
    return "\r\n".join((f"GET {target} HTTP/1.1", "Host: x", *headers, "", "")).encode()


def _post(body: bytes, *headers: str) -> bytes:
    told = ("Content-Type: application/json", f"Content-Length: {len(body)}", *headers)
    return "\r\n".join(("POST /probe HTTP/1.1", "Host: x", *told, "", "")).encode() + body


def _chunked(*chunks: bytes) -> list[bytes]:
    head = b"POST /probe HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    return [head, *chunks]


def _bodies(kind: Kind, bodies: Iterable[bytes], *headers: str) -> Iterator[Bomb]:
    for body in bodies:
        yield Bomb(kind=kind, pieces=[_post(body, *headers)])


def _requests(kind: Kind, requests: Iterable[bytes], statuses: frozenset[int] = _REFUSED) -> Iterator[Bomb]:
    for request in requests:
        yield Bomb(kind=kind, pieces=[request], statuses=statuses)


def _slow(kind: Kind, head: bytes, rest: bytes) -> Bomb:
    return Bomb(kind=kind, pieces=[head, *(b"%c" % byte for byte in rest * 2_000)], pause_seconds=0.05)


_DEPTHS = (
    b"[" * 60_000,
    b'{"a":' * 12_000,
    b'{"extra":' + b"[" * 30_000 + b"]" * 30_000 + b"}",
    b'{"extra":{"a":' + b'[{"b":' * 10_000 + b"1",
    b'{"reason":"' + b'\\"' * 30_000,
)
_DIGITS = (
    b'{"reason":"x","count":' + b"9" * 60_000 + b"}",
    b'{"reason":"x","count":-' + b"1" * 60_000 + b"}",
    b'{"reason":"x","weight":' + b"0." + b"3" * 60_000 + b"e",
    b'{"reason":"x","weight":1e999999999}',
    b'{"reason":"x","weight":1E-' + b"9" * 60_000 + b"x}",
)
_KEYS = (
    json.dumps({f"k{number}": number for number in range(4_000)}).encode(),
    b"{" + b'"a":1,' * 10_000 + b'"a":1}',
    b'{"reason":"x","extra":{' + b'"a":1,' * 10_000 + b'"a":1}}',
    b'{"reason":"x","reason":"' + b"y" * 60_000 + b'"}',
    b'{"' + b"k" * 65_000 + b'":1}',
)
_ZEROS: Final = gzip.compress(b" " * 50_000_000, 9)[:60_000]
_HEAD: Final = b"GET /livez HTTP/1.1\r\nHost: x\r\n"
_SLOW_POST: Final = b"POST /probe HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
_GRAPH: Final = "/executions/order-7/graph"

BOMBS: Final[tuple[Bomb, ...]] = (
    *_bodies("depth", _DEPTHS),
    *_bodies("digits", _DIGITS),
    *_bodies("keys", _KEYS),
    *_bodies("compressed", [_ZEROS], "Content-Encoding: gzip"),
    *_bodies("compressed", [_ZEROS], "Content-Encoding: br, gzip"),
    *_bodies("compressed", [_ZEROS], "Content-Encoding: identity", "Content-Encoding: deflate"),
    *_bodies("compressed", [_ZEROS]),
    Bomb(
        kind="compressed",
        pieces=[_SLOW_POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n", b"5\r\n" + _ZEROS[:5] + b"\r\n"],
    ),
    _slow("slow head", b"", b"GET /livez HTTP/1.1\r\n"),
    _slow("slow head", _HEAD, b"X: y\r\n"),
    _slow("slow head", b"GET /", b"x"),
    Bomb(kind="slow head", pieces=[_HEAD]),
    Bomb(kind="slow head", pieces=[_HEAD + b"X: " + b"y" * 10_000]),
    _slow("slow body", _SLOW_POST + b"Content-Length: 60000\r\n\r\n", b" "),
    _slow("slow body", _SLOW_POST + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    Bomb(kind="slow body", pieces=[_SLOW_POST + b"Content-Length: 10\r\n\r\n"]),
    Bomb(
        kind="slow body",
        pieces=[_SLOW_POST + b"Content-Length: 10\r\nExpect: 100-continue\r\n\r\n"],
        statuses=_REFUSED | {100},
    ),
    Bomb(
        kind="slow body",
        pieces=[b"POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n", *[b"x"] * 2_000],
        pause_seconds=0.05,
    ),
    *_requests(
        "url",
        [
            _get("/" + "x" * 70_000),
            _get("/livez?" + "x" * 70_000),
            _get("/executions/" + "%2F" * 23_000 + "/graph"),
            _get("/executions/" + "a/" * 2_040 + "graph"),
            b"GET /" + b"x" * 2_000_000,
        ],
    ),
    *_requests(
        "headers",
        [
            _get(_GRAPH, "Accept: " + "image/png;q=0.5, " * 1_200),
            _get(_GRAPH, "Range: bytes=" + ",".join(["0-1"] * 5_000)),
            _get(_GRAPH, "Last-Event-ID: " + "9" * 20_000),
            _get(_GRAPH, "If-None-Match: " + ", ".join(['"v"'] * 5_000)),
            _get(_GRAPH, *[f"X-{number}: y" for number in range(3_000)]),
        ],
    ),
    *_requests(
        "parameters",
        [
            _get(f"{_GRAPH}?" + "&".join(["depth=1"] * 450)),
            _get(f"{_GRAPH}?" + "&".join(f"a{number}=1" for number in range(10_000))),
            _get(f"{_GRAPH}?depth=" + "9" * 4_000),
            _get(f"{_GRAPH}?at=" + "1" * 4_000),
            _get(f"{_GRAPH}?max_nodes=1&max_nodes=" + "%31" * 1_000),
        ],
    ),
    *(
        Bomb(kind="chunks", pieces=_chunked(*chunks))
        for chunks in (
            [b"1\r\nx\r\n"] * 66_000,
            [b"FFFFFFFFFFFFFFFFFFFF\r\n", b"x" * 70_000],
            [b"1;" + b"e" * 70_000 + b"\r\nx\r\n"],
            [b"10000\r\n", b"x" * 65_536, b"\r\n1\r\nx\r\n"],
            [b"zz\r\nx\r\n"],
        )
    ),
    Bomb(kind="pipelined", pieces=[_get() * 2_000], statuses=_HARMLESS),
    Bomb(kind="pipelined", pieces=[_get(_GRAPH) * 500 + b"\0\0\r\n\r\n"], statuses=_HARMLESS),
    Bomb(
        kind="pipelined",
        pieces=[_get("/openapi.json") * 500, *[b"GET"] * 2_000],
        pause_seconds=0.05,
        listens=False,
        statuses=_HARMLESS,
    ),
    Bomb(kind="pipelined", pieces=[_post(b"[" * 1_000) * 50], statuses=_HARMLESS),
    Bomb(kind="pipelined", pieces=[_get() + _HEAD], statuses=_HARMLESS),
    *_requests(
        "no HTTP",
        [
            b"\0" * 70_000,
            b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + b"\xff" * 500 + b"\r\n\r\n",
            b"PRI * HTTP/2.0\r\nSM\r\n\r\n",
            b"GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
            b"POST /probe HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ],
    ),
)
