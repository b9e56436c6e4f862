"""Dead letters: one node for each, though a worker observes it and a store keeps its content.

Owns when records of dead letters are the same letter, and which replays belong to it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import Struct, field

from relayna.events import DeadLetterRecorded, DeadLetterReplayed
from relayna.ids import AttemptId, EventId, own_event_id
from relayna.instants import UNTIMED, Instant
from relayna.projections.ordering import PlacedEvent

__all__ = ["DeadLetter", "distinct_dead_letters"]


class DeadLetter(Struct, kw_only=True, gc=False):
    """One dead letter and all records of it."""

    placed: PlacedEvent
    """The record that stands for it: the attempt's own closing event where there is one."""
    content: DeadLetterRecorded | None = None
    others: list[PlacedEvent] = field(default_factory=list)
    replays: list[PlacedEvent] = field(default_factory=list)
    number: int = 0
    node_id: str = ""

    def known(self, name: str) -> Any:  # Any: the field's own type
        """The field of that name from whichever record has it."""
        for body in (self.placed.event.body, self.content):
            value = getattr(body, name, None)
            if value is not None:
                return value
        return None


def distinct_dead_letters(
    observed: Iterable[PlacedEvent], stored: Iterable[PlacedEvent], replays: Iterable[PlacedEvent]
) -> list[DeadLetter]:
    """The dead letters, in order of what stands for them; each argument in order."""
    register = _Register()
    for placed in observed:
        register.take(placed, None)
    for placed in stored:
        register.take(placed, register.same_as(placed))
    for placed in replays:
        body = placed.event.body
        letter = register.by_letter.get(body.dead_letter_id) if isinstance(body, DeadLetterReplayed) else None
        if letter is not None:
            letter.replays.append(placed)
    return sorted(register.letters, key=lambda letter: letter.placed.key)


class _Register:
    """Dead letters found so far, by everything that can tell that another record is one of them."""

    def __init__(self) -> None:
        self.letters: list[DeadLetter] = []
        self.by_letter: dict[str, DeadLetter] = {}
        self._by_event: dict[EventId, DeadLetter] = {}
        self._by_attempt: dict[AttemptId, DeadLetter] = {}
        self._by_time: dict[Instant, list[DeadLetter]] = {}

    def same_as(self, placed: PlacedEvent) -> DeadLetter | None:
        envelope, body = placed.event.envelope, placed.event.body
        if not isinstance(body, DeadLetterRecorded):
            return None
        found = self.by_letter.get(body.dead_letter_id)
        if found is None and envelope.cause is not None:
            found = self._by_event.get(own_event_id(envelope.cause))
        if found is None and envelope.attempt_id is not None:
            found = self._by_attempt.get(envelope.attempt_id)
        return found or self._alike(placed, body)

    def _alike(self, placed: PlacedEvent, body: DeadLetterRecorded) -> DeadLetter | None:
        if placed.time == UNTIMED:
            return None
        for letter in self._by_time.get(placed.time, ()):
            agree = all(
                None in (getattr(body, name), letter.known(name)) or getattr(body, name) == letter.known(name)
                for name in ("reason", "retry_attempt", "stage", "message_id")
            )
            if agree and letter.content is None:
                return letter
        return None

    def take(self, placed: PlacedEvent, same: DeadLetter | None) -> None:
        envelope, body = placed.event.envelope, placed.event.body
        if same is None:
            same = DeadLetter(placed=placed)
            self.letters.append(same)
            self._by_time.setdefault(placed.time, []).append(same)
        else:
            same.others.append(placed)
        self._by_event[placed.own_id] = same
        if envelope.attempt_id is not None:
            self._by_attempt.setdefault(envelope.attempt_id, same)
        if isinstance(body, DeadLetterRecorded):
            same.content = same.content or body
            self.by_letter.setdefault(body.dead_letter_id, same)
