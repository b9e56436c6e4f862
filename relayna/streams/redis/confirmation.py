"""What must be true of an append, beside its being in the server's memory, before it counts.

Owns the question that follows a script on its connection, in the same round trip, and the judgement of the
answer. A frame that is not confirmed is in the log all the same, so its outcome is called unknown: a later
read back finds it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from relayna.errors import InvalidSetting, StoreRefused
from relayna.streams.redis.failures import Failed
from relayna.streams.redis.replies import Command, Reply

__all__ = ["Confirmation", "LogDurability", "confirmation_of"]

LogDurability: TypeAlias = Literal["memory", "replica", "fsync"]
"""Where an append is before it counts: in the server's memory, also in a replica's, or on the server's disk."""

_SCRIPTS: Final = ("EVAL", "EVALSHA")


class Confirmation(Struct, frozen=True):
    """One question, and the least that its answer must be."""

    command: tuple[str | int, ...]
    """Its last argument is how many milliseconds the server waits before it says no."""
    missing: str
    """What there is not enough of, in words."""

    def is_wanted(self, commands: Sequence[Command]) -> bool:
        """Whether these append anything."""
        return any(command[0] in _SCRIPTS for command in commands)

    def judged(self, answers: Sequence[Reply], word: Reply) -> list[Reply]:
        """The answers as they are, when the server confirms them; else none of them counts."""
        confirmed = word[0] if isinstance(word, list) and word else word
        if isinstance(confirmed, int) and confirmed >= 1:
            return list(answers)
        if isinstance(word, Failed):
            unconfirmed = Failed(word.error, outcome_unknown=True)
        else:
            problem = f"NOREPLICAS {self.missing} within {self.command[-1]!s} ms"
            unconfirmed = Failed(StoreRefused(str(self.command[0]), problem), outcome_unknown=True)
        return [answer if isinstance(answer, Failed) else unconfirmed for answer in answers]


_CONFIRMATIONS: Final[dict[str, Confirmation | None]] = {
    "memory": None,
    "replica": Confirmation(("WAIT", 1, 1_000), "no replica has confirmed it"),
    "fsync": Confirmation(("WAITAOF", 1, 0, 2_000), "it was not confirmed to be on disk"),
}


def confirmation_of(durability: str) -> Confirmation | None:
    """What is asked of a server for this `LogDurability`. Raises `InvalidSetting`."""
    if durability not in _CONFIRMATIONS:
        known = ", ".join(_CONFIRMATIONS)
        raise InvalidSetting("durability", "argument", f"{durability!r} is none of {known}")
    return _CONFIRMATIONS[durability]
