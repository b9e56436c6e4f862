"""Dead letters: one node for each, though a worker observes it and a store keeps its content.

Owns when records of dead letters are the same letter, and which replays belong to it.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Collection, Iterable
from functools import cached_property
from typing import Any, Final, TypeAlias

from msgspec import Struct

from relayna.events import DeadLetterRecorded, DeadLetterReplayed
from relayna.ids import AttemptId, EventId
from relayna.instants import UNTIMED
from relayna.projections.attribution import NOBODY, Attribution
from relayna.projections.fact_ids import cause_of
from relayna.projections.few import Few, with_one_more
from relayna.projections.ordering import PlacedEvent

__all__ = ["DeadLetter", "distinct_dead_letters"]

_SAME_LOOK: Final = ("reason", "retry_attempt", "stage", "message_id")
_SAME_DELIVERY: Final = ("message_id", "retry_attempt", "source_queue_name")
_ANY: Final = object()

_Look: TypeAlias = tuple[object, ...]


class DeadLetter(Struct, kw_only=True, gc=False):
    """One dead letter and all records of it."""

    placed: PlacedEvent
    """The record that stands for it: the attempt's own closing event where there is one."""
    content: DeadLetterRecorded | None = None
    others: Few[PlacedEvent] = ()
    replays: Few[PlacedEvent] = ()
    by: Attribution = NOBODY
    """The attempt that it ended."""
    number: int = 0
    node_id: str = ""

    def known(self, name: str) -> Any:  # Any: the field's own type
        """The field of that name from whichever record has it."""
        for body in (self.placed.event.body, self.content):
            value = getattr(body, name, None)
            if value is not None:
                return value
        return None

    def records(self) -> Iterable[PlacedEvent]:
        """Every record of it, without its replays."""
        return (self.placed, *self.others)


def distinct_dead_letters(
    observed: Collection[PlacedEvent], stored: Collection[PlacedEvent], replays: Iterable[PlacedEvent]
) -> list[DeadLetter]:
    """The dead letters, in order of what stands for them; each argument in order."""
    if not observed and not stored:
        return []
    register = _Register()
    for placed in observed:
        register.take(placed, None)
    unnamed = [placed for placed in stored if not register.take_named(placed)]
    for placed in unnamed:
        if not register.take_named(placed):  # one of those before it may have named it
            register.take(placed, register.alike(placed))
    for placed in replays:
        letter = register.replayed_by(placed)
        if letter is not None:
            letter.replays = with_one_more(letter.replays, placed)
    return sorted(register.letters, key=lambda letter: letter.placed.key)


class _Register:
    """Dead letters found so far, by everything that can tell that another record is one of them."""

    def __init__(self) -> None:
        self.letters: list[DeadLetter] = []
        self._by_letter: dict[str, DeadLetter] = {}
        self._by_event: dict[EventId, DeadLetter] = {}
        self._by_attempt: dict[AttemptId, DeadLetter] = {}

    def take_named(self, placed: PlacedEvent) -> bool:
        """Take a stored record in whose ids name a letter; whether they did."""
        envelope, body = placed.event.envelope, placed.event.body
        if not isinstance(body, DeadLetterRecorded):
            return True
        found = self._by_letter.get(body.dead_letter_id)
        cause = cause_of(envelope)
        if found is None and cause is not None:
            found = self._by_event.get(cause)
        if found is None and envelope.attempt_id is not None:
            found = self._by_attempt.get(envelope.attempt_id)
        if found is not None:
            self.take(placed, found)
        return found is not None

    def alike(self, placed: PlacedEvent) -> DeadLetter | None:
        """A letter without content that looks the same: by delivery for our own records, else by instant."""
        body = placed.event.body
        if placed.event.envelope.attempt_id is not None:
            # Its worker died before it closed the attempt; the next one gave the same delivery up again.
            delivery = tuple(getattr(body, name) for name in _SAME_DELIVERY)
            found = None if None in delivery else self._next_without_content(("delivery", *delivery))
            if found is not None:
                return found
        if placed.time == UNTIMED:
            return None
        values = [getattr(body, name) for name in _SAME_LOOK]
        choices = [(_ANY,) if value is None else (value, None) for value in values]
        looks = itertools.product(*choices)
        found_ones = (self._next_without_content((placed.time, *look)) for look in looks)
        return next((letter for letter in found_ones if letter), None)

    def replayed_by(self, placed: PlacedEvent) -> DeadLetter | None:
        """The letter that this replay sent again."""
        body, cause = placed.event.body, cause_of(placed.event.envelope)
        found = self._by_letter.get(body.dead_letter_id) if isinstance(body, DeadLetterReplayed) else None
        return self._by_event.get(cause) if found is None and cause is not None else found

    def take(self, placed: PlacedEvent, same: DeadLetter | None) -> None:
        """One more record; it is of that letter, or of a new one."""
        envelope, body = placed.event.envelope, placed.event.body
        if same is None:
            same = DeadLetter(placed=placed)
            self.letters.append(same)
        else:
            same.others = with_one_more(same.others, placed)
        self._by_event[placed.own_id] = same
        if envelope.attempt_id is not None:
            self._by_attempt.setdefault(envelope.attempt_id, same)
        if isinstance(body, DeadLetterRecorded):
            same.content = same.content or body
            self._by_letter.setdefault(body.dead_letter_id, same)

    @cached_property
    def _without_content(self) -> dict[_Look, deque[DeadLetter]]:
        # Only stored records that no id connects are looked for by their look; all others are known by then.
        waiting: dict[_Look, deque[DeadLetter]] = {}
        for letter in self.letters:
            if not isinstance(letter.placed.event.body, DeadLetterRecorded):
                for look in self._looks_of(letter):
                    waiting.setdefault(look, deque()).append(letter)
        return waiting

    def _looks_of(self, letter: DeadLetter) -> list[_Look]:
        body = letter.placed.event.body
        choices = [(getattr(body, name, None), _ANY) for name in _SAME_LOOK]
        looks: list[_Look] = [(letter.placed.time, *look) for look in itertools.product(*choices)]
        looks.append(("delivery", *(getattr(body, name, None) for name in _SAME_DELIVERY)))
        return looks

    def _next_without_content(self, look: _Look) -> DeadLetter | None:
        waiting = self._without_content.get(look, deque())
        while waiting and waiting[0].content is not None:
            waiting.popleft()
        return waiting[0] if waiting else None
