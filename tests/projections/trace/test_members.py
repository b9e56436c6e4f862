"""Which tasks a session has."""

from __future__ import annotations

from relayna.events import ChildRegistered, Envelope, RecordedEvent, StatusPublished
from relayna.ids import EventId, SessionId, TaskId
from relayna.instants import Instant
from relayna.projections.trace.members import events_of_session


def event(
    task_id: str, *, session: str | None = None, parent: str | None = None, child: str | None = None
) -> RecordedEvent:
    envelope = Envelope(
        event_id=EventId(f"{task_id}.{child}"),
        timestamp=Instant(0),
        task_id=TaskId(task_id),
        session_id=None if session is None else SessionId(session),
        parent_task_id=None if parent is None else TaskId(parent),
    )
    body = StatusPublished(status="seen") if child is None else ChildRegistered(child_task_id=TaskId(child))
    return RecordedEvent(envelope=envelope, body=body)


def members(asked: str, *events: RecordedEvent) -> tuple[str, list[str]]:
    found = events_of_session(TaskId(asked), events)
    return found.session_id, sorted({one.envelope.task_id for one in found.events})


def test_a_task_is_of_the_session_that_it_names_else_of_its_parents() -> None:
    events = [
        event("a", session="s"),
        event("b", parent="a"),
        event("c", parent="b"),
        event("x", session="other"),
    ]
    for asked in "abc":
        assert members(asked, *events) == ("s", ["a", "b", "c"])
    assert members("x", *events) == ("other", ["x"])


def test_a_parent_may_be_the_one_that_says_so() -> None:
    assert members("b", event("a", session="s", child="b"), event("b")) == ("s", ["a", "b"])


def test_without_a_word_the_first_task_is_the_session() -> None:
    assert members("c", event("a"), event("b", parent="a"), event("c", parent="b")) == ("a", ["a", "b", "c"])


def test_parents_in_a_circle_end() -> None:
    session, found = members("a", event("a", parent="b"), event("b", parent="a"))
    assert session in found == ["a", "b"]


def test_nothing_is_a_session_of_nothing() -> None:
    assert members("a") == ("a", [])
