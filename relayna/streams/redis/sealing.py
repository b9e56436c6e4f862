"""Sealing: streams that nobody extends any more, stored again in no more memory than their entries take.

Owns the arguments and the reply of `seal.lua`. Which streams are sealed, and when, is decided above.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Final

from relayna.streams.keys import TaskAddress
from relayna.streams.redis.client import Reply
from relayna.streams.redis.log import RedisLog
from relayna.streams.redis.script import ScriptCall, load_script

__all__ = ["LARGEST_SEALED", "SealResult", "seal_streams"]

LARGEST_SEALED: Final = 1_000
"""Frames of the longest stream that is sealed. The free memory is at a stream's end, however long it is."""


class SealResult(Enum):
    """What became of a stream that was to be sealed."""

    SEALED = "sealed"
    ABSENT = "absent"
    """There is none, or it holds nothing any more."""
    BUSY = "busy"
    """Something was appended to it lately."""
    LARGE = "large"
    FAILED = "failed"
    """The store refused, or did not answer; nothing is lost by that."""


async def seal_streams(
    log: RedisLog, addresses: Sequence[TaskAddress], *, quiet_seconds: float
) -> list[SealResult]:
    """Seal the streams of these tasks, each by itself; what became of each, in order.

    The log must be open (`LogNotOpen`). A store that fails is in the results.
    """
    keys = log.keys
    calls = [
        ScriptCall(
            [keys.events(address), keys.sealing(keys.shard_of(address))],
            [round(quiet_seconds * 1000), LARGEST_SEALED],
        )
        for address in addresses
    ]
    answers = await load_script("seal.lua").run(log.store, calls) if calls else []
    return [_result(answer) for answer in answers]


def _result(answer: Reply) -> SealResult:
    try:
        return SealResult(answer.decode() if isinstance(answer, bytes) else None)
    except ValueError:
        return SealResult.FAILED
