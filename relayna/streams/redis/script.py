"""Lua scripts: files beside this one, called by digest and loaded where a server does not know them.

Owns loading and calling. What a script does, and what its keys and arguments are, is in its first lines.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files

from msgspec import Struct

from relayna.errors import StoreRefused
from relayna.streams.redis.client import Reply
from relayna.streams.redis.commands import packed_argument
from relayna.streams.redis.failures import Failed
from relayna.streams.redis.replies import Packed
from relayna.streams.redis.requests import Request
from relayna.streams.redis.store import Exchange

__all__ = ["Script", "ScriptCall", "load_script"]


class ScriptCall(Struct, frozen=True, gc=False):
    """What one call is given. All keys lie in one Cluster slot."""

    keys: Sequence[bytes | str | Packed]
    """The first, by which the call finds its server, is never packed."""
    arguments: Sequence[bytes | str | int | Packed]


class Script(Struct, frozen=True):
    """A script's text and the digest by which servers remember it."""

    source: str
    digest: str
    packed_digest: Packed

    async def run(self, store: Exchange, calls: Sequence[ScriptCall]) -> list[Reply]:
        """Make all calls in one round trip, or two when a server had forgotten the script."""
        answers = await store.exchange([_request("EVALSHA", self.packed_digest, call) for call in calls])
        forgotten = [index for index, answer in enumerate(answers) if _is_unknown_script(answer)]
        if forgotten:
            again = await store.exchange([_request("EVAL", self.source, calls[index]) for index in forgotten])
            for index, answer in zip(forgotten, again, strict=True):
                answers[index] = answer
        return answers


@lru_cache
def load_script(name: str) -> Script:
    """The script in the file `name` of this package."""
    source = files(__package__).joinpath(name).read_text(encoding="utf-8")
    digest = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()
    return Script(source, digest, Packed(1, packed_argument(digest)))


def _request(verb: str, script: str | Packed, call: ScriptCall) -> Request:
    first = call.keys[0]
    count = sum([key.count if isinstance(key, Packed) else 1 for key in call.keys])
    command = (verb, script, count, *call.keys, *call.arguments)
    return Request((command,), None if isinstance(first, Packed) else first)


def _is_unknown_script(answer: Reply) -> bool:
    return (
        isinstance(answer, Failed)
        and isinstance(answer.error, StoreRefused)
        and answer.error.problem.startswith("NOSCRIPT")
    )
