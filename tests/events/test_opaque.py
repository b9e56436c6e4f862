"""What stands in for an unreadable record."""

from __future__ import annotations

from events.event_strategies import EVENT_CLASSES

from relayna.events import Opaque


def test_it_is_never_written() -> None:
    assert Opaque not in EVENT_CLASSES


def test_two_unreadable_records_are_told_apart_by_their_digest() -> None:
    assert Opaque(reason="corrupt", digest="a") != Opaque(reason="corrupt", digest="b")
    assert Opaque(reason="corrupt", digest="a") == Opaque(reason="corrupt", digest="a")
