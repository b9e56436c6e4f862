"""What a projection is: a value. Owns the shape; `registry.py` lists the instances.

The laws, held by `tests/projections/laws.py` for every registered one:

- **commutative, idempotent**: any order, any repeats, any split of the same items gives the same answer
- **snapshot + rest = all**: `restore(snapshot(state))` goes on as the state would have
- **finished states go on**: a state may be finished at any time, as often as is wanted, and take more items after
  that; it answers as one that was given all items at once, and answers that it gave before stay as they were
- **total**: no item makes `apply` or `finish` raise; what cannot be used becomes a warning
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeAlias, TypeVar

from msgspec import Struct

from relayna.events import RecordedEvent
from relayna.events.history import RecordWarning, StreamFact
from relayna.ids import TaskId

__all__ = ["Item", "Projection"]

Item: TypeAlias = RecordedEvent | StreamFact | RecordWarning
"""What is folded: events, and what is known of the streams and records that they came from."""

StateT = TypeVar("StateT")
QueryT = TypeVar("QueryT")
AnswerT = TypeVar("AnswerT")


class Projection(Struct, Generic[StateT, QueryT, AnswerT], frozen=True, kw_only=True):
    """A pure fold from a history to an answer."""

    name: str
    version: int
    """Raised when the same history gives another answer; stored snapshots of other versions are thrown away."""
    initial: Callable[[TaskId], StateT]
    """The state before anything is known of this task."""
    apply: Callable[[StateT, Item], None]
    """Take one item in. It owns the state and changes it."""
    finish: Callable[[StateT, QueryT], AnswerT]
    """The answer to a question, as far as is known. Pure: it changes nothing that the state knows.

    So a state may be kept, given what is new and finished again. It is not for several threads at once.
    """
    snapshot: Callable[[StateT], bytes]
    restore: Callable[[bytes], StateT]
