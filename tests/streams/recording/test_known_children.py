"""Which children are known, and for how long."""

from __future__ import annotations

from relayna.ids import TaskId
from relayna.streams.recording.known_children import KnownChildren

PARENT, OTHER = TaskId("parent"), TaskId("other")


def test_a_child_is_new_once_for_each_parent() -> None:
    known = KnownChildren()
    assert known.is_new(PARENT, TaskId("a"))
    assert known.is_new(OTHER, TaskId("a"))
    assert not known.is_new(PARENT, TaskId("a"))


def test_the_one_not_seen_for_longest_is_forgotten() -> None:
    known = KnownChildren(most=2)
    for child in ("a", "b", "a", "c"):
        known.is_new(PARENT, TaskId(child))
    assert not known.is_new(PARENT, TaskId("a"))
    assert known.is_new(PARENT, TaskId("b"))
