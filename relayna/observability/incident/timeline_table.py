"""What happened to the task, event by event, as a table. Owns its columns, and which lines are left out."""

from __future__ import annotations

from typing import Final

from relayna.instants import Instant
from relayna.observability.incident.markup import EMPTY, Markup, element, joined, text
from relayna.observability.wording import duration_words, relative_time
from relayna.projections.timeline import Timeline, TimelineEntry

__all__ = ["ENTRY_LIMIT", "timeline_table"]

ENTRY_LIMIT: Final = 2_000
"""Half of them from the beginning and half from the end."""

_HEADS: Final = ("Time", "Attempt", "Event", "Where")


def timeline_table(timeline: Timeline) -> Markup:
    """A row for each event of the task itself."""
    entries, more = timeline.entries, len(timeline.entries) - ENTRY_LIMIT
    rows = [_row(entry) for entry in entries[: ENTRY_LIMIT // 2 if more > 0 else None]]
    if more > 0:
        words = f"{more:,} more events are not listed"
        rows.append(element("tr", element("td", text(words), colspan=len(_HEADS), class_="cut")))
        rows += [_row(entry) for entry in entries[-(ENTRY_LIMIT // 2) :]]
    heads = element("tr", *(element("th", text(head), scope="col") for head in _HEADS))
    table = element("table", element("thead", heads), element("tbody", *rows))
    return element("div", table, class_="wide", tabindex=0)


def _row(entry: TimelineEntry) -> Markup:
    when = "" if entry.offset_ms is None else relative_time(Instant(entry.offset_ms * 1000), Instant(0))
    return element(
        "tr",
        element("td", text(when), class_="time", title=entry.timestamp),
        element("td", text(_attempt(entry))),
        element("td", _event(entry)),
        element("td", text(", ".join(one for one in (entry.queue_name, entry.consumer_name) if one))),
        class_="trouble" if entry.exception_type else None,
    )


def _attempt(entry: TimelineEntry) -> str:
    number = "" if entry.attempt is None else f"attempt {entry.attempt}"
    inferred = " (inferred)" if entry.inferred else ""
    return " ".join(part for part in (entry.stage, number) if part) + inferred


def _event(entry: TimelineEntry) -> Markup:
    waited = None if entry.queue_wait_ms is None else f"waited {duration_words(entry.queue_wait_ms)}"
    length = None if entry.duration_ms is None else f"took {duration_words(entry.duration_ms)}"
    again = f"told {entry.told_again:,} more times" if entry.told_again > 1 else None
    told = ", ".join(part for part in (waited, length, again) if part)
    extra = element("span", text(told), class_="told") if told else EMPTY
    name = element("span", text(entry.text), title=f"{entry.event_type} {entry.event_id}")
    return joined((name, extra), " ")
