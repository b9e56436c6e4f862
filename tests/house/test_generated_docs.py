"""Generated pages are those that the code would generate now."""

from __future__ import annotations

from relayna.events import EVENT_TYPES
from tools.generate_events_doc import EVENTS_DOC, document


def test_the_events_page_is_in_step() -> None:
    written = EVENTS_DOC.read_text(encoding="utf-8")
    assert written == document(), "run `python -m tools.generate_events_doc` and commit docs/events.md"


def test_the_events_page_names_every_event() -> None:
    page = document()
    assert [
        event_type.__name__ for event_type, _ in EVENT_TYPES if f"### {event_type.__name__}\n" not in page
    ] == []
