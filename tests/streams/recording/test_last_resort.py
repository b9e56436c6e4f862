"""The JSON line of an event that no stream will hold."""

from __future__ import annotations

import base64
import json
import logging

import pytest
from events.event_strategies import events
from hypothesis import given
from streams.recording_steps import sampled

from relayna.events import Event, StatusPublished, from_plain
from relayna.ids import TaskId, Tenant
from relayna.streams.recording.held import hold
from relayna.streams.recording.last_resort import last_resort_line, write_last_resort

TENANT = Tenant("default")


def test_a_line_says_what_was_lost_and_why() -> None:
    line = json.loads(last_resort_line(hold(sampled(3), "shared_status_workflow", None), "closed", TENANT))
    assert line["event"].pop("event_type") == "TaskResourceSampled"
    assert line.pop("event")["seq"] == 3
    assert line == {
        "relayna": "event_not_stored",
        "reason": "closed",
        "tenant": "default",
        "task_id": "order",
        "topology_kind": "shared_status_workflow",
    }


def test_it_is_an_error_of_its_own_logger(caplog: pytest.LogCaptureFixture) -> None:
    write_last_resort(hold(sampled(3), None, None), "closed", TENANT)
    [record] = caplog.records
    assert (record.name, record.levelno) == ("relayna.recorder", logging.ERROR)
    assert json.loads(record.message)["reason"] == "closed"


@given(event=events)
def test_a_line_holds_an_event_that_can_be_read_back(event: Event) -> None:
    line = json.loads(last_resort_line(hold(event, None, None), "closed", TENANT))
    of = "status" if isinstance(event.body, StatusPublished) else "observation"
    read, warnings = from_plain(line["event"], task_id=TaskId("task"), of=of)  # type: ignore[arg-type]
    assert read is not None
    assert warnings == []
    assert read.envelope.event_id == event.envelope.event_id


def test_an_event_that_cannot_be_read_back_comes_as_bytes() -> None:
    held = hold(sampled(3, timestamp="noon"), None, None)
    line = json.loads(last_resort_line(held, "closed", TENANT))
    assert base64.b64decode(line["data"]) == held.data
