"""What stands in the way of a replay from a stage, and one that broke off. Owns the errors.

RelaynaError
├── InputsMissing           some inputs are not stored
│   └── InputsLost          they were, and this storage does not hold them
├── SessionNotWhole         some of its histories are gone
└── BrokerError
    └── ReplayCutShort      the broker took some messages, and not all
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from relayna.errors import BrokerError, RelaynaError
from relayna.storage import PayloadNotFound

__all__ = ["InputsLost", "InputsMissing", "ReplayCutShort", "SessionNotWhole"]

_SHOWN: Final = 5


class InputsMissing(RelaynaError):
    """Some messages of the stage cannot be sent again: their inputs are not stored. Nothing was published."""

    def __init__(self, stage: str, message_ids: tuple[str, ...]) -> None:
        self.stage = stage
        self.message_ids = message_ids
        shown = ", ".join(message_ids[:_SHOWN]) + (", …" if len(message_ids) > _SHOWN else "")
        count = len(message_ids)
        inputs = "The input of 1 message" if count == 1 else f"The inputs of {count} messages"
        super().__init__(
            f"{inputs} of {stage!r} {'is' if count == 1 else 'are'} not stored ({shown}); nothing was published. "
            "Inputs are stored while workers run with RELAYNA_LINEAGE_EMIT and a storage; replay from a stage before."
        )


class InputsLost(InputsMissing):
    """Inputs were stored, and the storage does not hold them: deleted since, or it is another one."""

    def __init__(self, stage: str, lost: dict[str, PayloadNotFound]) -> None:
        """`lost` is what the storage said, by message."""
        super().__init__(stage, tuple(lost))
        self.keys = tuple(one.key for one in lost.values())
        self.place = next(iter(lost.values())).place
        shown = ", ".join(map(repr, self.keys[:_SHOWN])) + (", …" if len(lost) > _SHOWN else "")
        where = "" if self.place is None else f" at {self.place!r}"
        inputs = "an input" if len(lost) == 1 else f"{len(lost)} inputs"
        self.args = (
            f"The storage{where} does not hold {inputs} of {stage!r} that workers did store: {shown}; nothing was "
            "published. Check storage_url (where workers store) and the tenant, and whether it was deleted since.",
        )


class ReplayCutShort(BrokerError):
    """The broker took the first messages of a replay and not all: `published` of `wanted`."""

    def __init__(self, session_id: str, published: int, wanted: int, problem: str) -> None:
        self.session_id = session_id
        self.published = published
        self.wanted = wanted
        self.problem = problem
        super().__init__(
            f"Only {published} of {wanted} messages of the new session {session_id!r} are published: {problem} "
            "Replay again once the broker takes messages; that makes another new session."
        )


class SessionNotWhole(RelaynaError):
    """Of some tasks of the session nothing can be read any more, so nobody knows all inputs. Nothing was published."""

    def __init__(self, session_id: str, missing: Iterable[str]) -> None:
        self.session_id = session_id
        self.missing = tuple(missing)
        super().__init__(
            f"Some histories of session {session_id!r} are not whole ({', '.join(self.missing)}), so inputs may be "
            "unknown; nothing was published. See what is known with a dry run, and publish that yourself."
        )
