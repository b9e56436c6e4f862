"""What an answer of the store, or its silence, means for a frame that was to be appended.

Owns the table, and nothing else does: what the recorder does about a failure follows from it. Pure.

    what the store says                        outcome    trouble    what the recorder does
    nothing, for no connection was made        not done   store      tries again, with backoff
    nothing, though it was asked               unknown    store      reads back, then appends what is absent
    @user_script: it stopped half-way          unknown    store      reads back, then appends what is absent
    READONLY LOADING MASTERDOWN NOREPLICAS     not done   store      tries again, with backoff
    MISCONF TRYAGAIN CLUSTERDOWN MOVED ASK     not done   store      tries again, with backoff
    BUSY                                       not done   store      tries again, with backoff
    OOM NOAUTH WRONGPASS NOPERM                permanent  store      says so once, and probes slowly
    any other refusal of HELLO                 permanent  store      says so once, and probes slowly
    WRONGTYPE                                  permanent  task       sets the task aside, in the end gives it up
    any other refusal                          permanent  unclear    the same, when the log takes other tasks' frames

The driver's own classes cannot be asked instead: its `AuthenticationError` is a `ConnectionError`, and its
`ResponseError` is everything from a wrong type to a server that stopped in the middle of a script.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from relayna.errors import StoreError, StoreRefused

__all__ = ["RULINGS", "Outcome", "Ruling", "Trouble", "ruling", "stopped_half_way"]


class Outcome(enum.Enum):
    """What became of a frame that is not known to be in its stream."""

    NOT_DONE = "not_done"
    """It was not appended; the same may be taken later."""
    PERMANENT = "permanent"
    """It was not appended, and will not be until somebody has helped."""
    UNKNOWN = "unknown"
    """It may have been appended."""


class Trouble(enum.Enum):
    """Whose trouble a failure is."""

    STORE = "store"
    """The store's, or one of its nodes': every task fares alike there."""
    TASK = "task"
    """That of the one stream."""
    UNCLEAR = "unclear"
    """The store does not say; how others fare does."""


class Ruling(Struct, frozen=True):
    """What a failure comes to."""

    outcome: Outcome
    trouble: Trouble


_PASSING: Final = Ruling(Outcome.NOT_DONE, Trouble.STORE)
_UNHEARD: Final = Ruling(Outcome.UNKNOWN, Trouble.STORE)
_SHUT: Final = Ruling(Outcome.PERMANENT, Trouble.STORE)
_OTHER: Final = Ruling(Outcome.PERMANENT, Trouble.UNCLEAR)

RULINGS: Final[Mapping[str, Ruling]] = {
    **dict.fromkeys(
        (
            "READONLY", "LOADING", "MASTERDOWN", "NOREPLICAS", "MISCONF", "TRYAGAIN", "CLUSTERDOWN", "MOVED",
            "ASK", "BUSY",
        ),
        _PASSING,
    ),
    **dict.fromkeys(("OOM", "NOAUTH", "WRONGPASS", "NOPERM"), _SHUT),
    "WRONGTYPE": Ruling(Outcome.PERMANENT, Trouble.TASK),
}  # fmt: skip
"""By the code with which an answer begins."""

_NO_PERMISSION_IN_A_SCRIPT: Final = re.compile("ERR (ACL failure in script|The user executing the script)")
"""What Valkey and Redis 7.0 say, with no code of its own, where a command by itself is refused with NOPERM."""

_HALF_WAY: Final = "@user_script"
"""Servers name the line of a script that an error ended; what came before it was carried out."""


def ruling(error: StoreError, *, unheard: bool = False) -> Ruling:
    """What this failure comes to; `unheard` says that the store was asked and no answer was seen."""
    if unheard or stopped_half_way(error):
        return _UNHEARD
    if not isinstance(error, StoreRefused):
        return _PASSING
    found = RULINGS.get(error.problem.partition(" ")[0])
    if found is not None:
        return found
    if error.command == "HELLO" or _NO_PERMISSION_IN_A_SCRIPT.match(error.problem):
        return _SHUT
    return _OTHER


def stopped_half_way(error: StoreError) -> bool:
    """Whether the store ended a script after it had begun to write."""
    return isinstance(error, StoreRefused) and _HALF_WAY in error.problem
